// --- steps: each method, one step after the other ---

const narrow = matchMedia("(max-width: 760px)");

VIEWS.steps = {
  root: one('[data-view="steps"]'),
  choices: ["r", "c", "order", "method"],
  keeps: {
    step: { start: 0, read: (text) => numbersIn(text)[0], write: (step) => step },
  },

  start() {
    this.player = new Player(one(".player-here", this.root), {
      show: (step) => this.show(step),
      words: (step) => this.words(step),
    });
    // In the loop, a cell leads to the step at which it is copied.
    one(".pair", this.root).addEventListener("click", ({ target }) => {
      if (!target.matches(".cell")) return;
      const place = ["c", "row", "col"].map((name) => target.dataset[name]).join();
      this.player.moveTo(this.places.findIndex((other) => other.join() === place) + 1);
    });
    narrow.addEventListener("change", () => {
      if (state.mode === "steps") this.enter();
    });
  },

  enter() {
    this.setup = setupOf(state);
    const looping = state.method === "loop";
    for (const name of ["pair", "stage", "axes"]) {
      const part = one(`.${name}`, this.root);
      part.replaceChildren();
      part.hidden = (name === "pair") !== looping;
    }
    // One image channel leaves room for the words beside the array.
    this.root.classList.toggle("beside", !looping && this.setup.C === 1);
    if (looping) this.enterLoop();
    else this.enterStages();
  },

  leave() {
    this.player.pause();
  },

  words(step) {
    return t("step {step} of {last}", { step, last: this.player.last });
  },

  show(step) {
    state.step = step;
    // While it plays, a screen reader would only ever hear beginnings.
    one("h2", this.root).ariaLive = this.player.playing ? "off" : "polite";
    if (state.method === "loop") this.showLoop(step);
    else this.showStage(step);
  },

  tell(title, why, lines) {
    one("h2", this.root).textContent = title;
    one(".why", this.root).textContent = why;
    const code = lines.map(([text, value = "", now = false]) =>
      make(
        "div",
        { className: now ? "line now" : "line" },
        make("code", { text }),
        make("span", { text: value }),
      ),
    );
    one(".code", this.root).replaceChildren(...code);
  },

  // The loop: places in the order in which npespcn.shuffle.pixel_shuffle_loop visits them.
  enterLoop() {
    const { r, C } = this.setup;
    this.pair = new Pair(one(".pair", this.root), this.setup);
    this.places = [];
    for (let c = 0; c < C; c++) {
      for (let row = 0; row < H * r; row++) {
        for (let col = 0; col < W * r; col++) this.places.push([c, row, col]);
      }
    }
    this.drawn = 0;
    this.player.setUp({ last: this.places.length, delay: 600, position: state.step });
  },

  showLoop(step) {
    for (; this.drawn < step; this.drawn++) this.pair.fill(...this.places[this.drawn]);
    for (; this.drawn > step; this.drawn--) this.pair.clear(...this.places[this.drawn - 1]);
    const { setup } = this;
    const { r } = setup;
    const rule = `k = ${FORMULAS[setup.order]}`;
    const code = [
      "for c in range(C):",
      "    for row in range(H*r):",
      "        for col in range(W*r):",
      "            i, j = row % r, col % r",
      "            h, w = row // r, col // r",
      `            ${rule}`,
      "            y[c, row, col] = x[k, h, w]",
    ];
    if (step === 0) {
      this.pair.dark();
      this.tell(
        t("The loop is the definition"),
        t("It visits every place of the image and fetches its number."),
        code.map((text) => [text]),
      );
      return;
    }
    const [c, row, col] = this.places[step - 1];
    this.pair.light(c, row, col);
    const [i, j] = [row % r, col % r];
    const { k, h, w } = sourceOf(setup, c, row, col);
    const values = [
      `c = ${c}`,
      `row = ${row}`,
      `col = ${col}`,
      `i = ${i}, j = ${j}`,
      `h = ${h}, w = ${w}`,
      `k = ${filledFormula(setup, c, i, j)} = ${k}`,
      `y[${c}, ${row}, ${col}] = x[${k}, ${h}, ${w}]`,
    ];
    this.tell(
      capital(imageWords({ c, row, col })),
      t("It is filled from {channel}.", { channel: channelWords({ k, h, w }) }),
      code.map((text, n) => [text, values[n], n === code.length - 1]),
    );
  },

  // Reshape and concat: the same cells stay, and move from where one stage draws them to where
  // the next one does.
  enterStages() {
    const { setup } = this;
    const stages = STAGES[state.method](setup);
    this.stages = narrow.matches ? stages.map(turned) : stages;
    this.cells = everyCell(setup).map((cell) => {
      const element = make("span", { className: "cell", data: { side: "stage" } });
      paint(element, setup, cell);
      return { ...cell, element };
    });
    this.marks = make("div", { className: "marks" });
    const lengths = (direction) =>
      this.stages.map((stage) => strides(setup, stage[direction], stage.gaps).length);
    const css = {
      "--wide": Math.max(...lengths("across")),
      "--high": Math.max(...lengths("down")),
    };
    const field = make("div", { className: "field", role: "img", css }, this.marks);
    field.append(...this.cells.map(({ element }) => element));
    one(".stage", this.root).append(field);
    this.player.setUp({ last: this.stages.length - 1, delay: 2600, position: state.step });
  },

  showStage(step) {
    const stage = this.stages[step];
    this.tell(
      stage.title,
      stage.why,
      stage.code.map((text) => [text]),
    );
    this.showAxes(stage);
    const [down, across] = ["down", "across"].map((way) =>
      strides(this.setup, stage[way], stage.gaps),
    );
    for (const cell of this.cells) {
      const x = offset(cell, stage.across, across.stride);
      const y = offset(cell, stage.down, down.stride);
      cell.element.style.setProperty("--x", x);
      cell.element.style.setProperty("--y", y);
      cell.element.dataset.index = [...stage.list, ...stage.axes].map((axis) => cell[axis]);
      Object.assign(cell, { x, y });
    }
    const field = one(".field", this.root);
    field.classList.toggle("titled", Boolean(stage.titled));
    field.style.setProperty(
      "--move",
      `${Math.min(900, (0.7 * this.player.delay) / this.player.speed)}ms`,
    );
    this.marks.replaceChildren(
      ...this.frames(stage),
      ...this.titles(stage),
      ...this.tracks(stage, down, across),
    );
    field.setAttribute("aria-label", `${stage.title}. ${this.shapeWords(stage)}`);
  },

  // The axes as chips, such as "i, 3", the one that was just moved marked.
  showAxes(stage) {
    const chip = (axis) =>
      make(
        "span",
        { className: axis === stage.moved ? "axis moved" : "axis" },
        make("i", { text: axis }),
        make("span", { text: `${AXES[axis].size} = ${AXES[axis].of(this.setup)}` }),
      );
    const words = make("span", { className: "shape", text: this.shapeWords(stage) });
    one(".axes", this.root).replaceChildren(
      words,
      make("span", { className: "chips" }, ...stage.axes.map(chip)),
    );
  },

  shapeWords(stage) {
    const sizes = stage.axes.map((axis) => AXES[axis].of(this.setup));
    const count = stage.list.reduce((product, axis) => product * AXES[axis].of(this.setup), 1);
    const shape = `(${sizes.join(", ")})`;
    return count === 1
      ? t("One array of {shape}", { shape })
      : t("{count} arrays of {shape}", { count, shape });
  },

  // A frame for each array.
  frames(stage) {
    const boxes = new Map();
    for (const cell of this.cells) {
      const key = stage.list.map((axis) => cell[axis]).join(" ");
      const box = boxes.get(key) ?? { left: Infinity, top: Infinity, right: 0, bottom: 0 };
      boxes.set(key, {
        left: Math.min(box.left, cell.x),
        top: Math.min(box.top, cell.y),
        right: Math.max(box.right, cell.x + 1),
        bottom: Math.max(box.bottom, cell.y + 1),
      });
    }
    return [...boxes.values()].map(({ left, top, right, bottom }) =>
      make("span", {
        className: "array-frame",
        css: { "--x": left, "--y": top, "--wide": right - left, "--high": bottom - top },
      }),
    );
  },

  // The channel numbers above grids that are still whole.
  titles(stage) {
    if (!stage.titled) return [];
    const firsts = this.cells.filter(({ h, w }) => h === 0 && w === 0);
    return firsts.map((cell) =>
      make("span", {
        className: "grid-title",
        text: `${stage.axes[0]} = ${cell[stage.axes[0]]}`,
        css: { "--x": cell.x, "--y": cell.y },
      }),
    );
  },

  // Index numbers along both edges: the inner axis next to the cells, the outer one further out.
  tracks(stage, down, across) {
    const named = (way) =>
      stage[way].filter((axis) => stage.axes.includes(axis) || stage.list.includes(axis));
    const marks = [];
    for (const [way, { stride }] of [
      ["across", across],
      ["down", down],
    ]) {
      const axes = named(way);
      axes.forEach((axis, n) => {
        const level = axes.length - 1 - n; // 0 is next to the cells
        marks.push(...this.track(stage, way, axis, level, stride));
      });
    }
    return marks;
  },

  track(stage, way, axis, level, stride) {
    const outer = stage[way].slice(0, stage[way].indexOf(axis));
    const key = way === "across" ? "x" : "y";
    const seen = new Map(); // one mark where the axes inside it begin
    for (const cell of this.cells) {
      const at = offset(cell, [...outer, axis], stride);
      seen.set(at, cell[axis]);
    }
    const mark = (at, text, more) =>
      make("span", {
        className: `index ${way} ${more}`,
        text,
        css: { [`--${key}`]: at, "--level": level },
      });
    // The names stand at the right end and at the top, so that they never meet.
    const end = way === "across" ? Math.max(...this.cells.map(({ x }) => x)) + 1 : -1;
    return [mark(end, axis, "name"), ...[...seen].map(([at, value]) => mark(at, value, ""))];
  },
};
