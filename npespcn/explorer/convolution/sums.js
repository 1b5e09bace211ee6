// --- convolution: the sums, as in npespcn.conv: the kernel is not turned around ---

// The sides of the picture before and after each layer, and of the kernels between them.
const PLANS = {
  1: { sides: [12, 10], kernels: [3] },
  3: { sides: [13, 9, 7, 5], kernels: [5, 3, 3] }, // ESPCN's
};

const FILTERS = {
  blur: [0.1, 0.1, 0.1, 0.1, 0.2, 0.1, 0.1, 0.1, 0.1],
  sharpen: [0, -1, 0, -1, 5, -1, 0, -1, 0],
  shift: [0, 0, 0, 0, 0, 1, 0, 0, 0],
  vertical: [-1, 0, 1, -1, 0, 1, -1, 0, 1],
  horizontal: [-1, -1, -1, 0, 0, 0, 1, 1, 1],
};

const placeIn = (side, n) => [Math.floor(n / side), n % side];
const paintedBy = (gray) => Array.from({ length: 144 }, (_, n) => gray(...placeIn(12, n)));

const PICTURES = {
  // bright, with a soft edge, upon a dark ground
  disc: paintedBy((row, col) => {
    const away = Math.hypot(row - 5.3, col - 5.7);
    return Math.round(clamp(19 - 3.5 * away, 1, 9));
  }),
  dot: paintedBy((row, col) => (row === 5 && col === 5 ? 9 : 0)),
};

// The nine products under the kernel, row by row: y[p, q] is the sum of w[i, j] · x[p + i, q + j].
function productsAt(picture, weights, p, q) {
  return weights.map((weight, n) => {
    const [i, j] = placeIn(3, n);
    const pixel = picture[(p + i) * 12 + q + j];
    return { pixel, weight, product: pixel * weight };
  });
}

const sumAt = (...where) => productsAt(...where).reduce((sum, { product }) => sum + product, 0);

// Pixel (row, col) meets weight w[i, j] on its way to y[row - i, col - j], if the output has that
// pixel. In the order of the output, the last weight comes first.
function reachOf(weights, row, col) {
  return [...weights].reverse().map((weight, n) => {
    const [i, j] = placeIn(3, 8 - n);
    const [p, q] = [row - i, col - j];
    return Math.min(p, q) >= 0 && Math.max(p, q) < 10 ? { p, q, weight } : null;
  });
}

// In how many ways one step under each kernel leads 0, 1, 2 ... pixels on, along one axis.
function waysAlong(kernels) {
  return kernels.reduce(
    (ways, k) =>
      Array.from({ length: ways.length + k - 1 }, (_, at) =>
        ways.reduce((sum, many, n) => sum + (n <= at && at < n + k ? many : 0), 0),
      ),
    [1],
  );
}

// The pixels of stage `other` that are linked with pixel `at` of `stage`, along one axis: the first
// of them, and the ways to each. Back from the output these are the pixels that it depends on, and
// on from the input those that it reaches.
function linked({ sides, kernels }, stage, at, other) {
  const ways = waysAlong(kernels.slice(Math.min(stage, other), Math.max(stage, other)));
  const start = other <= stage ? at : at - ways.length + 1;
  const first = Math.max(start, 0);
  return { first, ways: ways.slice(first - start, sides[other] - start) };
}
