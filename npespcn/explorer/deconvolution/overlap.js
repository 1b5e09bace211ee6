// --- deconvolution: the arithmetic, in whole numbers, so that nothing is rounded ---
//
// Input pixel q adds the kernel, times its value, to the output. Its copy begins at q·s - cut.
// The cut is a multiple of s, so kernel entry t reaches place t % s of every block, and no other.

const SMALL = [3, 4]; // the input's H and W
// numpy.random.default_rng(6).integers(-3, 6, (7, 7))
const DRAWN = [
  [1, 1, 1, 0, 5, 0, 2],
  [0, 1, 5, -2, 2, 0, 3],
  [3, -1, 3, 3, 1, -2, 2],
  [-3, 4, 4, 4, -3, 5, 5],
  [2, 4, 3, 4, -2, -3, -1],
  [-2, 1, 4, 3, 0, 1, 2],
  [3, -2, 4, -2, 2, 1, 4],
];

const table = (rows, cols, at) =>
  Array.from({ length: rows }, (_, row) => Array.from({ length: cols }, (_, col) => at(row, col)));

const cutOf = ({ k, s }) => s * Math.floor((Math.ceil(k / s) - 1) / 2);

// Bilinear interpolation's weights along an axis, times a factor: 1, 2, 1 or 1, 3, 3, 1.
function tent(k, t) {
  const steps = k - Math.abs(2 * t - k + 1);
  return k % 2 ? (steps + 1) / 2 : steps;
}

const WEIGHTS = {
  ones: () => 1,
  random: (k, a, b) => DRAWN[a][b],
  bilinear: (k, a, b) => tent(k, a) * tent(k, b),
};

// With ICNR every place of a block has the weights of place 0.
function kernelOf({ k, s, weights, icnr }) {
  const first = icnr ? s : 1;
  return table(k, k, (a, b) => WEIGHTS[weights](k, a - (a % first), b - (b % first)));
}

// Which pixels reach place i of block p, along an axis: input pixel p + d by kernel entry t.
function tapsOf({ k, s }, i) {
  const taps = [];
  for (let t = i; t < k; t += s) taps.unshift({ d: (i + cutOf({ k, s }) - t) / s, t });
  return taps;
}

// The small kernel of a place, as a convolution has it: its rows and columns run with d.
const smallKernel = (layer, i, j) =>
  tapsOf(layer, i).map(({ t: a }) => tapsOf(layer, j).map(({ t: b }) => layer.kernel[a][b]));

// Outside its edge the input repeats its outermost pixels.
const inside = (n, size) => clamp(n, 0, size - 1);
const pixelOf = ({ input }, h, w) => input[inside(h, SMALL[0])][inside(w, SMALL[1])];

// How many pixels beyond the edge are read: by the kernel, or after resizing.
function haloOf({ k, s }) {
  const reach = tapsOf({ k, s }, 0).map(({ d }) => Math.abs(d));
  return Math.max(...reach, Math.ceil(Math.floor(k / 2) / s));
}

const sizeOf = ({ s }) => SMALL.map((n) => n * s);

// Deconvolution: each input pixel deals out.
function dealOut(layer) {
  const { k, s, kernel } = layer;
  const [rows, cols] = sizeOf(layer);
  const [halo, cut] = [haloOf(layer), cutOf(layer)];
  const dealt = table(rows, cols, () => 0);
  const counts = table(rows, cols, () => 0);
  for (let h = -halo; h < SMALL[0] + halo; h++) {
    for (let w = -halo; w < SMALL[1] + halo; w++) {
      for (let a = 0; a < k; a++) {
        for (let b = 0; b < k; b++) {
          const [row, col] = [h * s - cut + a, w * s - cut + b];
          if (row !== inside(row, rows) || col !== inside(col, cols)) continue;
          dealt[row][col] += pixelOf(layer, h, w) * kernel[a][b];
          counts[row][col] += 1;
        }
      }
    }
  }
  return { dealt, counts };
}

// What output pixel (row, col) collects.
function termsOf(layer, row, col) {
  const { s, kernel } = layer;
  const [h, w] = [Math.floor(row / s), Math.floor(col / s)];
  return tapsOf(layer, row % s).flatMap(({ d, t: a }) =>
    tapsOf(layer, col % s).map(({ d: e, t: b }) => {
      const x = pixelOf(layer, h + d, w + e);
      return { h: h + d, w: w + e, a, b, x, weight: kernel[a][b] };
    }),
  );
}

const total = (terms) => terms.reduce((sum, { x, weight }) => sum + x * weight, 0);

// Sub-pixel convolution: s·s small convolutions of the input, then the shuffle.
function collect(layer) {
  const { s } = layer;
  const channels = table(s, s, (i, j) =>
    table(...SMALL, (h, w) => total(termsOf(layer, h * s + i, w * s + j))),
  );
  return table(...sizeOf(layer), (row, col) => {
    return channels[row % s][col % s][Math.floor(row / s)][Math.floor(col / s)];
  });
}

// Resize-convolution: the kernel lies on the enlarged input. Entries on one input pixel add up.
function resizeTerms(layer, row, col) {
  const { k, s, kernel } = layer;
  const before = Math.floor((k - 1) / 2);
  const terms = new Map();
  for (let a = 0; a < k; a++) {
    for (let b = 0; b < k; b++) {
      const [h, w] = [row + a - before, col + b - before].map((n) => Math.floor(n / s));
      const key = `${h} ${w}`;
      const weight = (terms.get(key)?.weight ?? 0) + kernel[a][b];
      terms.set(key, { h, w, x: pixelOf(layer, h, w), weight });
    }
  }
  return [...terms.values()];
}

const resize = (layer) =>
  table(...sizeOf(layer), (row, col) => total(resizeTerms(layer, row, col)));
