// --- stages: what the array is after each step of a method ---
//
// A stage says which axes the array has (or, after a split, which axes each piece has and which
// axis counts the pieces) and which of them are drawn down the page and which across. A cell's
// place is its index on those axes. So a step moves exactly what the code moves: a reshape, which
// only renames axes, moves nothing.

const AXES = {
  k: { size: "C·r·r", of: (s) => channelCount(s) },
  p: { size: "C·r·r", of: (s) => channelCount(s) },
  q: { size: "r·r", of: (s) => s.r * s.r },
  c: { size: "C", of: (s) => s.C },
  i: { size: "r", of: (s) => s.r },
  j: { size: "r", of: (s) => s.r },
  h: { size: "H", of: () => H },
  w: { size: "W", of: () => W },
  row: { size: "H·r", of: (s) => H * s.r },
  col: { size: "W·r", of: (s) => W * s.r },
  kc: { of: (s) => s.C }, // drawn, but no axes of an array: see `indices`
  ki: { of: (s) => s.r },
  kj: { of: (s) => s.r },
};

const WIDE = 0.95; // cells between what is apart: grids with a title, or pieces
const NARROW = 0.22; // between blocks that touch in the end

// What is drawn of channels that are not split yet.
const WHOLE = { down: ["ki", "h"], across: ["kc", "kj", "w"], gaps: { ki: WIDE, kj: 0.5 } };

function beginning(setup) {
  const stages = [
    {
      title: "The channels",
      code: ["x"],
      why: "One array. Its first axis counts the channels.",
      list: [],
      axes: ["k", "h", "w"],
      ...WHOLE,
      titled: true,
    },
  ];
  if (setup.order === "CRD") return stages;
  stages.push({
    title: "Put the channels into CRD order",
    code: ["x = x[channel_permutation(C, r, order)]"],
    why: `This is all that ${orderName(setup.order)} differs by. The channels change places: p is their number in CRD. From here on the steps are the same for every order.`,
    list: [],
    axes: ["p", "h", "w"],
    down: ["i", "h"],
    across: ["c", "j", "w"],
    gaps: { i: WIDE, j: 0.5 },
    titled: true,
  });
  return stages;
}

function reshapeStages(setup) {
  return [
    ...beginning(setup),
    {
      title: "Reshape: name the parts of the channel number",
      code: ["x = x.reshape(C, r, r, H, W)"],
      why: "No number moves. The channel axis is now three axes: c, i and j.",
      list: [],
      axes: ["c", "i", "j", "h", "w"],
      down: ["i", "h"],
      across: ["c", "j", "w"],
      gaps: { i: WIDE, j: 0.5 },
    },
    {
      title: "Transpose: move i behind h",
      code: ["x = np.moveaxis(x, 1, 3)"],
      why: "The rows of r grids are dealt out in turn. Under each row of LR pixels there are now r rows.",
      moved: "i",
      list: [],
      axes: ["c", "j", "h", "i", "w"],
      down: ["h", "i"],
      across: ["c", "j", "w"],
      gaps: { h: NARROW, j: 0.5 },
    },
    {
      title: "Transpose: move j behind w",
      code: ["x = np.moveaxis(x, 1, 4)"],
      why: "The same with the columns. Each LR pixel is now a block of r by r.",
      moved: "j",
      list: [],
      axes: ["c", "h", "i", "w", "j"],
      down: ["h", "i"],
      across: ["c", "w", "j"],
      gaps: { h: NARROW, w: NARROW },
    },
    {
      title: "Reshape: read (h, i) as one row number and (w, j) as one column number",
      code: ["y = x.reshape(C, H*r, W*r)"],
      why: "Again no number moves. The gaps between the blocks close, and it is an image.",
      list: [],
      axes: ["c", "row", "col"],
      down: ["row"],
      across: ["c", "col"],
      gaps: {},
    },
  ];
}

function concatStages(setup) {
  return [
    ...beginning(setup),
    {
      title: "Split into C groups",
      code: ["groups = np.split(x, C)"],
      why: "Each image channel has a group of r·r channels, which q counts. What follows is done with each group.",
      list: ["c"],
      axes: ["q", "h", "w"],
      down: ["i", "h"],
      across: ["c", "j", "w"],
      gaps: { i: WIDE, j: 0.5 },
      titled: true,
    },
    {
      title: "Put the channels last and name their parts",
      code: ["x = np.moveaxis(group, 0, -1)", "x = x.reshape(H, W, r, r)"],
      why: "Each LR pixel now holds its r·r numbers as a small square. All that moves, moves here.",
      list: ["c"],
      axes: ["h", "w", "i", "j"],
      down: ["h", "i"],
      across: ["c", "w", "j"],
      gaps: { h: 0.5, w: 0.5 },
    },
    {
      title: "Split into H rows of LR pixels",
      code: ["rows = [a[0] for a in np.split(x, H)]"],
      why: "H pieces. Each is one row of LR pixels, and each LR pixel is r by r.",
      list: ["c", "h"],
      axes: ["w", "i", "j"],
      down: ["h", "i"],
      across: ["c", "w", "j"],
      gaps: { h: WIDE, w: 0.5 },
    },
    {
      title: "Concatenate the pieces along i",
      code: ["x = np.concatenate(rows, axis=1)"],
      why: "Laid end to end, (h, i) is one axis: the row of the image.",
      list: ["c"],
      axes: ["w", "row", "j"],
      down: ["row"],
      across: ["c", "w", "j"],
      gaps: { w: 0.5 },
    },
    {
      title: "Split into W columns",
      code: ["columns = [a[0] for a in np.split(x, W)]"],
      why: "W pieces. Each is r columns wide and as high as the image.",
      list: ["c", "w"],
      axes: ["row", "j"],
      down: ["row"],
      across: ["c", "w", "j"],
      gaps: { w: WIDE },
    },
    {
      title: "Concatenate the pieces along j",
      code: ["plane = np.concatenate(columns, axis=1)"],
      why: "(w, j) is one axis too: the column of the image. The plane is done.",
      list: ["c"],
      axes: ["row", "col"],
      down: ["row"],
      across: ["c", "col"],
      gaps: {},
    },
    {
      title: "Put the C planes together",
      code: ["y = np.stack(planes)"],
      why: "One array again, with C image channels.",
      list: [],
      axes: ["c", "row", "col"],
      down: ["row"],
      across: ["c", "col"],
      gaps: {},
    },
  ];
}

const STAGES = { reshape: reshapeStages, concat: concatStages };

const orderName = (order) => (order === "paper" ? "the paper's order" : order);

// How far apart neighbours on each axis are, in cells, and how long all of it is. From the
// innermost axis outwards: a step on an axis is as long as all that lies within it, and its gap.
function strides(setup, axes, gaps) {
  const stride = {};
  let length = 1;
  for (const axis of [...axes].reverse()) {
    const gap = gaps[axis] ?? (axis === "c" || axis === "kc" ? 1.6 : 0);
    stride[axis] = length + gap;
    length = AXES[axis].of(setup) * stride[axis] - gap;
  }
  return { stride, length };
}

const offset = (cell, axes, stride) =>
  axes.reduce((sum, axis) => sum + cell[axis] * stride[axis], 0);

// On a narrow screen the image channels stand below each other instead of side by side.
function turned(stage) {
  const [c, ...across] = stage.across;
  return { ...stage, down: [c, ...stage.down], across };
}
