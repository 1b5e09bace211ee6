// --- map: point at a cell on either side, and see the other, and why ---

VIEWS.map = {
  root: one('[data-view="map"]'),
  choices: ["r", "c", "order"],
  keeps: {
    // the chosen cell: [c, row, col]
    at: {
      start: null,
      read(text, { r, c }) {
        const at = numbersIn(text);
        const inside = at.length === 3 && at[0] < c && at[1] < H * r && at[2] < W * r;
        return inside ? at : undefined;
      },
      write: (at) => at && at.join(),
    },
  },

  start() {
    const pair = one(".pair", this.root);
    // Touch: a tap first points at the cell, then clicks it. Both lead here.
    for (const event of ["pointerover", "click", "focusin"]) {
      pair.addEventListener(event, ({ target }) => {
        if (!target.matches?.(".cell")) return;
        this.choose(target);
        if (event !== "pointerover") saveAddress();
      });
    }
    pair.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !event.target.matches(".cell")) return;
      event.preventDefault();
      this.otherSide(event.target).focus();
    });
  },

  enter() {
    this.setup = setupOf(state);
    this.pair = new Pair(one(".pair", this.root), this.setup);
    this.pair.fillAll();
    const { r, C } = this.setup;
    const inside = state.at && state.at[0] < C && state.at[1] < H * r && state.at[2] < W * r;
    // At first a cell that the orders take from different channels.
    const [c, row, col] = inside ? state.at : [C - 1, r > 2 ? r + 1 : r, 2 * r - 1];
    this.tell(c, row, col, "output");
  },

  leave() {},

  choose(cell) {
    const [c, row, col] = ["c", "row", "col"].map((name) => Number(cell.dataset[name]));
    state.at = [c, row, col];
    this.tell(c, row, col, cell.dataset.side);
  },

  otherSide({ dataset: { side, c, row, col, k, h, w } }) {
    return side === "source" ? this.pair.output(c, row, col) : this.pair.source(k, h, w);
  },

  tell(c, row, col, side) {
    this.pair.light(c, row, col);
    const { setup, root } = this;
    const { r } = setup;
    const [i, j] = [row % r, col % r];
    const from = sourceOf(setup, c, row, col);
    const { k, h, w } = from;
    const place = { c, row, col };
    one(".sentence", root).textContent =
      side === "source"
        ? t("{channel} goes to {place}.", {
            channel: capital(channelWords(from)),
            place: imageWords(place),
          })
        : t("{place} comes from {channel}.", {
            place: capital(imageWords(place)),
            channel: channelWords(from),
          });
    const say = (name, text) => (one(`[data-is="${name}"]`, root).textContent = text);
    say("i", `${row} % ${r} = ${i}`);
    say("j", `${col} % ${r} = ${j}`);
    say("rule", `k = ${inWords(FORMULAS[setup.order])}`);
    say("k", `${filledFormula(setup, c, i, j)} = ${k}`);
    say("copy", `y[${c}, ${row}, ${col}] = x[${k}, ${h}, ${w}]`);
    const { fill, ink } = colorsOf(setup)[k];
    const value = one('[data-is="k"]', root);
    value.style.setProperty("--fill", fill);
    value.style.setProperty("--ink", ink);
  },
};
