// The pixels: unpacking them, and reductions of them for views from afar.

async function unpack(id, words) {
  // Deflated byte planes in base64 -> typed array of `words` items.
  const text = document.getElementById(id).textContent;
  const piece = 1 << 22; // a multiple of 4 characters
  const parts = [];
  for (let start = 0; start < text.length; start += piece) {
    const raw = atob(text.slice(start, start + piece));
    const bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
    parts.push(bytes);
  }
  document.getElementById(id).remove(); // the text is as large as the pixels
  const stream = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate"));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer());
  const size = planes.length / words;
  const bytes = new Uint8Array(planes.length);
  for (let plane = 0; plane < size; plane++) {
    for (let i = 0, from = plane * words, to = plane; i < words; i++, from++, to += size) bytes[to] = planes[from];
  }
  return bytes;
}

async function readImages(setup) {
  const [slow, fast] = setup.shape;
  const Values = setup.type === "float32" ? Float32Array : Float64Array;
  const a = await unpack("data-a", slow * fast);
  const b = await unpack("data-b", slow * fast);
  const wordsA = new Uint32Array(a.buffer), wordsB = new Uint32Array(b.buffer);
  for (let i = 0; i < wordsB.length; i++) wordsB[i] ^= wordsA[i]; // B came as its bits that differ from A's
  return { a: new Values(a.buffer), b: new Values(b.buffer) };
}

function differences(a, b) {
  const difference = new a.constructor(a.length);
  for (let i = 0; i < a.length; i++) difference[i] = b[i] - a[i];
  return difference;
}

function larger(x, y) {
  // NaN, a pixel without value, gives way to any number.
  return x >= y || y !== y ? x : y;
}

function farther(x, y) {
  return Math.abs(x) >= Math.abs(y) || y !== y ? x : y;
}

function pyramid(values, nSlow, nFast, choose) {
  // Level n holds one value for 2^n x 2^n pixels: the extreme one, so that no spot vanishes from afar.
  const levels = [{ values, nSlow, nFast }];
  while (Math.max(nSlow, nFast) > 64) {
    const from = levels[levels.length - 1];
    const slow = (nSlow + 1) >> 1, fast = (nFast + 1) >> 1;
    const reduced = new values.constructor(slow * fast);
    for (let s = 0; s < slow; s++) {
      const row = 2 * s * nFast, next = 2 * s + 1 < nSlow ? row + nFast : row;
      for (let f = 0; f < fast; f++) {
        const left = 2 * f, right = left + 1 < nFast ? left + 1 : left;
        const upper = choose(from.values[row + left], from.values[row + right]);
        const lower = choose(from.values[next + left], from.values[next + right]);
        reduced[s * fast + f] = choose(upper, lower);
      }
    }
    nSlow = slow;
    nFast = fast;
    levels.push({ values: reduced, nSlow, nFast });
  }
  return levels;
}
