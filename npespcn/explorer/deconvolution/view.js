// --- deconvolution: overlap, and the same kernel as a sub-pixel and as a resize-convolution ---

const upTo = (highest, start) => ({
  start,
  read: (text) => [1, 2, 3, 4, 5, 6, 7].find((n) => n <= highest && String(n) === text),
  write: String,
});

VIEWS.deconvolution = {
  root: one('[data-view="deconvolution"]'),
  choices: [],
  keeps: {
    k: upTo(7, 3),
    s: upTo(4, 2),
    weights: {
      start: "ones",
      read: (text) => Object.keys(WEIGHTS).find((name) => name === text),
      write: String,
    },
    icnr: {
      start: false,
      read: (text) => text === "1",
      write: (on) => (on ? "1" : null),
    },
    // the input, pixel by pixel
    input: {
      start: "1".repeat(12),
      read: (text) => (/^[01]{12}$/.test(text) ? text : undefined),
      write: (bits) => (bits.includes("0") ? bits : null),
    },
    // the chosen output pixel: [row, col]
    out: {
      start: null,
      read: (text) => (/^\d+,\d+$/.test(text) ? numbersIn(text) : undefined),
      write: (at) => at && at.join(),
    },
  },

  start() {
    const { root } = this;
    this.maps = {};
    for (const name of ["counts", "dealt", "collected", "resized"]) {
      const map = make("div", { className: "output map", role: "application", tabIndex: 0 });
      this.maps[name] = map;
      const range = make("p", { className: "range" });
      one(".maps", root).append(make("figure", {}, make("h2"), map, range));
      for (const event of ["pointermove", "click"])
        map.addEventListener(event, ({ target: { dataset } }) => {
          if (dataset.row) this.choose(Number(dataset.row), Number(dataset.col));
        });
      map.addEventListener("keydown", (event) => this.move(event));
    }
    this.inputs = table(...SMALL, (h, w) =>
      make("button", { type: "button", className: "cell", tabIndex: -1, data: { h, w } }),
    );
    const input = one('[data-map="input"]', root);
    input.append(...this.inputs.flat());
    roveWithin(input);
    one(".parts", root).addEventListener("click", ({ target }) => {
      if (!target.matches("button")) return;
      const n = this.inputs.flat().indexOf(target);
      const other = [...state.input].map((bit, at) => (at === n ? 1 - bit : bit)).join("");
      this.set("input", target.value || other);
    });
    one(".settings", root).addEventListener("input", ({ target: { type, name, value, checked } }) =>
      this.set(name, { range: Number(value), checkbox: checked, radio: value }[type]),
    );
  },

  set(name, value) {
    state[name] = value;
    this.enter();
    saveAddress();
  },

  leave() {},

  enter() {
    const { k, s, input } = state;
    for (const control of all(".settings input", this.root)) {
      const value = state[control.name];
      if (control.type === "radio") control.checked = control.value === value;
      else if (control.type === "checkbox") control.checked = value;
      else control.value = control.nextElementSibling.textContent = value;
    }
    const pixels = table(...SMALL, (h, w) => Number(input[h * SMALL[1] + w]));
    this.layer = { k, s, kernel: kernelOf(state), input: pixels };
    this.drawOutputs();
    this.drawInput();
    this.drawKernels();
    this.mark();
  },

  drawOutputs() {
    const { layer } = this;
    const { dealt, counts } = dealOut(layer);
    const collected = collect(layer);
    const equal = String(dealt) === String(collected);
    one(".maps", this.root).dataset.s = layer.s;
    this.drawOutput("counts", t("Kernels that overlap"), counts, blues(counts));
    this.drawOutput("dealt", t("Deconvolution"), dealt);
    const name = equal ? t("= Sub-pixel convolution") : t("Sub-pixel convolution");
    this.drawOutput("collected", name, collected);
    this.drawOutput("resized", t("Resize-convolution"), resize(layer));
    this.tell(counts);
  },

  drawOutput(name, title, rows, colors = grays(rows)) {
    const map = this.maps[name];
    const cells = rows.map((line, row) =>
      line.map((value, col) => {
        const className = `cell ${edges(row, col, this.layer.s)}`;
        return cellOf(value, colors(value), { className, data: { row, col } });
      }),
    );
    map.style.setProperty("--cols", rows[0].length);
    map.replaceChildren(...cells.flat());
    map.setAttribute("aria-label", title);
    map.previousElementSibling.textContent = title;
    const [low, high] = [Math.min(...rows.flat()), Math.max(...rows.flat())].map(signed);
    map.nextElementSibling.textContent =
      low === high ? t("{n} everywhere", { n: low }) : t("from {low} to {high}", { low, high });
  },

  // Is the overlap even, and does flat gray stay flat?
  tell(counts) {
    const { k, s } = this.layer;
    const several = [...new Set(counts.flat())].sort((a, b) => a - b);
    const last = several.pop();
    const n = several.length ? t("{list} or {last}", { list: several.join(", "), last }) : last;
    const [overlap, sums] = all(".said p", this.root);
    const even = k % s === 0;
    overlap.className = even ? "good" : "bad";
    overlap.textContent = even
      ? t("k = {k} is a multiple of s = {s}. Kernels on every pixel: {n}.", { k, s, n })
      : t("k = {k} is no multiple of s = {s}. Kernels on a pixel: {n}.", { k, s, n });
    const each = table(s, s, (i, j) => sumOf(smallKernel(this.layer, i, j))).flat();
    const flat = each.every((sum) => sum === each[0]);
    sums.className = flat ? "good" : "bad";
    sums.textContent = flat
      ? t("All small kernels have the sum {sum}: flat gray stays flat.", { sum: signed(each[0]) })
      : t("The sums of the small kernels differ ({list}): flat gray becomes a checkerboard.", {
          list: each.map(signed).join(", "),
        });
  },

  drawInput() {
    const map = one('[data-map="input"]', this.root);
    const halo = haloOf(this.layer);
    map.style.setProperty("--cols", SMALL[1] + 2 * halo);
    for (const ghost of all(".ghost", map)) ghost.remove();
    table(SMALL[0] + 2 * halo, SMALL[1] + 2 * halo, (row, col) => {
      const [h, w] = [row - halo, col - halo];
      const x = pixelOf(this.layer, h, w);
      const area = { "grid-area": `${row + 1} / ${col + 1}` };
      const button = this.inputs[h]?.[w];
      if (!button) map.append(cellOf(x, area, { className: "cell ghost", data: { h, w } }));
      else {
        const css = { ...area, ...grays([[0, 1]])(x) };
        for (const name of Object.keys(css)) button.style.setProperty(name, css[name]);
        button.textContent = x;
        button.setAttribute("aria-label", t("row {h}, column {w}: {x}", { h, w, x }));
      }
    });
  },

  // Each weight in the color of the place that it makes.
  drawKernels() {
    const { layer, root } = this;
    const { k, s, kernel } = layer;
    const colors = s > 1 ? colorsOf({ r: s, C: 1, order: "CRD" }) : DATA.colors[2][1];
    const entry = (value, i, j, data) => {
      const { fill, ink } = colors[i * s + j];
      return cellOf(value, { "--fill": fill, "--ink": ink }, { data });
    };
    const map = one('[data-map="kernel"]', root);
    map.style.setProperty("--cols", k);
    const entries = table(k, k, (a, b) => entry(kernel[a][b], a % s, b % s, { a, b }));
    map.replaceChildren(...entries.flat());
    const small = table(s, s, (i, j) => {
      const weights = smallKernel(layer, i, j);
      const cells = weights.flat().map((value) => entry(value, i, j));
      const [h, w] = [weights.length, cells.length / weights.length];
      const sum = signed(sumOf(weights));
      const words = cells.length ? t("{h}×{w}, sum {sum}", { h, w, sum }) : t("no weights, sum 0");
      return make(
        "div",
        { className: "one", data: { place: i * s + j } },
        make("div", { className: "map", css: { "--cols": w } }, ...cells),
        make("p", { className: "range", text: words }),
      );
    });
    one(".small", root).style.setProperty("--across", s);
    one(".small", root).replaceChildren(...small.flat());
  },

  // The chosen pixel; at first in place 0 of a block in the middle, where most kernels overlap.
  chosen() {
    const [row, col] = state.out ?? [state.s, state.s];
    const [rows, cols] = sizeOf(state);
    return [inside(row, rows), inside(col, cols)];
  },

  choose(...pixel) {
    if (String(pixel) === String(state.out)) return;
    state.out = pixel;
    this.mark();
    saveAddress();
  },

  move(event) {
    const [dx, dy] = DIRECTIONS[event.key] ?? [];
    if (dx === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const [row, col] = this.chosen();
    const [rows, cols] = sizeOf(state);
    this.choose(inside(row + dy, rows), inside(col + dx, cols));
  },

  // Frames for the chosen pixel and what makes it, and its sums in numbers.
  mark() {
    const { root, layer } = this;
    const { s } = layer;
    const [row, col] = this.chosen();
    const place = (row % s) * s + (col % s);
    const terms = termsOf(layer, row, col);
    const frame = (name, selector) => {
      for (const element of all(selector, root)) element.classList.add(name);
    };
    for (const element of all(".here, .kin", root)) element.classList.remove("here", "kin");
    frame("here", `[data-row="${row}"][data-col="${col}"], [data-place="${place}"]`);
    for (const { h, w, a, b } of terms)
      frame("kin", `[data-h="${h}"][data-w="${w}"], [data-a="${a}"][data-b="${b}"]`);
    const names = terms.map(({ h, w, a, b }) => `x[${h}, ${w}]·kernel[${a}, ${b}]`).map(signed);
    const n = terms.length;
    const at = { row, col, place, n };
    const lines = [
      t("Row {row}, column {col}: place {place} of its block. Kernels here: {n}.", at),
      n > 4 ? "" : names.join(" + "),
      t("Deconvolution and sub-pixel convolution: {sum}", { sum: inNumbers(terms) }),
      t("Resize-convolution, the weights on each input pixel added up: {sum}", {
        sum: inNumbers(resizeTerms(layer, row, col)),
      }),
    ];
    one(".reason", root).replaceChildren(...lines.map((text) => make("p", { text })));
  },
};

const signed = (text) => String(text).replaceAll("-", "−");
const sumOf = (rows) => rows.flat().reduce((sum, n) => sum + n, 0);
const cellOf = (value, css, more) =>
  make("span", { className: "cell", text: signed(value), css, ...more });

// "1·2 + 0·(−3) = 2"
function inNumbers(terms) {
  const products = terms.map(({ x, weight }) => `${x}·${weight < 0 ? `(${weight})` : weight}`);
  return signed(`${products.join(" + ")} = ${total(terms)}`.replace(/^ = /, ""));
}

// Colors of numbers, from 0 or a smaller one to the largest: gray, and blue for counts.
const shades = (dark, light) => (rows) => {
  const [low, high] = [Math.min(0, ...rows.flat()), Math.max(0, ...rows.flat())];
  return (value) => {
    const { fill, ink } = between(dark, light, (value - low) / (high - low || 1));
    return { "--fill": fill, "--ink": ink };
  };
};
const grays = shades([20, 20, 20], [245, 245, 245]);
const blues = shades([226, 238, 249], [10, 62, 122]);
