// --- quiz: a channel cell is shown; where does it land? ---

VIEWS.quiz = {
  root: one('[data-view="quiz"]'),
  choices: ["r", "c", "order"],
  asked: 0,
  right: 0,

  start() {
    const pair = one(".pair", this.root);
    pair.addEventListener("click", ({ target }) => {
      if (target.matches('.cell[data-side="output"]') && !this.answered) this.judge(target);
    });
    this.root.addEventListener("click", ({ target }) => {
      if (target.dataset.do === "next") this.ask();
      if (target.dataset.do === "again") this.startAgain();
    });
  },

  enter() {
    this.setup = setupOf(state);
    this.pair = new Pair(one(".pair", this.root), this.setup);
    this.ask({ focus: false });
    this.showScore();
  },

  leave() {},

  startAgain() {
    this.asked = 0;
    this.right = 0;
    this.showScore();
    this.ask();
  },

  showScore() {
    one('[data-is="score"]', this.root).textContent = `${this.right} of ${this.asked}`;
  },

  ask({ focus = true } = {}) {
    const { setup, pair, root } = this;
    const random = (n) => Math.floor(Math.random() * n);
    const before = this.question;
    do {
      this.question = { k: random(channelCount(setup)), h: random(H), w: random(W) };
    } while (before && before.k === this.question.k);
    this.answered = false;
    root.classList.add("asking");
    pair.dark();
    for (const place of pair.everyPlace()) pair.clear(...place);
    // The places that the other side's names give away must not be read out.
    for (const [key, cell] of pair.sources) {
      const [k, h, w] = key.split(" ").map(Number);
      cell.setAttribute("aria-label", capital(channelWords({ k, h, w })));
      for (const name of ["c", "row", "col"]) delete cell.dataset[name];
    }
    const { k, h, w } = this.question;
    pair.source(k, h, w).classList.add("here");
    one(".question", root).textContent = `${capital(channelWords(this.question))}: where does it land?`;
    one(".verdict", root).textContent = "Choose a place in the image.";
    one(".verdict", root).className = "verdict";
    one(".reason", root).textContent = "";
    one('[data-do="next"]', root).disabled = true;
    Object.assign(root.dataset, { k, h, w });
    if (focus) one('.output .cell[tabindex="0"]', root).focus({ preventScroll: true });
  },

  judge(cell) {
    const { setup, pair, root, question } = this;
    const chosen = {
      c: Number(cell.dataset.c),
      row: Number(cell.dataset.row),
      col: Number(cell.dataset.col),
    };
    const place = placeOf(setup, question.k, question.h, question.w);
    const right = samePlace(chosen, place);
    this.answered = true;
    root.classList.remove("asking");
    this.asked += 1;
    this.right += right ? 1 : 0;
    this.showScore();
    pair.fillAll();
    pair.light(place.c, place.row, place.col);
    cell.classList.add(right ? "hit" : "missed");
    one(".verdict", root).classList.add(right ? "right" : "wrong");
    one(".verdict", root).textContent = verdict(setup, question, chosen);
    one(".reason", root).textContent = reason(setup, question, place);
    const next = one('[data-do="next"]', root);
    next.disabled = false;
    next.focus({ preventScroll: true });
  },
};

const samePlace = (a, b) => a.c === b.c && a.row === b.row && a.col === b.col;

// The orders in which this pixel of this channel goes to this place.
function ordersFor(setup, { k, h, w }, chosen) {
  const fits = (order) => samePlace(placeOf({ ...setup, order }, k, h, w), chosen);
  return Object.keys(ORDERS).filter(fits);
}

const namesOf = (orders) => orders.map(orderName).join(" and in ");

function verdict(setup, question, chosen) {
  const fitting = ordersFor(setup, question, chosen);
  const others = fitting.filter((order) => order !== setup.order);
  if (fitting.includes(setup.order)) {
    return others.length
      ? `Right. It would be right in ${namesOf(others)}, too.`
      : `Right, and in ${orderName(setup.order)} only.`;
  }
  if (others.length)
    return `Not in ${orderName(setup.order)}. It would be right in ${namesOf(others)}.`;
  return `Not in ${orderName(setup.order)}, and no other order puts it there. ${mistake(setup, question, chosen)}`;
}

function mistake({ r }, { h, w }, { row, col }) {
  const sameBlock = Math.floor(row / r) === h && Math.floor(col / r) === w;
  if (sameBlock) return "The block is right.";
  return `LR pixel (${h}, ${w}) becomes the block that begins at row ${h}·${r} = ${h * r}, column ${w}·${r} = ${w * r}.`;
}

function reason(setup, { k }, { c, row, col }) {
  const { r } = setup;
  const [i, j] = [row % r, col % r];
  return `${k} = ${filledFormula(setup, c, i, j)}, so c = ${c}, i = ${i}, j = ${j}: ${imageWords({ c, row, col })}.`;
}
