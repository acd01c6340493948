// The profile: values along a line of pixels, drawn as SVG.

const PLOT = { left: 80, right: 890, top: 18, middle: 200, below: 222, bottom: 300 };

function pixelsOfLine([slow0, fast0, slow1, fast1]) {
  const steps = Math.max(Math.abs(slow1 - slow0), Math.abs(fast1 - fast0), 1);
  const pixels = [];
  for (let i = 0; i <= steps; i++) {
    pixels.push([Math.round(slow0 + ((slow1 - slow0) * i) / steps), Math.round(fast0 + ((fast1 - fast0) * i) / steps)]);
  }
  return pixels;
}

function ticks(low, high, count) {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const found = [];
  for (let i = Math.ceil(low / step); i * step <= high * (1 + 1e-12) + 1e-300 && found.length < 20; i++) found.push(i * step);
  return found;
}

function decades(low, high) {
  const found = [];
  const first = Math.ceil(Math.log10(low)), last = Math.floor(Math.log10(high));
  const stride = Math.max(1, Math.ceil((last - first) / 5));
  for (let power = first; power <= last; power += stride) found.push(10 ** power);
  return found;
}

function rangeOf(values) {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) return [0, 1];
  return low === high ? [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2] : [low, high];
}

function axis(low, high, top, bottom, logarithmic) {
  const change = logarithmic ? Math.log10 : (value) => value;
  const from = change(low), to = change(high);
  return {
    y: (value) => (logarithmic && value <= 0 ? NaN : bottom - ((change(value) - from) / (to - from)) * (bottom - top)),
    marks: logarithmic ? decades(low, high) : ticks(low, high, 4),
  };
}

function curve(values, name, x, y) {
  // A gap where there is no value.
  let path = "", pen = "M";
  values.forEach((value, i) => {
    const height = y(value);
    if (!Number.isFinite(height)) {
      pen = "M";
      return;
    }
    path += `${pen}${x(i).toFixed(1)} ${height.toFixed(1)}`;
    pen = "L";
  });
  return `<path class="curve ${name}" d="${path}"/>`;
}

function plotProfile(svg, profile, logarithmic) {
  const { a, b, difference } = profile;
  const last = a.length - 1;
  const x = (i) => PLOT.left + (i / last) * (PLOT.right - PLOT.left);
  let both = [...a, ...b];
  if (logarithmic) both = both.filter((value) => value > 0);
  logarithmic = logarithmic && both.length > 0;
  const [low, high] = rangeOf(both);
  const upper = axis(logarithmic ? Math.max(low, high * 1e-8) : low, high, PLOT.top, PLOT.middle, logarithmic);
  const largest = Math.max(...rangeOf(difference).map(Math.abs)) || 1;
  const lower = axis(-largest, largest, PLOT.below, PLOT.bottom, false);
  const parts = [];
  const rule = (y, text) => {
    parts.push(`<path class="grid" d="M${PLOT.left} ${y}H${PLOT.right}"/>`);
    parts.push(`<text x="${PLOT.left - 6}" y="${y + 4}" text-anchor="end">${text}</text>`);
  };
  for (const mark of upper.marks) rule(upper.y(mark), short(mark));
  for (const mark of [-largest, 0, largest]) rule(lower.y(mark), short(mark));
  for (const mark of ticks(0, last, 8)) {
    if (Number.isInteger(mark)) parts.push(`<text x="${x(mark)}" y="${PLOT.bottom + 16}" text-anchor="middle">${mark}</text>`);
  }
  parts.push(`<path class="axis" d="M${PLOT.left} ${PLOT.top}V${PLOT.middle}M${PLOT.left} ${PLOT.below}V${PLOT.bottom}H${PLOT.right}"/>`);
  parts.push(curve(a, "a", x, upper.y), curve(b, "b", x, upper.y), curve(difference, "difference", x, lower.y));
  parts.push(`<path class="curve a" d="M700 10h28"/><text x="733" y="14">A</text>`);
  parts.push(`<path class="curve b" d="M760 10h28"/><text x="793" y="14">B</text>`);
  parts.push(`<path class="curve difference" d="M820 10h28"/><text x="853" y="14">B − A</text>`);
  parts.push(`<text x="${(PLOT.left + PLOT.right) / 2}" y="328" text-anchor="middle">pixels from the start of the line</text>`);
  parts.push(`<path class="here" id="profile-here" d=""/>`);
  svg.innerHTML = parts.join("");
  svg.removeAttribute("hidden");
}

function profileStep(svg, event, count) {
  // The step of the line that lies under the pointer.
  const box = svg.getBoundingClientRect();
  const x = ((event.clientX - box.left) / box.width) * 900;
  return Math.min(Math.max(Math.round(((x - PLOT.left) / (PLOT.right - PLOT.left)) * (count - 1)), 0), count - 1);
}

function markStep(svg, step, count) {
  const x = PLOT.left + (step / (count - 1)) * (PLOT.right - PLOT.left);
  svg.querySelector("#profile-here").setAttribute("d", `M${x} ${PLOT.top}V${PLOT.bottom}`);
}

function short(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e-3 && size < 1e6 ? String(Number(value.toPrecision(4))) : value.toExponential(2).replace(/\.?0+e/, "e");
}
