// --- arithmetic: which cell goes where. No page, no drawing, only whole numbers. ---
//
// The contract is npespcn.shuffle's:
//   y[c, row, col] = x[k, row // r, col // r]   with i = row % r, j = col % r, and k by the order.
// How an order counts the channels is not written here. It comes from npespcn.shuffle as data:
// ORDERS["CRD"] is "cij", the three axes of k, the slowest first, and FORMULAS has it in words.

const DATA = JSON.parse(document.getElementById("data").textContent);
const { orders: ORDERS, formulas: FORMULAS } = DATA;
const [H, W] = DATA.size; // of an LR channel: not square, so that swapped axes would show

const clamp = (value, least, most) => Math.min(Math.max(value, least), most);

// A setup is {r, C, order}.
const setupOf = ({ r, c, order }) => ({ r, C: c, order });
const channelCount = ({ r, C }) => C * r * r;
const axisSize = ({ r, C }, axis) => (axis === "c" ? C : r);

// Count (c, i, j) as the order does: like the digits of a number, each axis with its own base.
function channelOf(setup, c, i, j) {
  const at = { c, i, j };
  let k = 0;
  for (const axis of ORDERS[setup.order]) k = k * axisSize(setup, axis) + at[axis];
  return k;
}

// The way back: split channel k into c, i and j, the fastest axis first.
function partsOf(setup, k) {
  const at = {};
  for (const axis of [...ORDERS[setup.order]].reverse()) {
    at[axis] = k % axisSize(setup, axis);
    k = Math.floor(k / axisSize(setup, axis));
  }
  return at;
}

// Where output pixel (row, col) of image channel c comes from.
function sourceOf(setup, c, row, col) {
  const { r } = setup;
  const [i, j] = [row % r, col % r];
  return { k: channelOf(setup, c, i, j), h: Math.floor(row / r), w: Math.floor(col / r) };
}

// Where pixel (h, w) of channel k goes.
function placeOf(setup, k, h, w) {
  const { c, i, j } = partsOf(setup, k);
  return { c, row: h * setup.r + i, col: w * setup.r + j };
}

// Everything that a stage can want to know about one number: its index on every axis there is.
function indices(setup, k, h, w) {
  const { r } = setup;
  const { c, i, j } = partsOf(setup, k);
  const { row, col } = placeOf(setup, k, h, w);
  const p = c * r * r + i * r + j; // the number of its channel in CRD
  // Where channel k is drawn before it has parts: groups of r rows of r grids.
  const drawn = { kc: Math.floor(k / (r * r)), ki: Math.floor(k / r) % r, kj: k % r };
  return { k, h, w, c, i, j, row, col, p, ...drawn };
}

function everyCell(setup) {
  const cells = [];
  for (let k = 0; k < channelCount(setup); k++) {
    for (let h = 0; h < H; h++) {
      for (let w = 0; w < W; w++) cells.push(indices(setup, k, h, w));
    }
  }
  return cells;
}

// The letter of an LR pixel, as in the figures of npespcn.figures.shuffle.
const letter = (h, w) => String.fromCharCode(97 + h * W + w);

// Put numbers for the letters of a formula: "(c*r + i)*r + j" becomes "(0·3 + 1)·3 + 2".
function filled(formula, numbers) {
  return formula.replace(/[A-Za-z]/g, (name) => numbers[name]).replaceAll("*", "·");
}

const inWords = (formula) => formula.replaceAll("*", "·");

function filledFormula(setup, c, i, j) {
  return filled(FORMULAS[setup.order], { C: setup.C, r: setup.r, c, i, j });
}
