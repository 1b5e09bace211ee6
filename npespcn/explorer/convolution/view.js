// --- convolution: point at a pixel, and see what it is the sum of ---

const [BLACK, WHITE] = [[0, 0, 0], [255, 255, 255]];
const [ORANGE, PURPLE] = [[230, 97, 1], [94, 60, 153]]; // above and below 0: as in lesson 4
const [PALE, DEEP] = [[217, 232, 246], [8, 48, 107]]; // few ways, and many

const plain = (number) => String(Number(number.toFixed(3))).replace("-", "−");
const factor = (number) => (number < 0 ? `(${plain(number)})` : plain(number));
const numberFrom = (text) => Number(text.trim().replace("−", "-").replace(",", ".") || NaN);
const isWeight = (number) => Math.abs(number) <= 99; // NaN is none

// A kernel whose weights add up to 0 finds differences, and those have a sign. Others give grays.
function shadeOf(value, weights) {
  const sum = weights.reduce((total, weight) => total + weight);
  if (sum > 0.01) return between(BLACK, WHITE, value / sum / 9);
  const largest = weights.reduce((total, weight) => total + Math.abs(weight), 0) * 4.5;
  return between(WHITE, value < 0 ? PURPLE : ORANGE, Math.abs(value) / (largest || 1));
}

VIEWS.convolution = {
  root: one('[data-view="convolution"]'),
  choices: [],
  brush: "", // a digit, or none
  keeps: {
    layers: {
      start: 1,
      read: (text) => [1, 3].find((layers) => String(layers) === text),
      write: (layers) => layers,
    },
    // the name of a kernel, or nine weights
    filter: {
      start: "blur",
      read(text) {
        const weights = text.split(",").map(numberFrom);
        const nine = weights.length === 9 && weights.every(isWeight);
        return nine || Object.hasOwn(FILTERS, text) ? text : undefined;
      },
      write: (filter) => (state.layers === 1 ? filter : null),
    },
    // the name of a picture, or 144 digits
    paint: {
      start: "disc",
      read: (text) => (/^(disc|dot|\d{144})$/.test(text) ? text : undefined),
      write: (paint) => (state.layers === 1 && paint !== "disc" ? paint : null),
    },
    // the pixel that is pointed at: its stage (0 is the input), row and column
    look: {
      start: null,
      read(text, { layers }) {
        const [stage, ...at] = numbersIn(text);
        const fits = at.length === 2 && Math.max(...at) < PLANS[layers].sides[stage];
        return fits ? [stage, ...at] : undefined;
      },
      write: (look) => look && look.join(),
    },
    // through how many layers the ways are drawn
    through: {
      start: 3,
      read: (text) => [0, 1, 2, 3].find((through) => String(through) === text),
      write: (through) => (state.layers === 3 ? through : null),
    },
  },

  start() {
    const { root } = this;
    this.sheets = one(".sheets", root);
    this.middle = one(".middle", root);
    const nine = FILTERS.blur;
    one(".weights .nine", root).append(...nine.map(() => make("input", { inputMode: "decimal" })));
    one(".products .nine", root).append(
      ...nine.map(() => make("span", {}, make("small"), make("b"))),
    );
    this.inputs = all(".weights input", root);
    this.player = new Player(one(".player-here", root), {
      show: (position) => this.show(position),
      words: (position) => this.words(position),
    });
    root.addEventListener("change", (event) => this.chosen(event));
    root.addEventListener("click", ({ target: { dataset } }) => {
      if (dataset.picture) this.paint(dataset.picture);
    });
    this.middle.addEventListener("input", ({ target }) => this.weighed(target));
    this.middle.addEventListener("focusout", () => this.showWeights());
    for (const event of ["pointerover", "pointerdown", "click", "focusin"])
      this.sheets.addEventListener(event, (happened) => this.pointed(happened));
    this.sheets.addEventListener("keydown", (event) => this.typed(event));
  },

  enter() {
    const { root, player } = this;
    const three = state.layers === 3;
    this.plan = PLANS[state.layers];
    root.classList.toggle("three", three);
    for (const part of all("[data-for]", root))
      part.hidden = part.dataset.for !== String(state.layers);
    this.stages = this.plan.sides.map((side, stage) => this.drawStage(side, stage));
    const sheets = this.stages.map(({ sheet }) => sheet);
    if (three) sheets.reverse(); // from the output back to the input
    else sheets.splice(1, 0, this.middle);
    this.sheets.replaceChildren(...sheets);
    one(".room", root)[three ? "before" : "after"](player.root);
    this.inputs.forEach((input, n) => {
      const [row, col] = placeIn(3, n);
      input.setAttribute("aria-label", t("Weight in row {row}, column {col}", { row, col }));
    });
    this.showWeights();
    if (!three) this.showPictures();
    state.look ??= three ? [3, 2, 2] : [1, 2, 1];
    const { look } = state;
    const position = three ? state.through : look[1] * 10 + look[2];
    player.setUp({ last: three ? 3 : 99, delay: three ? 1200 : 350, position });
    state.look = look; // the player knows only the output's pixels
    this.tell();
  },

  leave() {
    this.player.pause();
  },

  get weights() {
    return FILTERS[state.filter] ?? state.filter.split(",").map(numberFrom);
  },

  get pixels() {
    return PICTURES[state.paint] ?? [...state.paint].map(Number);
  },

  stageName(stage) {
    if (stage === 0) return t("input");
    const last = stage === this.plan.kernels.length;
    return last ? t("output") : t("after layer {stage}", { stage });
  },

  drawStage(side, stage) {
    const cells = Array.from({ length: side * side }, (_, n) => {
      const [row, col] = placeIn(side, n);
      const data = { stage, row, col };
      return make("button", { type: "button", className: "cell", tabIndex: -1, data });
    });
    const mark = make("div", { className: "mark" });
    const heading = t("{name}: {side} by {side}", { name: capital(this.stageName(stage)), side });
    const sheet = make(
      "div",
      { className: "sheet", role: "group", name: heading, css: { "--side": side } },
      make("h2", { text: heading }),
      make("div", { className: "cells" }, ...cells, mark),
    );
    roveWithin(sheet);
    return { sheet, cells, mark, side };
  },

  // --- what a reader does ---

  chosen({ target: { name, value } }) {
    if (name === "brush") {
      this.brush = value;
      this.root.classList.toggle("painting", value !== "");
    }
    if (name === "layers") Object.assign(state, { layers: Number(value), look: null });
    if (name === "filter") state.filter = value;
    if (name === "layers" || name === "filter") this.enter();
    saveAddress();
  },

  weighed(input) {
    const weights = this.inputs.map(({ value }) => numberFrom(value));
    const valid = weights.every(isWeight);
    input.setAttribute("aria-invalid", !valid);
    if (!valid) return;
    state.filter = weights.join();
    this.checkFilter();
    this.redraw();
  },

  // Touch: a tap first points at the cell, then clicks it. All ways lead here.
  pointed({ type, target, buttons, pointerId }) {
    if (!target.matches?.(".cell")) return;
    if (type === "pointerdown" && target.hasPointerCapture(pointerId))
      target.releasePointerCapture(pointerId); // a finger paints where it goes, not where it began
    const { stage, row, col } = target.dataset;
    const pressed = type === "pointerover" ? buttons === 1 : type !== "focusin";
    if (this.brush && stage === "0" && pressed) this.paintPixel(target.dataset, this.brush);
    this.player.pause();
    const look = [stage, row, col].map(Number);
    if (state.layers === 1 && stage === "1") this.player.go(look[1] * 10 + look[2]);
    state.look = look;
    this.tell();
    saveAddress();
  },

  typed({ key, target: { dataset } }) {
    if (/^\d$/.test(key) && dataset.stage === "0") this.paintPixel(dataset, key);
  },

  paintPixel({ row, col }, digit) {
    const digits = [...this.pixels];
    digits[Number(row) * 12 + Number(col)] = digit;
    if (state.layers === 1) this.paint(digits.join(""));
  },

  paint(picture) {
    state.paint = picture;
    this.redraw();
  },

  redraw() {
    this.showPictures();
    this.tell();
    saveAddress();
  },

  // --- what the view shows ---

  show(position) {
    if (state.layers === 3) state.through = position;
    else state.look = [1, ...placeIn(10, position)];
    this.tell();
  },

  words(position) {
    if (state.layers === 3) return t("through {position} of 3 layers", { position });
    const [row, col] = placeIn(10, position);
    return t("row {row}, column {col}", { row, col });
  },

  checkFilter() {
    const { layers, filter } = state;
    for (const input of all("[name=layers], [name=filter]", this.root))
      input.checked = [String(layers), filter].includes(input.value);
  },

  showWeights() {
    this.checkFilter();
    this.inputs.forEach((input, n) => {
      input.value = plain(this.weights[n]);
      input.removeAttribute("aria-invalid");
    });
  },

  // Frames around the pixel and those linked with it, what is in the cells, and a sentence.
  tell() {
    const [stage, row, col] = state.look;
    const boxes = this.stages.map(({ mark }, other) => {
      mark.hidden = state.layers === 3 && Math.abs(other - stage) > state.through;
      if (mark.hidden) return null;
      const [down, right] = [row, col].map((at) => linked(this.plan, stage, at, other));
      const [rows, cols] = [down.ways.length, right.ways.length];
      const sizes = { row: down.first, col: right.first, rows, cols };
      for (const [key, value] of Object.entries(sizes)) mark.style.setProperty(`--${key}`, value);
      return { down, right, rows, cols, most: Math.max(...down.ways) * Math.max(...right.ways) };
    });
    if (state.layers === 3) return this.tellWays(boxes, stage);
    return stage === 1 ? this.tellSum(row, col) : this.tellReach(row, col);
  },

  // The input, and the whole output.
  showPictures() {
    const { pixels, weights } = this;
    this.fill(0, (row, col) => {
      const text = pixels[row * 12 + col];
      return { text, ...between(BLACK, WHITE, text / 9) };
    });
    this.fill(1, (row, col) => {
      const value = sumAt(pixels, weights, row, col);
      const text = plain(Number(value.toFixed(Math.abs(value) < 9.95 ? 1 : 0)));
      return { text, ...shadeOf(value, weights) };
    });
  },

  fill(stage, look) {
    const { cells, side } = this.stages[stage];
    const name = capital(this.stageName(stage));
    cells.forEach((cell, n) => {
      const [row, col] = placeIn(side, n);
      const { text, fill, ink } = look(row, col);
      cell.textContent = text;
      cell.style.setProperty("--fill", fill);
      cell.style.setProperty("--ink", ink);
      const words = { name, row, col, text: text || 0 };
      cell.setAttribute("aria-label", t("{name}, row {row}, column {col}: {text}", words));
    });
  },

  tellSum(row, col) {
    const products = productsAt(this.pixels, this.weights, row, col);
    const sum = plain(sumAt(this.pixels, this.weights, row, col));
    this.tellNine(
      t("Pixel · weight"),
      products.map(({ pixel, weight, product }) => [`${pixel}·${factor(weight)}`, plain(product)]),
      t("Their sum: {sum}", { sum }),
    );
    this.say(t("This output pixel is {sum}: nine pixels times nine weights, added up.", { sum }));
  },

  tellReach(row, col) {
    const reach = reachOf(this.weights, row, col);
    const n = reach.filter(Boolean).length;
    this.tellNine(
      t("Weights on the way"),
      reach.map((to) => (to ? [`y[${to.p}, ${to.q}]`, plain(to.weight)] : ["", "–"])),
      t("dx is the sum of weight · dy"),
    );
    this.say(t("This input pixel reaches {n} output pixels, by the kernel turned around.", { n }));
  },

  tellNine(heading, terms, sum) {
    const products = one(".products", this.middle);
    products.setAttribute("aria-label", heading);
    one("h2", products).textContent = heading;
    all("span > *", products).forEach((part, n) => {
      part.textContent = terms[Math.floor(n / 2)][n % 2];
    });
    one(".sum", products).textContent = sum;
  },

  tellWays(boxes, stage) {
    boxes.forEach((box, other) => this.fillWays(other, box));
    const [first, last] = [boxes.findIndex(Boolean), boxes.findLastIndex(Boolean)];
    const where = (other) =>
      ({ 0: t("of the input"), 3: t("of the output") })[other] ?? this.stageName(other);
    const words = [];
    if (first < stage) {
      const there = { ...boxes[first], where: where(first) };
      words.push(t("This pixel depends on {rows}×{cols} pixels {where}.", there));
      if (there.most > 1) words.push(t("{most} ways lead to the middle one.", there));
    }
    if (last > stage) {
      const there = { ...boxes[last], where: where(last) };
      words.push(t("This pixel reaches {rows}×{cols} pixels {where}.", there));
      if (there.most > 1) words.push(t("Up to {most} ways lead to one of them.", there));
    }
    if (!words.length) words.push(t("How far does this pixel look? Go on through the layers."));
    this.say(words.join(language() === "zh" ? "" : " "));
  },

  // Rows and columns are chosen independently, so their ways are multiplied.
  fillWays(stage, box) {
    const along = (axis, at) => (box && axis.ways[at - axis.first]) || 0;
    this.fill(stage, (row, col) => {
      const text = along(box?.down, row) * along(box?.right, col);
      if (!text) return { text: "", fill: "var(--empty)", ink: "var(--text)" };
      return { text, ...between(PALE, DEEP, Math.sqrt(text / Math.max(box.most, 4))) };
    });
  },

  say(text) {
    const telling = one(".telling", this.root);
    if (telling.textContent !== text) telling.textContent = text;
  },
};
