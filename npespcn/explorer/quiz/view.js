// --- quiz: where does a channel's pixel land, and where does an image pixel come from? ---

const FREE = 0; // the level at which the reader chooses r, C and order
const LEVELS = [
  { r: 2, c: 1, order: "CRD" },
  { r: 3, c: 1, order: "CRD" },
  { r: 2, c: 3, order: "CRD" },
  { r: 2, c: 3, order: "DCR" },
  { r: 2, c: 3, order: "paper" },
  { r: 2, c: 3, order: "CRD", back: true },
];
const ENOUGH = 3; // right answers in a row open the next level
const sentences = (...parts) => parts.join(language() === "zh" ? "" : " ").trim();

// What lasts from visit to visit. A browser may forbid it: then it lasts as long as the page.
const RECORD = {
  name: "npespcn quiz",
  open: 1,
  best: 0,
  read() {
    try {
      const { open, best } = JSON.parse(localStorage.getItem(this.name)) ?? {};
      if (LEVELS[open - 1]) this.open = open;
      if (best > 0) this.best = Math.floor(best);
    } catch {
      // forbidden, or not ours
    }
  },
  raise(name, value) {
    if (value <= this[name]) return;
    this[name] = value;
    try {
      localStorage.setItem(this.name, JSON.stringify({ open: this.open, best: this.best }));
    } catch {
      // forbidden
    }
  },
};

VIEWS.quiz = {
  root: one('[data-view="quiz"]'),
  note: false, // the rule of the order would be the answer
  get choices() {
    return state.level === FREE ? ["r", "c", "order"] : [];
  },
  keeps: {
    level: {
      // A link that names r, C or order leads to that quiz, any other to the reader's level.
      get start() {
        const words = new URLSearchParams(location.hash.slice(1));
        const named = ["r", "c", "order"].some((name) => words.has(name));
        return named && words.get("mode") === "quiz" ? FREE : RECORD.open;
      },
      read: (text) => [1, 2, 3, 4, 5, 6].find((level) => String(level) === text),
      write: (level) => (level === FREE ? null : String(level)),
    },
  },
  streak: 0, // right answers in a row
  run: 0, // those of them at this level

  start() {
    RECORD.read();
    const { root } = this;
    one(".pair", root).addEventListener("click", ({ target }) => {
      const answer = target.matches(".cell") && this.targets().contains(target);
      if (answer && !this.chosen) this.judge(target.dataset);
    });
    one('[data-do="next"]', root).addEventListener("click", () => this.next());
    one(".ladder", root).addEventListener("change", ({ target: { value } }) => this.goTo(+value));
  },

  enter() {
    const level = LEVELS[state.level - 1] ?? state;
    const { back = false } = level;
    const setup = setupOf(level);
    const key = JSON.stringify([setup, back]);
    if (key !== this.key) {
      Object.assign(this, { key, setup, back, run: 0 });
      this.ask();
    }
    RECORD.raise("open", state.level); // a link opens its level
    this.build();
    this.show();
  },

  leave() {},

  goTo(level) {
    state.level = level;
    enterView();
    saveAddress();
  },

  next() {
    if (this.opened) this.goTo(state.level + 1);
    else {
      this.ask();
      this.show();
    }
    one('.cell[tabindex="0"]', this.targets()).focus({ preventScroll: true });
    one(".asked", this.root).scrollIntoView({ block: "nearest" });
  },

  // A question is a number on both sides of the shuffle. The next is of another channel.
  ask() {
    const before = this.question?.k;
    const random = (n) => Math.floor(Math.random() * n);
    do {
      const k = random(channelCount(this.setup));
      this.question = indices(this.setup, k, random(H), random(W));
    } while (this.question.k === before);
    this.chosen = null;
    this.opened = false;
  },

  judge(cell) {
    const names = this.back ? ["k", "h", "w"] : ["c", "row", "col"];
    this.chosen = Object.fromEntries(names.map((name) => [name, Number(cell[name])]));
    const right = this.fitting().includes(this.setup.order);
    this.streak = right ? this.streak + 1 : 0;
    this.run = right ? this.run + 1 : 0;
    this.opened = this.run === ENOUGH && state.level !== FREE && state.level < LEVELS.length;
    RECORD.raise("best", this.streak);
    if (this.opened) RECORD.raise("open", state.level + 1);
    this.show();
    one('[data-do="next"]', this.root).focus({ preventScroll: true });
  },

  // The orders in which the chosen cell is right.
  fitting() {
    const { question, chosen, setup, back } = this;
    const { k, h, w, c, row, col } = question;
    const answer = (order) =>
      back ? sourceOf({ ...setup, order }, c, row, col) : placeOf({ ...setup, order }, k, h, w);
    const same = (place) => Object.keys(chosen).every((name) => chosen[name] === place[name]);
    return Object.keys(ORDERS).filter((order) => same(answer(order)));
  },

  targets() {
    return this.back ? this.pair.sourceSide : this.pair.outputSide;
  },

  build() {
    const { root, setup, back } = this;
    const { r, C } = setup;
    this.pair = new Pair(one(".pair", root), setup);
    // What the style sheet needs to find room for all cells. Of many channels only one is shown.
    const many = !back && channelCount(setup) > 12;
    const across = many ? 1 : C > 1 ? 4 : r;
    const lines = many ? 1 : channelCount(setup) / across;
    const css = {
      "--planes": C,
      "--across": across,
      "--lines": Math.max(H * r + 1.5, lines * (H + 1.2)),
      "--pack": !back && (r === 2 || (r === 3 && C === 1)) ? 2 : 1, // side by side on a phone
      "--first": C === 1 ? W : W * r + 0.8,
    };
    for (const name of Object.keys(css)) root.style.setProperty(name, css[name]);
    root.classList.toggle("many", many);
    root.classList.toggle("back", back);
  },

  show() {
    this.showCells();
    this.showLadder();
    const { root, setup, question, chosen, back } = this;
    const say = (name, text) => (one(`.${name}`, root).textContent = text);
    const right = chosen && this.fitting().includes(setup.order);
    say(
      "question",
      back
        ? t("{place}: where does it come from?", { place: capital(imageWords(question)) })
        : t("{channel}: where does it land?", { channel: capital(channelWords(question)) }),
    );
    const task = back ? t("Choose a pixel of a channel.") : t("Choose a place in the image.");
    say("verdict", chosen ? this.verdict() : task);
    one(".verdict", root).className = `verdict ${chosen ? (right ? "right" : "wrong") : ""}`;
    say("reason", chosen ? this.reason() : "");
    const next = one('[data-do="next"]', root);
    next.disabled = !chosen;
    next.textContent = this.opened ? t("Level {n}", { n: state.level + 1 }) : t("Next");
  },

  showCells() {
    const { root, pair, question, chosen, back } = this;
    const { k, h, w, c, row, col } = question;
    root.classList.toggle("asking", !chosen);
    pair.dark();
    if (chosen) {
      pair.fillAll();
      pair.light(c, row, col);
      const right = this.fitting().includes(this.setup.order);
      const cell = back
        ? pair.source(chosen.k, chosen.h, chosen.w)
        : pair.output(chosen.c, chosen.row, chosen.col);
      cell.classList.add(right ? "hit" : "missed");
      return;
    }
    for (const place of pair.everyPlace()) pair.clear(...place);
    // The places that the other side's names give away must not be read out.
    for (const cell of pair.sources.values()) {
      const { dataset } = cell;
      cell.setAttribute("aria-label", capital(channelWords(dataset)));
      for (const name of ["c", "row", "col"]) delete dataset[name];
    }
    (back ? pair.output(c, row, col) : pair.source(k, h, w)).classList.add("here");
  },

  showLadder() {
    const { root, setup, streak, run } = this;
    const { level } = state;
    for (const input of all('[name="level"]', root)) {
      input.checked = Number(input.value) === level;
      input.disabled = input.value > RECORD.open;
    }
    const say = (name, text) => (one(`.${name}`, root).textContent = text);
    say("streak", streak ? t("{n} in a row", { n: streak }) : "");
    say("best", RECORD.best ? t("best: {n}", { n: RECORD.best }) : "");
    const goal =
      level === LEVELS.length
        ? t("The last level is the way back.")
        : t("Three right in a row open level {n}.", { n: level + 1 });
    const words = t("r = {r}, C = {C}, in {order}.", { ...setup, order: orderName(setup.order) });
    say("level", level === FREE ? "" : sentences(words, goal));
    const dots = "●".repeat(Math.min(run, ENOUGH)).padEnd(ENOUGH, "○");
    say("dots", level === FREE ? "" : dots);
  },

  verdict() {
    const { setup, run } = this;
    const fitting = this.fitting();
    const others = fitting.filter((order) => order !== setup.order).map(orderName);
    const order = orderName(setup.order);
    const joined = (one, other) => t("{one} and in {other}", { one, other });
    const orders = others.length ? others.reduce(joined) : "";
    const words = { order, orders };
    if (!fitting.includes(setup.order)) {
      return others.length
        ? t("Not in {order}. It would be right in {orders}.", words)
        : sentences(t("Not in {order}, nor in another order.", words), this.mistake());
    }
    const right = others.length
      ? t("Right. It would be right in {orders}, too.", words)
      : t("Right, and in {order} only.", words);
    if (this.opened) return sentences(right, t("Level {n} is open.", { n: state.level + 1 }));
    const done = run === ENOUGH && state.level === LEVELS.length;
    return done ? sentences(right, t("That was the last level.")) : right;
  },

  mistake() {
    const { question, chosen, setup, back } = this;
    const { r } = setup;
    const { h, w, row, col } = question;
    const at = back ? chosen : { h: Math.floor(chosen.row / r), w: Math.floor(chosen.col / r) };
    const near = at.h === h && at.w === w;
    const words = { r, h, w, row, col, top: h * r, left: w * r };
    if (back) {
      return near
        ? t("The pixel is right, the channel is not.")
        : t("Row {row} // {r} = {h}, column {col} // {r} = {w}: that is the pixel.", words);
    }
    return near
      ? t("The block is right.")
      : t(
          `LR pixel ({h}, {w}) becomes the block that begins at row {h}·{r} = {top},
          column {w}·{r} = {left}.`,
          words,
        );
  },

  reason() {
    const { question, setup, back } = this;
    const { c, i, j } = question;
    const values = {
      ...question,
      r: setup.r,
      formula: inWords(FORMULAS[setup.order]),
      numbers: filledFormula(setup, c, i, j),
    };
    return back
      ? t(
          `i = {row} % {r} = {i}, j = {col} % {r} = {j}, so k = {formula} = {numbers} = {k}.
          Its pixel is row {row} // {r} = {h}, column {col} // {r} = {w}.`,
          values,
        )
      : t(
          `{k} = {numbers}, which is {formula}, so c = {c}, i = {i}, j = {j}: image channel {c},
          row {h}·{r} + {i} = {row}, column {w}·{r} + {j} = {col}.`,
          values,
        );
  },
};
