// --- stages: what the array is after each step of a method ---
//
// A stage says which axes the array has (or, after a split, which axes each piece has and which
// axis counts the pieces) and which of them are drawn down the page and which across. A cell's
// place is its index on those axes. So a step moves exactly what the code moves: a reshape, which
// only renames axes, moves nothing.

const AXES = {
  k: { size: "C·r·r", of: (s) => channelCount(s) },
  p: { size: "C·r·r", of: (s) => channelCount(s) },
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
      title: t("The channels"),
      code: ["x"],
      why: t("One array. Its first axis counts the channels."),
      list: [],
      axes: ["k", "h", "w"],
      ...WHOLE,
      titled: true,
    },
  ];
  if (setup.order === "CRD") return stages;
  stages.push({
    title: t("Put the channels into CRD order"),
    code: ["x = x[channel_permutation(C, r, order)]"],
    why: t(
      `Nothing else distinguishes {order}. The channels change places: p is their number in CRD.
      From here on the steps are the same for every order.`,
      { order: orderName(setup.order) },
    ),
    list: [],
    axes: ["p", "h", "w"],
    down: ["i", "h"],
    across: ["c", "j", "w"],
    gaps: { i: WIDE, j: 0.5 },
    titled: true,
  });
  return stages;
}

const parts = () => ({
  title: t("Reshape: name the parts of the channel number"),
  code: ["x = x.reshape(C, r, r, H, W)"],
  why: t("No number moves. The channel axis is now three axes: c, i and j."),
  list: [],
  axes: ["c", "i", "j", "h", "w"],
  down: ["i", "h"],
  across: ["c", "j", "w"],
  gaps: { i: WIDE, j: 0.5 },
});

function reshapeStages(setup) {
  return [
    ...beginning(setup),
    parts(),
    {
      title: t("Transpose: move i behind h"),
      code: ["x = np.moveaxis(x, 1, 3)"],
      why: t("The rows of r grids are dealt out in turn. Under each row of LR pixels there are now r rows."),
      moved: "i",
      list: [],
      axes: ["c", "j", "h", "i", "w"],
      down: ["h", "i"],
      across: ["c", "j", "w"],
      gaps: { h: NARROW, j: 0.5 },
    },
    {
      title: t("Transpose: move j behind w"),
      code: ["x = np.moveaxis(x, 1, 4)"],
      why: t("The same with the columns. Each LR pixel is now a block of r by r."),
      moved: "j",
      list: [],
      axes: ["c", "h", "i", "w", "j"],
      down: ["h", "i"],
      across: ["c", "w", "j"],
      gaps: { h: NARROW, w: NARROW },
    },
    {
      title: t("Reshape: read (h, i) as one row number and (w, j) as one column number"),
      code: ["y = x.reshape(C, H*r, W*r)"],
      why: t("Again no number moves. The gaps between the blocks close, and it is an image."),
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
    parts(),
    {
      title: t("Split into H rows of LR pixels"),
      code: ["rows = [x[..., h, :] for h in range(H)]"],
      why: t("H pieces. Each has one row of LR pixels from every channel."),
      list: ["h"],
      axes: ["c", "i", "j", "w"],
      down: ["h", "i"],
      across: ["c", "j", "w"],
      gaps: { h: WIDE, j: 0.5 },
    },
    {
      title: t("Concatenate the pieces along i"),
      code: ["x = np.concatenate(rows, axis=-3)"],
      why: t("Laid end to end, (h, i) is one axis: the row of the image."),
      list: [],
      axes: ["c", "row", "j", "w"],
      down: ["row"],
      across: ["c", "j", "w"],
      gaps: { j: 0.5 },
    },
    {
      title: t("Split into W columns"),
      code: ["columns = [x[..., w] for w in range(W)]"],
      why: t("W pieces. Each is r columns wide, as high as the image, and has all image channels."),
      list: ["w"],
      axes: ["c", "row", "j"],
      down: ["row"],
      across: ["w", "c", "j"],
      gaps: { w: WIDE, c: NARROW },
    },
    {
      title: t("Concatenate the pieces along j"),
      code: ["y = np.concatenate(columns, axis=-1)"],
      why: t("(w, j) is one axis too: the column of the image, which is done."),
      list: [],
      axes: ["c", "row", "col"],
      down: ["row"],
      across: ["c", "col"],
      gaps: {},
    },
  ];
}

const STAGES = { reshape: reshapeStages, concat: concatStages };

const orderName = (order) => (order === "paper" ? t("the paper's order") : order);

// How far apart neighbors on each axis are, in cells, and how long all of it is. From the
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

// On a narrow screen the image channels stand below each other instead of side by side, within
// each piece.
function turned(stage) {
  const isChannel = (axis) => axis === "c" || axis === "kc";
  const isPiece = (axis) => stage.list.includes(axis);
  const channel = stage.across.find(isChannel);
  const pieces = stage.down.filter(isPiece);
  const rest = stage.down.filter((axis) => !isPiece(axis));
  const across = stage.across.filter((axis) => !isChannel(axis));
  return { ...stage, down: [...pieces, channel, ...rest], across };
}
