// One image at a time: frames, contrast, and what lies under the pointer.
"use strict";

const byId = (id) => document.getElementById(id);
const RINGS = 5;
const ROUND = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8];

start().catch((error) => {
  byId("status").textContent = `The image cannot be shown: ${error.message}`;
  byId("status").hidden = false;
});

async function start() {
  const titles = await (await fetch("frames")).json();
  const canvas = byId("image");
  const state = { frame: null, number: -1, here: null, gray: grayTable("log"), low: 0, high: 1 };
  let view = null, waiting = false;

  function changed() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      if (state.frame) draw();
    });
  }

  function colorOf(value) {
    if (value !== value) return NO_VALUE;
    const level = (value - state.low) / (state.high - state.low);
    return state.gray[level > 0 ? (Math.sqrt(Math.min(level, 1)) * (STEPS - 1)) | 0 : 0];
  }

  function draw() {
    paint(canvas, view, state.frame.levels, colorOf);
    if (byId("rings").checked) drawRings(canvas, view, state.frame);
    decorate(canvas, view, { marks: [], line: null, here: state.here });
  }

  function resize() {
    const ratio = window.devicePixelRatio || 1;
    const whole = Math.abs(view.scale / view.wholeScale() - 1) < 1e-9;
    Object.assign(view, { width: canvas.clientWidth, height: canvas.clientHeight });
    [canvas.width, canvas.height] = [Math.round(view.width * ratio), Math.round(view.height * ratio)];
    if (whole || view.scale < view.wholeScale() / 2) view.fit();
    draw();
  }

  function contrast() {
    const { floor, tops } = state.frame;
    state.low = floor;
    const top = tops[Number(byId("contrast").value)];
    state.high = top > floor ? top : tops.find((value) => value > floor) ?? floor + 1;
    const stretch = document.querySelector("[name=stretch]:checked").value;
    state.gray = grayTable(stretch);
    byId("ramp").style.background = grayGradient(stretch);
    byId("contrast-text").textContent = byId("high").textContent = short(state.high);
    byId("low").textContent = short(state.low);
    changed();
  }

  function point(pixel) {
    state.here = pixel;
    const { values, nFast } = state.frame;
    byId("at-slow").textContent = pixel ? pixel[0] : "–";
    byId("at-fast").textContent = pixel ? pixel[1] : "–";
    const value = pixel ? values[pixel[0] * nFast + pixel[1]] : NaN;
    byId("value").textContent = !pixel ? "–" : Number.isNaN(value) ? "no value" : String(Number(value.toPrecision(7)));
    const found = pixel ? placeOf(state.frame, pixel[0] + 0.5, pixel[1] + 0.5) : null;
    byId("at-panel").textContent = found ? found.panel : "–";
    byId("resolution").textContent = found ? found.spacing.toFixed(3) : "–";
    byId("hkl").textContent = found?.hkl ? found.hkl.map((index) => index.toFixed(2)).join(" ") : "–";
    changed();
  }

  async function show(number) {
    const wanted = Math.min(Math.max(number, 0), titles.length - 1);
    if (wanted === state.number) return;
    state.number = wanted;
    delete document.body.dataset.ready;
    const answer = await fetch(`frame/${wanted}`);
    if (!answer.ok) throw new Error(await answer.text());
    const frame = unpackFrame(await answer.arrayBuffer());
    if (wanted !== state.number) return; // another one was asked for meanwhile
    const before = state.frame;
    state.frame = frame;
    if (!view || before.nSlow !== frame.nSlow || before.nFast !== frame.nFast) {
      const fresh = new View(frame.nSlow, frame.nFast);
      if (view) Object.assign(view, fresh);
      else view = fresh;
    }
    byId("title").textContent = document.title = frame.about.title;
    byId("frame").value = wanted;
    byId("frame-text").textContent = `${wanted + 1} of ${titles.length}`;
    byId("panel-part").hidden = !(frame.about.panels?.length > 1);
    byId("viewer").hidden = false;
    byId("status").hidden = true;
    if (!before) listen();
    contrast();
    resize();
    point(state.here);
    document.body.dataset.ready = "true";
  }

  const failed = (error) => {
    byId("status").textContent = `The image cannot be shown: ${error.message}`;
    byId("status").hidden = false;
    document.body.dataset.ready = "true";
  };
  const go = (number) => show(number).catch(failed);

  function listen() {
    const actions = { changed, point, draw: () => {}, here: () => state.here, linesAreDrawn: () => false };
    listenToPointers(canvas, view, actions);
    listenToKeys(canvas, view, actions);
    for (const radio of document.querySelectorAll("[name=stretch]")) radio.addEventListener("change", contrast);
    byId("contrast").addEventListener("input", contrast);
    byId("rings").addEventListener("change", changed);
    const zooms = { fit: () => view.fit(), "zoom-in": () => view.zoom(1.5), "zoom-out": () => view.zoom(1 / 1.5) };
    for (const [id, act] of Object.entries(zooms)) {
      byId(id).addEventListener("click", () => {
        act();
        changed();
      });
    }
    byId("frames").hidden = titles.length < 2;
    byId("frame").max = titles.length - 1;
    byId("frame").addEventListener("input", () => go(Number(byId("frame").value)));
    byId("previous").addEventListener("click", () => go(state.number - 1));
    byId("next").addEventListener("click", () => go(state.number + 1));
    document.addEventListener("keydown", (event) => {
      const step = { PageUp: -1, PageDown: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      go(state.number + step);
    });
    new ResizeObserver(resize).observe(canvas);
  }

  byId("status").textContent = "Loading the image";
  await show(0);
}

function unpackFrame(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const about = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const [nSlow, nFast] = about.shape;
  const values = new Float32Array(buffer, 4 + length, nSlow * nFast);
  const sample = [];
  const stride = Math.max(1, Math.floor(values.length / 200000));
  for (let i = 0; i < values.length; i += stride) if (Number.isFinite(values[i])) sample.push(values[i]);
  const sorted = Float32Array.from(sample).sort();
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  let largest = 0;
  for (const value of values) if (value > largest && Number.isFinite(value)) largest = value;
  // The slider goes from the median to the largest pixel, most of its way near the top.
  const tops = Array.from({ length: 1001 }, (_, i) => (i === 1000 ? largest : at(1 - 0.5 * 10 ** (-i / 180))));
  const levels = pyramid(values, nSlow, nFast, larger);
  return { about, nSlow, nFast, values, levels, floor: Math.min(at(0.01), largest), tops };
}

function placeOf({ about, nSlow }, slow, fast) {
  // Resolution and h k l of a point, in pixels from the outer corner; null outside of any panel.
  if (!about.panels) return null;
  const height = nSlow / about.panels.length;
  const panel = Math.min(Math.max(Math.floor(slow / height), 0), about.panels.length - 1);
  const { origin, fast: f, slow: s, size } = about.panels[panel];
  const along = slow - panel * height;
  if (along > size[0] || fast > size[1]) return null;
  const place = origin.map((o, i) => o + fast * f[i] + along * s[i]);
  const distance = Math.hypot(...place);
  const q = place.map((p, i) => (p / distance - about.beam[i]) / about.wavelength);
  const hkl = about.cell?.map((axis) => axis[0] * q[0] + axis[1] * q[1] + axis[2] * q[2]);
  return { panel, spacing: 1 / Math.hypot(...q), hkl };
}

function drawRings(canvas, view, frame) {
  // Lines of equal resolution, found pixel by pixel of the screen on a coarse grid.
  if (!frame.about.panels) return;
  const context = canvas.getContext("2d"), ratio = canvas.width / view.width;
  const step = 4, columns = Math.ceil(view.width / step) + 1, rows = Math.ceil(view.height / step) + 1;
  const inverse = new Float64Array(columns * rows).fill(NaN);
  let largest = 0;
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      const [slow, fast] = view.place(x * step, y * step);
      if (slow < 0 || fast < 0 || slow > view.nSlow || fast > view.nFast) continue;
      const found = placeOf(frame, slow, fast);
      if (!found) continue;
      inverse[y * columns + x] = 1 / found.spacing;
      largest = Math.max(largest, 1 / found.spacing);
    }
  }
  context.save();
  context.scale(ratio, ratio);
  context.strokeStyle = context.fillStyle = "#1f69b4";
  context.font = "12px system-ui, sans-serif";
  for (const spacing of roundSpacings(largest)) {
    const level = 1 / spacing;
    let label = null;
    context.beginPath();
    for (let y = 0; y + 1 < rows; y++) {
      for (let x = 0; x + 1 < columns; x++) {
        const i = y * columns + x;
        const crossings = crossingsOf(inverse[i], inverse[i + 1], inverse[i + columns + 1], inverse[i + columns], level);
        for (let c = 0; c + 1 < crossings.length; c += 2) {
          const [from, to] = [crossings[c], crossings[c + 1]];
          context.moveTo((x + from[0]) * step, (y + from[1]) * step);
          context.lineTo((x + to[0]) * step, (y + to[1]) * step);
          if (!label) label = [(x + from[0]) * step, (y + from[1]) * step];
        }
      }
    }
    context.stroke();
    if (label) context.fillText(`${spacing} Å`, Math.min(label[0] + 4, view.width - 40), Math.max(label[1] + 14, 14));
  }
  context.restore();
}

function crossingsOf(a, b, c, d, level) {
  // Where the level crosses the edges of a cell whose corners, going round, have these values.
  const edges = [[a, b, (t) => [t, 0]], [b, c, (t) => [1, t]], [c, d, (t) => [1 - t, 1]], [d, a, (t) => [0, 1 - t]]];
  return edges.filter(([p, q]) => p < level !== q < level && p === p && q === q).map(([p, q, at]) => at((level - p) / (q - p)));
}

function roundSpacings(largest) {
  const found = new Set();
  if (!(largest > 0)) return [];
  const choice = [-1, 0, 1, 2, 3].flatMap((power) => ROUND.map((digits) => Number((digits * 10 ** power).toPrecision(2))));
  for (let i = 1; i <= RINGS; i++) {
    const target = (largest * i) / RINGS;
    const near = (d) => Math.abs(1 / d - target);
    found.add(choice.filter((d) => 1 / d <= largest).reduce((best, d) => (near(d) < near(best) ? d : best)));
  }
  return [...found];
}

function short(value) {
  return String(Number(value.toPrecision(3)));
}
