// The page: state, controls and tables.

const byId = (id) => document.getElementById(id);

start().catch((error) => {
  byId("status").textContent = `The images cannot be shown: ${error.message}. A browser of 2023 or newer is needed.`;
});

async function start() {
  const setup = JSON.parse(byId("setup").textContent);
  const [nSlow, nFast] = setup.shape;
  const { a, b } = await readImages(setup);
  const difference = differences(a, b);
  const images = {
    a: { values: a, levels: pyramid(a, nSlow, nFast, larger) },
    b: { values: b, levels: pyramid(b, nSlow, nFast, larger) },
    difference: { values: difference, levels: pyramid(difference, nSlow, nFast, farther) },
  };
  const view = new View(nSlow, nFast);
  const canvases = [...document.querySelectorAll("canvas.panel")];
  const state = { here: null, line: null, profile: null, low: setup.shared.low, high: 1, full: 1, gray: grayTable("log") };
  const signed = signedTable();
  // Images may be part of a larger one, and may be reduced: what is shown counts in pixels of the whole.
  const toWhole = ([slow, fast]) => [setup.origin[0] + slow * setup.block, setup.origin[1] + fast * setup.block];
  const toShown = ([slow, fast]) => [
    Math.floor((slow - setup.origin[0]) / setup.block),
    Math.floor((fast - setup.origin[1]) / setup.block),
  ];
  const marks = setup.worst.map((pixel) => toShown([pixel.slow, pixel.fast]));

  const colors = {
    a: grayOf,
    b: grayOf,
    difference: (value) => {
      if (value !== value) return NO_VALUE;
      return signed[Math.round((Math.min(Math.max(value / state.full, -1), 1) + 1) * (STEPS - 1))];
    },
  };
  function grayOf(value) {
    if (value !== value) return NO_VALUE;
    const level = (value - state.low) / (state.high - state.low);
    return state.gray[level > 0 ? (Math.sqrt(Math.min(level, 1)) * (STEPS - 1)) | 0 : 0];
  }

  let waiting = false;
  function changed() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw();
    });
  }

  function draw() {
    for (const canvas of canvases) {
      const name = canvas.dataset.panel;
      paint(canvas, view, images[name].levels, colors[name]);
      decorate(canvas, view, { marks: byId("marks").checked ? marks : [], line: state.line, here: state.here });
    }
  }

  function resize() {
    const whole = Math.abs(view.scale / view.wholeScale() - 1) < 1e-9;
    const ratio = window.devicePixelRatio || 1;
    const shape = Math.min(Math.max(nSlow / nFast, 0.4), 1.6);
    const height = Math.min(canvases[0].clientWidth * shape, Math.max(window.innerHeight * 0.8, 240));
    for (const canvas of canvases) canvas.style.height = `${Math.round(height) + 2 * canvas.clientTop}px`;
    Object.assign(view, { width: canvases[0].clientWidth, height: canvases[0].clientHeight });
    const size = [Math.round(view.width * ratio), Math.round(view.height * ratio)];
    if (canvases[0].width === size[0] && canvases[0].height === size[1]) return;
    for (const canvas of canvases) [canvas.width, canvas.height] = size; // which clears it
    if (whole || view.scale < view.wholeScale() / 2) view.fit();
    draw();
  }

  const digits = setup.type === "float32" ? 9 : 17;
  const full = (value) => (Number.isFinite(value) ? String(Number(value.toPrecision(digits))) : Number.isNaN(value) ? "no value" : String(value));

  function point(pixel, speak) {
    state.here = pixel;
    const [slow, fast] = pixel ? toWhole(pixel) : ["–", "–"];
    const index = pixel ? pixel[0] * nFast + pixel[1] : 0;
    const texts = pixel ? [a[index], b[index], b[index] - a[index]].map(full) : ["–", "–", "–"];
    byId("at-slow").textContent = slow;
    byId("at-fast").textContent = fast;
    byId("value-a").textContent = texts[0];
    byId("value-b").textContent = texts[1];
    byId("value-difference").textContent = texts[2];
    if (speak) byId("spoken").textContent = `slow ${slow}, fast ${fast}: A ${texts[0]}, B ${texts[1]}, difference ${texts[2]}`;
    changed();
  }

  function setLine(line) {
    state.line = line;
    const pixels = pixelsOfLine(line);
    const along = (values) => pixels.map(([slow, fast]) => values[slow * nFast + fast]);
    state.profile = { pixels, a: along(a), b: along(b), difference: along(difference) };
    const [slow0, fast0] = toWhole(line.slice(0, 2)), [slow1, fast1] = toWhole(line.slice(2));
    for (const [name, value] of Object.entries({ slow0, fast0, slow1, fast1 })) byId("line").elements[name].value = value;
    byId("profile-text").textContent = `${pixels.length} pixels from slow ${slow0}, fast ${fast0} to slow ${slow1}, fast ${fast1}`;
    plotProfile(byId("profile-plot"), state.profile, byId("profile-log").checked);
    changed();
  }

  const actions = { changed, point, draw: setLine, here: () => state.here, linesAreDrawn: () => document.querySelector("[name=mode]:checked").value === "line" };
  for (const canvas of canvases) {
    listenToPointers(canvas, view, actions);
    listenToKeys(canvas, view, actions);
  }
  connectView(view, actions, marks);
  connectContrast(setup, state, changed);
  connectProfile(state, setLine, point, { nSlow, nFast, toShown, toWhole });

  byId("viewer").hidden = false;
  byId("status").hidden = true;
  new ResizeObserver(resize).observe(byId("panels"));
  resize();
  view.fit();
  draw();
  document.body.dataset.ready = "true";
}

function connectView(view, actions, marks) {
  const buttons = { fit: () => view.fit(), "zoom-in": () => view.zoom(1.5), "zoom-out": () => view.zoom(1 / 1.5) };
  for (const [id, act] of Object.entries(buttons)) {
    byId(id).addEventListener("click", () => {
      act();
      actions.changed();
    });
  }
  byId("marks").addEventListener("change", actions.changed);
  for (const button of document.querySelectorAll("[data-worst]")) {
    button.addEventListener("click", () => {
      const pixel = marks[Number(button.dataset.worst)];
      view.scale = Math.max(view.scale, 12);
      view.moveTo(pixel[0] + 0.5, pixel[1] + 0.5);
      actions.point(pixel, true);
      byId("panels").scrollIntoView({ block: "nearest" });
    });
  }
}

function connectContrast(setup, state, changed) {
  const show = () => {
    const shared = setup.shared, signed = setup.difference;
    const i = Number(byId("contrast").value), j = Number(byId("contrast-difference").value);
    // A percentile that is no higher than white would leave no contrast: take the next one that is.
    const next = (scale, from) => scale.values.slice(from).find((value) => value > scale.low);
    state.high = next(shared, i) ?? shared.low + (Math.abs(shared.low) || 1);
    state.full = next(signed, j) ?? 1;
    const stretch = document.querySelector("[name=stretch]:checked").value;
    state.gray = grayTable(stretch);
    for (const ramp of document.querySelectorAll(".ramp.gray")) ramp.style.background = grayGradient(stretch);
    byId("contrast-text").textContent = `${short(state.high)} (${share(shared.percentiles[i])})`;
    byId("contrast-difference-text").textContent = `${short(state.full)} (${share(signed.percentiles[j])})`;
    const ends = { low: state.low, high: state.high, lower: -state.full, upper: state.full };
    for (const element of document.querySelectorAll("[data-end]")) element.textContent = short(ends[element.dataset.end]);
    changed();
  };
  for (const [id, scale] of [["contrast", setup.shared], ["contrast-difference", setup.difference]]) {
    byId(id).max = scale.values.length - 1;
    byId(id).value = scale.chosen;
    byId(id).addEventListener("input", show);
  }
  for (const radio of document.querySelectorAll("[name=stretch]")) radio.addEventListener("change", show);
  show();
}

function share(percentile) {
  return percentile === 100 ? "the largest" : `${Number(percentile.toPrecision(6))} % of the pixels`;
}

function connectProfile(state, setLine, point, { nSlow, nFast, toShown, toWhole }) {
  const form = byId("line"), plot = byId("profile-plot");
  const first = toWhole([0, 0]), last = toWhole([nSlow - 1, nFast - 1]);
  for (const input of form.querySelectorAll("[type=number]")) {
    const axis = input.name.startsWith("slow") ? 0 : 1;
    Object.assign(input, { min: first[axis], max: last[axis] });
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const number = (name) => Math.round(Number(form.elements[name].value));
    const line = [...toShown([number("slow0"), number("fast0")]), ...toShown([number("slow1"), number("fast1")])];
    const inside = (slow, fast) => slow >= 0 && slow < nSlow && fast >= 0 && fast < nFast;
    if (inside(line[0], line[1]) && inside(line[2], line[3])) setLine(line);
  });
  byId("profile-log").addEventListener("change", () => {
    if (state.profile) plotProfile(plot, state.profile, byId("profile-log").checked);
  });
  plot.addEventListener("pointermove", (event) => {
    const { pixels } = state.profile;
    const step = profileStep(plot, event, pixels.length);
    markStep(plot, step, pixels.length);
    point(pixels[step], false);
  });
}
