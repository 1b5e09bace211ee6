// --- downhill: drag the start, choose optimizer and rate, and see the path ---

const LEAST = [-1.35, -0.35]; // the lower left corner of the map, as in lesson 6
const SPAN = 2.7; // its side, in weights, and for each of them
const ZOOM = 100; // units of the drawing
const FAR = 100; // a path that diverges is drawn up to there

const RULES = {
  sgd: "w ← w − lr·g",
  momentum: "v ← 0.8·v + g, w ← w − lr·v",
  adam: "w ← w − lr·(m / √s)",
  soap: "u ← m / √s, w ← w − lr·u",
};

const onMap = ([x, y]) => [(x - LEAST[0]) * ZOOM, (LEAST[1] + SPAN - y) * ZOOM].map(round2);
const onCurve = ({ loss }, n) => [
  round2((220 * n) / state.steps),
  round2(15 - 15 * Math.max(Math.log10(loss), -99)), // 15 units for a factor of 10
];
const round2 = (value) => Math.round(value * 100) / 100;
const lineThrough = (points) => (points.length ? `M${points.join("L")}` : "");

// A number with four digits, such as −0.2826 or 1.234·10⁻⁵.
function digits(number) {
  const [mantissa, power] = number.toExponential(3).split("e");
  const small = Number(power) >= -4 && Number(power) < 5;
  const raised = power.replace("+", "").replace(/./g, (sign) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[sign] ?? "⁻");
  const text = small ? Number(number.toPrecision(4)) : `${Number(mantissa)}·10${raised}`;
  return String(text).replace("-", "−");
}
const inBrackets = (number) => (number < 0 ? `(${digits(number)})` : digits(number));

VIEWS.downhill = {
  root: one('[data-view="downhill"]'),
  choices: [],
  keeps: {
    optimizer: {
      start: "sgd",
      read: (text) => Object.keys(OPTIMIZERS).find((name) => name === text),
      write: (name) => name,
    },
    // null: the optimizer's rate in lesson 6
    rate: {
      start: null,
      read: (text) => (text >= 0.01 && text <= 10 ? Number(text) : undefined),
      write: (rate) => rate,
    },
    steps: {
      start: 40,
      read: (text) => [40, 100].find((steps) => String(steps) === text),
      write: (steps) => steps,
    },
    // the start: two weights
    from: {
      start: [-1, 1.2],
      read(text) {
        const w = text.split(",").map((part) => Number(part || NaN));
        const on = w.every((one, n) => one >= LEAST[n] && one <= LEAST[n] + SPAN);
        return on && w.length === 2 ? w : undefined;
      },
      write: (w) => w.join(),
    },
    // how many steps are taken
    taken: {
      start: 0,
      read: (text, { steps }) => numbersIn(text).find((taken) => taken <= steps),
      write: (taken) => taken || null,
    },
  },

  start() {
    const { root } = this;
    this.map = one(".land", root);
    this.handle = one(".handle", root);
    this.drawLevels();
    this.player = new Player(one(".player-here", root), {
      show: (position) => this.show(position),
      words: (position) => t("{position} of {steps} steps", { position, steps: state.steps }),
    });
    root.addEventListener("change", (event) => this.chosen(event));
    one("#rate").addEventListener("input", ({ target }) => {
      state.rate = Number((10 ** target.value).toPrecision(2));
      this.walk();
    });
    for (const event of ["pointerdown", "pointermove", "click"])
      this.map.addEventListener(event, (happened) => this.dragged(happened));
    // A finger on the start does not scroll. (Chromium does not heed touch-action within an svg.)
    this.handle.addEventListener("touchstart", (event) => event.preventDefault());
    this.handle.addEventListener("keydown", (event) => this.nudged(event));
  },

  enter() {
    for (const name of ["optimizer", "steps"]) {
      for (const input of all(`[name=${name}]`, this.root))
        input.checked = input.value === String(state[name]);
    }
    one(".last", this.root).textContent = state.steps;
    this.showBounds();
    this.path = walkDown(state.optimizer, this.rate, state.from, state.steps);
    this.player.setUp({ last: state.steps, delay: 300, position: state.taken });
    this.walk();
  },

  leave() {
    this.player.pause();
  },

  get rate() {
    return state.rate ?? OPTIMIZERS[state.optimizer].rate;
  },

  // --- what a reader does ---

  chosen({ target: { name, value } }) {
    if (name === "optimizer") Object.assign(state, { optimizer: value, rate: null });
    else if (name === "steps") {
      state.steps = Number(value);
      state.taken = Math.min(state.taken, state.steps);
    } else return;
    this.enter();
  },

  // The mouse drags from everywhere. A finger drags the start; elsewhere it taps, or scrolls on.
  dragged({ type, pointerType, pointerId, target, clientX, clientY }) {
    const grips = pointerType === "mouse" || this.handle.contains(target);
    if (type === "pointerdown" && grips) this.map.setPointerCapture(pointerId);
    if (type !== "click" && !this.map.hasPointerCapture(pointerId)) return;
    const { x, bottom, width } = one(".ground", this.map).getBoundingClientRect();
    const part = [clientX - x, bottom - clientY].map((pixels) => pixels / width);
    this.startAt(part.map((one, n) => LEAST[n] + SPAN * one));
  },

  nudged(event) {
    const [dx, dy] = DIRECTIONS[event.key] ?? [];
    if (dx === undefined) return;
    event.preventDefault();
    const by = event.shiftKey ? 0.01 : 0.05;
    this.startAt([state.from[0] + dx * by, state.from[1] - dy * by]);
  },

  startAt(w) {
    state.from = w.map((one, n) => round2(clamp(one, LEAST[n], LEAST[n] + SPAN)));
    this.walk();
  },

  // --- what the view shows ---

  // Lines of equal loss are ellipses: half the curvature times the square of each half axis.
  drawLevels() {
    const [x, y] = onMap(BOTTOM);
    const turn = (-TURN * 180) / Math.PI;
    one(".levels", this.map).setAttribute("transform", `translate(${x} ${y}) rotate(${turn})`);
    const most = lossAbove(LEAST.map((least) => least + SPAN));
    all("ellipse", this.map).forEach((ellipse, n) => {
      CURVATURES.forEach((curvature, axis) => {
        const half = Math.sqrt((2 * most * 0.4 ** (n + 1)) / curvature);
        ellipse.setAttribute(axis ? "ry" : "rx", half * ZOOM);
      });
    });
  },

  // Where this optimizer begins to jump over the floor of the valley, and to diverge.
  showBounds() {
    const bounds = BOUNDS[state.optimizer] ?? {};
    for (const name of ["jumps", "diverges"]) {
      const mark = one(`.${name}`, this.root);
      mark.hidden = !bounds[name];
      mark.style.setProperty("--at", (Math.log10(bounds[name] ?? 1) + 2) / 3);
    }
    const [a, b] = ["jumps", "diverges"].map((name) => bounds[name]?.toFixed(2));
    one(".bounds", this.root).textContent = {
      sgd: t("Above {a} = 1 / curvature, SGD jumps over the floor. Above {b}, it diverges.", {
        a,
        b,
      }),
      momentum: t("Above {b}, momentum diverges.", { b }),
    }[state.optimizer] ?? t("The rate is a length: about so far each weight goes in a step.");
  },

  walk() {
    const { rate, player, handle } = this;
    this.path = walkDown(state.optimizer, rate, state.from, state.steps);
    const slider = one("#rate");
    slider.value = Math.log10(rate);
    slider.setAttribute("aria-valuetext", rate);
    one(".rate output", this.root).textContent = rate;
    const [left, right] = state.from.map(digits);
    handle.setAttribute("transform", `translate(${onMap(state.from)})`);
    handle.setAttribute("aria-valuenow", state.from[0]);
    handle.setAttribute("aria-valuetext", t("left {left}, right {right}", { left, right }));
    one(".verdict", this.root).textContent = this.verdict();
    player.go(player.position);
    saveAddress();
  },

  verdict() {
    const { optimizer, steps } = state;
    const { path, rate } = this;
    const [wide, long] = CURVATURES.map((curvature) => digits(round2(1 - rate * curvature)));
    const loss = digits(path[steps].loss);
    const ways = {
      sgd: t("A step multiplies the distance across the valley by {wide}, along it by {long}.", {
        wide,
        long,
      }),
      momentum: t("Across the valley the gradients cancel. Along it they pile up."),
      adam: t("Each weight has its own rate. But the valley lies diagonally, along neither."),
      soap: t("SOAP turns the valley first. Across and along it have their own rates."),
    };
    const climbs = path.some(({ loss }) => loss > path[0].loss * 1.001);
    const high = climbs && t("On the way the loss is higher than at the start.");
    const diverges = rate > BOUNDS[optimizer]?.diverges && t("Too large: the path diverges.");
    const after = t("After {steps} steps the loss is {loss} above the lowest one.", {
      steps,
      loss,
    });
    const way = (!diverges || optimizer === "sgd") && ways[optimizer];
    const words = [diverges || high, way, after].filter(Boolean);
    return words.join(language() === "zh" ? "" : " ");
  },

  show(position) {
    state.taken = position;
    const far = this.path.findIndex(({ w }) => Math.hypot(...w) > FAR);
    const near = far < 0 ? this.path : this.path.slice(0, far);
    const points = near.map(({ w }) => onMap(w));
    this.draw(this.map, points, position);
    const dots = points.map((point) => `M${point}h0`);
    one(".all.dots", this.map).setAttribute("d", dots.join(""));
    one(".walked.dots", this.map).setAttribute("d", dots.slice(0, position + 1).join(""));
    const { w, g } = this.path[position];
    // A gradient of 1 is as long as a weight of 1, but never longer than that.
    const tip = plus(w, g, -1 / Math.max(1, Math.hypot(...g)));
    const arrow = position < near.length && Math.hypot(...g) > 0.005;
    one(".arrow", this.map).setAttribute("d", arrow ? lineThrough([onMap(w), onMap(tip)]) : "");
    this.draw(one(".losses", this.root), this.path.map(onCurve), position);
    this.showNumbers(position);
  },

  // A path as a whole and as far as it is walked, and the place that is reached.
  draw(drawing, points, position) {
    const walked = points.slice(0, position + 1);
    one(".all", drawing).setAttribute("d", lineThrough(points));
    one(".walked", drawing).setAttribute("d", lineThrough(walked));
    one(".current", drawing).setAttribute("transform", `translate(${walked.at(-1)})`);
  },

  // One step written out: the next one, or the last one at the end.
  showNumbers(position) {
    const { root, path } = this;
    const loss = digits(path[position].loss);
    const words = t("The loss after each step. After {position} steps it is {loss}.", {
      position,
      loss,
    });
    one(".losses", root).setAttribute("aria-label", words);
    const at = Math.min(position, state.steps - 1);
    one(".numbers h2", root).textContent = t("Step {step}", { step: at + 1 });
    one(".numbers code", root).textContent = RULES[state.optimizer];
    const lines = this.stepLines(path[at], path[at + 1].w);
    one(".numbers dl", root).replaceChildren(
      ...lines.map(([name, text]) =>
        make("div", {}, make("dt", { text: name }), make("dd", { text })),
      ),
    );
  },

  stepLines({ w, g, move, old, parts, turned, basis }, next) {
    const quotient = (n) => `${inBrackets(parts[n][0])} / ${digits(parts[n][1])}`;
    const both = (name, text) => [0, 1].map((n) => [`${name}${"₀₁"[n]}`, text(n)]);
    const factor = (n) => (parts && !basis ? `(${quotient(n)})` : inBrackets(move[n]));
    const step = (n) => `${digits(w[n])} − ${this.rate}·${factor(n)} = ${digits(next[n])}`;
    const velocity = (n) => `0.8·${inBrackets(old[n])} + ${inBrackets(g[n])} = ${digits(move[n])}`;
    const along = (n) => [
      `(${basis[n].map(round2).map(digits).join(", ")})`,
      `${quotient(n)} = ${digits(turned[n])}`,
    ];
    const first = (old && both("v", velocity)) || (basis && [along(0), along(1)]) || [];
    return [...first, ...both("w", step)];
  },
};
