// --- downhill: the valley of lesson 6, and four ways to walk in it, as in npespcn.optim ---

const VALLEY = DATA.valley; // the loss is w·(A w) - 2 b·w + c

const inner = ([a, b], [c, d]) => a * c + b * d;
const times = (matrix, vector) => matrix.map((row) => inner(row, vector));
const plus = ([a, b], [c, d], factor = 1) => [a + factor * c, b + factor * d];
const across = ([a, b]) => [-b, a]; // turned by a right angle

const valleyGradient = (w) => times(VALLEY.a, w).map((one, n) => 2 * (one - VALLEY.b[n]));

// Where the gradient is 0, and what is above the loss there.
const BOTTOM = (() => {
  const [[p, q], [, s]] = VALLEY.a;
  const [u, v] = VALLEY.b;
  const determinant = p * s - q * q;
  return [(s * u - q * v) / determinant, (p * v - q * u) / determinant];
})();
const lossAbove = (w) => {
  const away = plus(w, BOTTOM, -1);
  return inner(away, times(VALLEY.a, away));
};

// The curvatures across and along the valley, the eigenvalues of 2 A, and the direction across.
const CURVATURES = (() => {
  const [[p, q], [, s]] = VALLEY.a;
  const half = Math.hypot((p - s) / 2, q);
  return [p + s + 2 * half, p + s - 2 * half];
})();
const TURN = Math.atan2(2 * VALLEY.a[0][1], VALLEY.a[0][0] - VALLEY.a[1][1]) / 2;

const MOMENTUM = 0.8;
const BOUNDS = {
  sgd: { jumps: 1 / CURVATURES[0], diverges: 2 / CURVATURES[0] },
  momentum: { diverges: (2 * (1 + MOMENTUM)) / CURVATURES[0] },
};
const BETAS = [0.9, 0.999];
const EPSILON = 1e-8;

// Move a running mean of two numbers, in place.
const average = (mean, values, beta) =>
  values.forEach((value, n) => (mean[n] += (1 - beta) * (value - mean[n])));

const meansAtStart = () => ({ mean: [0, 0], square: [0, 0] });

// What Adam divides, and by what it divides: [[above, below], [above, below]].
function adamParts(g, memory, t) {
  average(memory.mean, g, BETAS[0]);
  average(memory.square, g.map((one) => one * one), BETAS[1]);
  return memory.mean.map((mean, n) => [
    mean / (1 - BETAS[0] ** t),
    Math.sqrt(memory.square[n] / (1 - BETAS[1] ** t)) + EPSILON,
  ]);
}

const quotients = (parts) => parts.map(([above, below]) => above / below);

// SOAP counts a gradient into its covariance after the step, and then turns its basis: one step of
// orthogonal iteration. In the plane a basis is one direction, and another at a right angle to it.
function follow(memory, g) {
  memory.covariance = memory.covariance.map((row, i) =>
    row.map((old, j) => BETAS[1] * old + (1 - BETAS[1]) * g[i] * g[j]),
  );
  const old = [memory.direction, across(memory.direction)];
  const pushed = old.map((one) => times(memory.covariance, one));
  const swap = inner(old[1], pushed[1]) > inner(old[0], pushed[0]);
  const longest = swap ? pushed[1] : pushed[0];
  const length = Math.hypot(...longest);
  if (length === 0) return;
  const mean = plus(old[0].map((one) => one * memory.mean[0]), old[1], memory.mean[1]);
  memory.direction = longest.map((one) => one / length);
  memory.mean = [inner(mean, memory.direction), inner(mean, across(memory.direction))];
  if (swap) memory.square.reverse();
}

// For each optimizer: the rate of lesson 6, its memory at the start, and an update that returns
// {move}, the step to take at rate 1, and what the page shows of the way to it.
const OPTIMIZERS = {
  sgd: { rate: 2.7, memory: () => ({}), update: (g) => ({ move: g }) },

  momentum: {
    rate: 1.2,
    memory: () => ({ velocity: [0, 0] }),
    update(g, memory) {
      const old = memory.velocity;
      memory.velocity = g.map((one, n) => MOMENTUM * old[n] + one);
      return { move: memory.velocity, old };
    },
  },

  adam: {
    rate: 0.1,
    memory: meansAtStart,
    update(g, memory, t) {
      const parts = adamParts(g, memory, t);
      return { move: quotients(parts), parts };
    },
  },

  soap: {
    rate: 0.1,
    // a first look at the gradient, without a step
    memory(g) {
      const length = Math.hypot(...g);
      const direction = length ? g.map((one) => one / length) : [1, 0];
      const covariance = g.map((one) => g.map((other) => (1 - BETAS[1]) * one * other));
      return { ...meansAtStart(), direction, covariance };
    },
    update(g, memory, t) {
      const basis = [memory.direction, across(memory.direction)];
      const parts = adamParts(basis.map((one) => inner(one, g)), memory, t);
      const turned = quotients(parts);
      const move = plus(basis[0].map((one) => one * turned[0]), basis[1], turned[1]);
      follow(memory, g);
      return { move, parts, turned, basis };
    },
  },
};

// Walk from a start: {w, g, loss} at each point, and on the way to the next one what update says.
function walkDown(name, rate, start, steps) {
  const { memory: first, update } = OPTIMIZERS[name];
  const memory = first(valleyGradient(start));
  const path = [];
  let w = start;
  for (let t = 1; t <= steps + 1; t++) {
    const g = valleyGradient(w);
    const step = update(g, memory, t);
    path.push({ w, g, loss: lossAbove(w), ...step });
    w = plus(w, step.move, -rate);
  }
  return path;
}
