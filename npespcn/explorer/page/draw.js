// --- drawing: elements, cells, and the two sides that three views share ---

const one = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// Make an element. Text goes in as text, never as HTML.
function make(tag, { text, name, css = {}, data = {}, ...properties } = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  if (text !== undefined) element.textContent = text;
  if (name) element.setAttribute("aria-label", name);
  for (const [key, value] of Object.entries(css)) element.style.setProperty(key, value);
  Object.assign(element.dataset, data);
  element.append(...children);
  return element;
}

// The colors {fill, ink} of the channels. A color belongs to a place in the image, not to a number.
function colorsOf(setup) {
  const colors = DATA.colors[setup.r][setup.C]; // in CRD
  return [...colors.keys()].map((k) => {
    const { c, i, j } = partsOf(setup, k);
    return colors[(c * setup.r + i) * setup.r + j];
  });
}

// Black or white, whichever is easier to read on a color (WCAG's contrast).
function inkOn(rgb) {
  const [red, green, blue] = rgb.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? "#000000" : "#ffffff";
}

// A color between two others, and its ink: colors are [red, green, blue], the part is from 0 to 1.
function between(from, to, part) {
  const share = clamp(part, 0, 1);
  const rgb = from.map((start, n) => Math.round(start + (to[n] - start) * share));
  return { fill: `rgb(${rgb})`, ink: inkOn(rgb) };
}

// Give a cell its channel's color and its label, such as 5e.
function paint(element, setup, { k, h, w }) {
  const { fill, ink } = colorsOf(setup)[k];
  element.style.setProperty("--fill", fill);
  element.style.setProperty("--ink", ink);
  element.textContent = `${k}${letter(h, w)}`;
  Object.assign(element.dataset, { k, h, w });
  element.classList.remove("empty");
}

function unpaint(element) {
  for (const property of ["--fill", "--ink"]) element.style.removeProperty(property);
  for (const key of ["k", "h", "w"]) delete element.dataset[key];
  element.textContent = "";
  element.classList.add("empty");
}

const channelWords = ({ k, h, w }) =>
  t("channel {k}, pixel {letter} (row {h}, column {w})", { k, letter: letter(h, w), h, w });
const imageWords = (place) => t("image channel {c}, row {row}, column {col}", place);
const capital = (text) => text[0].toUpperCase() + text.slice(1);

// Which sides of a pixel are sides of its r by r block.
function edges(row, col, r) {
  const at = {
    top: row % r === 0,
    bottom: row % r === r - 1,
    left: col % r === 0,
    right: col % r === r - 1,
  };
  return Object.keys(at)
    .filter((side) => at[side])
    .join(" ");
}

// Both sides of the shuffle: the channels on the left, the image on the right.
//   source(k, h, w) and output(c, row, col) are the cells' elements.
class Pair {
  constructor(root, setup) {
    this.setup = setup;
    const { r, C } = setup;
    this.sources = new Map();
    this.outputs = new Map();
    this.sourceSide = this.drawSources();
    this.outputSide = this.drawOutputs();
    // How many cells lie side by side decides how large one can be: see .pair in the style sheet.
    const across = { 2: [2, 4], 3: [3, 9], 4: [4, 8] }[r][C === 1 ? 0 : 1];
    const css = { "--r": r, "--w": W, "--grids": across, "--cap": C === 1 ? "3.4rem" : "2.7rem" };
    root.replaceChildren(
      make("div", { className: "sides", css }, this.sourceSide, this.outputSide),
    );
    for (const side of [this.sourceSide, this.outputSide]) roveWithin(side);
  }

  source(k, h, w) {
    return this.sources.get(`${k} ${h} ${w}`);
  }

  output(c, row, col) {
    return this.outputs.get(`${c} ${row} ${col}`);
  }

  drawSources() {
    const n = channelCount(this.setup);
    const grids = make("div", { className: "grids" });
    for (let k = 0; k < n; k++) {
      const cells = make("div", { className: "cells" });
      for (let h = 0; h < H; h++) {
        for (let w = 0; w < W; w++) {
          const place = placeOf(this.setup, k, h, w);
          const words = t("{channel}, goes to {place}", {
            channel: capital(channelWords({ k, h, w })),
            place: imageWords(place),
          });
          const cell = make("button", {
            type: "button",
            className: "cell",
            name: words,
            tabIndex: -1,
          });
          paint(cell, this.setup, { k, h, w });
          Object.assign(cell.dataset, { side: "source", ...place });
          this.sources.set(`${k} ${h} ${w}`, cell);
          cells.append(cell);
        }
      }
      const title = make("div", { className: "title", text: t("channel {k}", { k }) });
      grids.append(make("div", { className: "channel" }, title, cells));
    }
    const heading = t("x: {n} channels of {H} by {W}", { n, H, W });
    return make(
      "div",
      { className: "side source", role: "group", name: heading },
      make("h2", { className: "heading", text: heading }),
      grids,
    );
  }

  drawOutputs() {
    const { r, C } = this.setup;
    const planes = make("div", { className: "planes" });
    for (let c = 0; c < C; c++) planes.append(this.drawPlane(c));
    const size = { C, H: H * r, W: W * r };
    const heading =
      C > 1
        ? t("y: {C} image channels of {H} by {W}", size)
        : t("y: 1 image channel of {H} by {W}", size);
    return make(
      "div",
      { className: "side output", role: "group", name: heading },
      make("h2", { className: "heading", text: heading }),
      planes,
    );
  }

  drawPlane(c) {
    const { r } = this.setup;
    const cells = make("div", { className: "cells" });
    const tick = (text) => make("span", { className: "tick", text, ariaHidden: "true" });
    cells.append(tick(""));
    for (let col = 0; col < W * r; col++) cells.append(tick(col));
    for (let row = 0; row < H * r; row++) {
      cells.append(tick(row));
      for (let col = 0; col < W * r; col++) {
        const cell = make("button", {
          type: "button",
          className: `cell ${edges(row, col, r)}`,
          tabIndex: -1,
        });
        Object.assign(cell.dataset, { side: "output", c, row, col });
        this.outputs.set(`${c} ${row} ${col}`, cell);
        cells.append(cell);
        this.clear(c, row, col);
      }
    }
    const title = make("div", { className: "title", text: t("image channel {c}", { c }) });
    return make("div", { className: "plane" }, title, cells);
  }

  // Put into an output cell what the shuffle puts there.
  fill(c, row, col) {
    const cell = this.output(c, row, col);
    const from = sourceOf(this.setup, c, row, col);
    paint(cell, this.setup, from);
    const words = {
      place: capital(imageWords({ c, row, col })),
      channel: channelWords(from),
    };
    cell.setAttribute("aria-label", t("{place}, from {channel}", words));
  }

  clear(c, row, col) {
    const cell = this.output(c, row, col);
    unpaint(cell);
    const place = capital(imageWords({ c, row, col }));
    cell.setAttribute("aria-label", t("{place}, empty", { place }));
  }

  everyPlace() {
    return [...this.outputs.values()].map(({ dataset }) =>
      [dataset.c, dataset.row, dataset.col].map(Number),
    );
  }

  fillAll() {
    for (const place of this.everyPlace()) this.fill(...place);
  }

  // Light up a cell on both sides, and thinly all other cells of its channel.
  light(c, row, col) {
    this.dark();
    const { k, h, w } = sourceOf(this.setup, c, row, col);
    for (const element of [this.source(k, h, w), this.output(c, row, col)])
      element.classList.add("here");
    for (const cells of [this.sources, this.outputs]) {
      for (const element of cells.values())
        element.classList.toggle("kin", element.dataset.k === String(k));
    }
  }

  dark() {
    for (const cells of [this.sources, this.outputs]) {
      for (const element of cells.values())
        element.classList.remove("here", "kin", "hit", "missed");
    }
  }
}

// One stop of the Tab key for a whole side; the arrow keys go to the cell that lies in that
// direction on the screen, however the grids are arranged there.
function roveWithin(side) {
  const cells = all(".cell", side);
  cells[0].tabIndex = 0;
  side.addEventListener("focusin", ({ target }) => {
    if (!target.matches(".cell")) return;
    for (const cell of cells) cell.tabIndex = cell === target ? 0 : -1;
  });
  side.addEventListener("keydown", (event) => {
    if (!event.target.matches(".cell") || event.ctrlKey || event.altKey || event.metaKey) return;
    const ends = { Home: cells[0], End: cells.at(-1) };
    const next = ends[event.key] ?? neighbor(event.target, cells, event.key);
    if (!next) return;
    event.preventDefault();
    next.focus();
  });
}

const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function neighbor(from, cells, key) {
  const direction = DIRECTIONS[key];
  if (!direction) return undefined;
  const [dx, dy] = direction;
  const here = from.getBoundingClientRect();
  let [best, least] = [undefined, Infinity];
  for (const cell of cells) {
    const there = cell.getBoundingClientRect();
    const [x, y] = [there.x - here.x, there.y - here.y];
    const along = x * dx + y * dy;
    const aside = Math.abs(x * dy) + Math.abs(y * dx);
    if (along > 1 && aside < here.width / 2 && along < least) [best, least] = [cell, along];
  }
  return best;
}
