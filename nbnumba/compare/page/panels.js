// Three panels on one view: colors, drawing, and moving around by pointer and keys.

const NO_VALUE = color(240, 228, 66);
const LOG_STRENGTH = 300; // scales.py has the same
const STEPS = 4096;
const LARGEST_PIXEL = 64; // CSS pixels

function color(red, green, blue) {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

const STRETCHES = {
  log: (t) => Math.asinh(LOG_STRENGTH * t) / Math.asinh(LOG_STRENGTH),
  root: (t) => Math.sqrt(t),
  linear: (t) => t,
};

function grayTable(stretch) {
  // Indexed by the square root of the level: fine steps where the logarithm is steep.
  const table = new Uint32Array(STEPS);
  for (let i = 0; i < STEPS; i++) {
    const gray = Math.round(255 * (1 - STRETCHES[stretch]((i / (STEPS - 1)) ** 2)));
    table[i] = color(gray, gray, gray);
  }
  return table;
}

function grayGradient(stretch) {
  const stops = [];
  for (let i = 0; i <= 32; i++) {
    const gray = Math.round(255 * (1 - STRETCHES[stretch](i / 32)));
    stops.push(`rgb(${gray}, ${gray}, ${gray})`);
  }
  return `linear-gradient(to right, ${stops.join(", ")})`;
}

function signedTable() {
  const table = new Uint32Array(2 * STEPS - 1), below = [33, 102, 172], above = [178, 24, 43];
  for (let i = 0; i < table.length; i++) {
    const t = (i - STEPS + 1) / (STEPS - 1);
    const end = t < 0 ? below : above;
    table[i] = color(...end.map((channel) => Math.round(255 + Math.abs(t) * (channel - 255))));
  }
  return table;
}

class View {
  // What all panels show: the image place [pixels] at their center, and CSS pixels per image pixel.
  constructor(nSlow, nFast) {
    Object.assign(this, { nSlow, nFast, slow: nSlow / 2, fast: nFast / 2, scale: 1, width: 1, height: 1 });
  }
  wholeScale() {
    return Math.min(this.width / this.nFast, this.height / this.nSlow);
  }
  fit() {
    Object.assign(this, { slow: this.nSlow / 2, fast: this.nFast / 2, scale: this.wholeScale() });
  }
  place(x, y) {
    return [this.slow + (y - this.height / 2) / this.scale, this.fast + (x - this.width / 2) / this.scale];
  }
  onScreen(slow, fast) {
    return [this.width / 2 + (fast - this.fast) * this.scale, this.height / 2 + (slow - this.slow) * this.scale];
  }
  pixel(x, y) {
    const [slow, fast] = this.place(x, y).map(Math.floor);
    return slow >= 0 && slow < this.nSlow && fast >= 0 && fast < this.nFast ? [slow, fast] : null;
  }
  moveTo(slow, fast) {
    this.slow = Math.min(Math.max(slow, 0), this.nSlow);
    this.fast = Math.min(Math.max(fast, 0), this.nFast);
  }
  zoom(factor, x = this.width / 2, y = this.height / 2) {
    // The place under (x, y) stays there.
    const [slow, fast] = this.place(x, y);
    const least = this.wholeScale() / 2;
    this.scale = Math.min(Math.max(this.scale * factor, least), Math.max(LARGEST_PIXEL, least));
    this.moveTo(slow - (y - this.height / 2) / this.scale, fast - (x - this.width / 2) / this.scale);
  }
}

function paint(canvas, view, levels, colorOf) {
  // Draw what the view covers, from the level whose pixels are just smaller than those of the screen.
  const width = canvas.width, height = canvas.height, scale = view.scale * (width / view.width);
  const level = Math.min(Math.max(Math.floor(Math.log2(1 / scale)), 0), levels.length - 1);
  const { values, nFast } = levels[level];
  const context = canvas.getContext("2d");
  const picture = context.createImageData(width, height);
  const out = new Uint32Array(picture.data.buffer);
  const columns = new Int32Array(width);
  for (let x = 0; x < width; x++) {
    const fast = Math.floor(view.fast + (x + 0.5 - width / 2) / scale);
    columns[x] = fast < 0 || fast >= view.nFast ? -1 : fast >> level;
  }
  for (let y = 0; y < height; y++) {
    const slow = Math.floor(view.slow + (y + 0.5 - height / 2) / scale);
    if (slow < 0 || slow >= view.nSlow) continue;
    const row = (slow >> level) * nFast;
    for (let x = 0; x < width; x++) {
      if (columns[x] >= 0) out[y * width + x] = colorOf(values[row + columns[x]]);
    }
  }
  context.putImageData(picture, 0, 0);
}

function decorate(canvas, view, { marks, line, here }) {
  // Draw marks, the profile line and the pixel in hand over a panel.
  const context = canvas.getContext("2d"), ratio = canvas.width / view.width;
  context.save();
  context.scale(ratio, ratio);
  context.lineWidth = 2;
  context.font = "bold 13px system-ui, sans-serif";
  context.strokeStyle = context.fillStyle = "#007a40";
  marks.forEach(([slow, fast], i) => {
    const [x, y] = view.onScreen(slow + 0.5, fast + 0.5);
    const radius = Math.max(9, view.scale);
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.stroke();
    const toLeft = x + radius + 22 > view.width;
    context.textAlign = toLeft ? "right" : "left";
    const place = [String(i + 1), x + (toLeft ? -radius - 3 : radius + 3), y + 4];
    context.save();
    context.strokeStyle = "#ffffff";
    context.lineWidth = 4;
    context.strokeText(...place);
    context.restore();
    context.fillText(...place);
  });
  if (line) {
    context.strokeStyle = context.fillStyle = "#b35900";
    const [x0, y0] = view.onScreen(line[0] + 0.5, line[1] + 0.5), [x1, y1] = view.onScreen(line[2] + 0.5, line[3] + 0.5);
    context.beginPath();
    context.moveTo(x0, y0);
    context.lineTo(x1, y1);
    context.stroke();
    context.beginPath();
    context.arc(x0, y0, 4, 0, 2 * Math.PI);
    context.fill();
  }
  if (here) {
    const [x, y] = view.onScreen(here[0], here[1]);
    const size = Math.max(view.scale, 7), shift = (size - view.scale) / 2;
    context.lineWidth = 1.5;
    context.strokeStyle = "#1c5fa8";
    context.strokeRect(x - shift, y - shift, size, size);
  }
  context.restore();
}

function listenToPointers(canvas, view, actions) {
  // One pointer moves the view or draws a line, two pinch.
  const down = new Map();
  let start = null, drawing = false;
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left - canvas.clientLeft, event.clientY - box.top - canvas.clientTop];
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    down.set(event.pointerId, at(event));
    drawing = down.size === 1 && (event.shiftKey || actions.linesAreDrawn());
    start = view.pixel(...at(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    const now = at(event), before = down.get(event.pointerId);
    if (before && drawing) {
      const end = view.pixel(...now);
      if (start && end) actions.draw([...start, ...end]);
    } else if (before && down.size === 1) {
      view.moveTo(view.slow - (now[1] - before[1]) / view.scale, view.fast - (now[0] - before[0]) / view.scale);
      actions.changed();
    } else if (before) {
      const [other] = [...down].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
      const apart = (place) => Math.hypot(place[0] - other[0], place[1] - other[1]);
      view.zoom(apart(now) / Math.max(apart(before), 1), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
      actions.changed();
    }
    if (before) down.set(event.pointerId, now);
    actions.point(view.pixel(...now), false);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, (event) => down.delete(event.pointerId));
  }
  canvas.addEventListener("dblclick", () => {
    view.fit();
    actions.changed();
  });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const lines = event.deltaMode === 0 ? 1 : event.deltaMode === 1 ? 16 : 400;
    view.zoom(Math.exp(-0.0015 * lines * event.deltaY), ...at(event));
    actions.changed();
    actions.point(view.pixel(...at(event)), false);
  }, { passive: false });
}

function listenToKeys(canvas, view, actions) {
  const arrows = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key in arrows) {
      const [slow, fast] = actions.here() ?? [Math.floor(view.slow), Math.floor(view.fast)];
      const step = event.shiftKey ? 10 : 1, [down, right] = arrows[event.key];
      const clamp = (value, size) => Math.min(Math.max(value, 0), size - 1);
      const pixel = [clamp(slow + step * down, view.nSlow), clamp(fast + step * right, view.nFast)];
      const [x, y] = view.onScreen(pixel[0] + 0.5, pixel[1] + 0.5);
      if (x < 0 || y < 0 || x > view.width || y > view.height) view.moveTo(...pixel);
      actions.point(pixel, true);
    } else if (event.key === "+" || event.key === "=") {
      zoomOnPixel(1.5);
    } else if (event.key === "-") {
      zoomOnPixel(1 / 1.5);
    } else if (event.key === "0") {
      view.fit();
    } else {
      return;
    }
    event.preventDefault();
    actions.changed();
  });
  function zoomOnPixel(factor) {
    const here = actions.here();
    if (here) view.zoom(factor, ...view.onScreen(here[0] + 0.5, here[1] + 0.5));
    else view.zoom(factor);
  }
}
