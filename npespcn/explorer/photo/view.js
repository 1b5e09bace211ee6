// --- photo: a picture through the network, before the reader's eyes ---

const HALF = 60; // positions for the rows, and as many for the columns
const NEAR = 24; // pixels of the enlarged picture along each side, seen from near
const SIDES = ["bicubic", "network", "original"];

const pictureWords = () => ({
  hopper: t("Grace Hopper"),
  chelsea: t("Chelsea the cat"),
  collins: t("A space suit"),
});

const ease = (t) => t * t * (3 - 2 * t);
const percent = (part, of) => `${(100 * part) / of}%`;

// Gray from 0 to 255 of luma from 16 to 235. A silent channel's NaN becomes 0.
const lumaGray = (luma) => clamp(Math.floor(((luma - 16) * 255) / 219 + 0.5), 0, 255) || 0;
const gray32 = (value) => (255 << 24) | (value << 16) | (value << 8) | value;

// Draw `height` by `width` pixels; `value(y, x)` is a color of 32 bits.
function draw32(canvas, height, width, value) {
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) pixels[y * width + x] = value(y, x);
  }
  drawImage(canvas, image);
}

function drawImage(canvas, { width, height, data }) {
  Object.assign(canvas, { width, height });
  canvas.getContext("2d").putImageData(new ImageData(data, width, height), 0, 0);
}

VIEWS.photo = {
  root: one('[data-view="photo"]'),
  choices: ["r", "order"],
  seconds: null, // that the network took; null while it is at work
  keeps: {
    // the channels that are silenced
    silent: {
      start: [],
      read: (text, { r }) => numbersIn(text).filter((k) => k < r ** 2),
      write: (silent) => (silent.length ? silent.join() : null),
    },
    // one of the pictures that come with the page; an own one is not in the address
    picture: {
      start: "hopper",
      read: (text) => Object.keys(DATA.pictures).find((name) => name === text),
      write: (name) => (name in DATA.pictures && name !== "hopper" ? name : null),
    },
    // what to look at: the channels or, if true, the inside of the network
    inside: { start: false, read: (text) => text === "1", write: (on) => (on ? "1" : null) },
    // a pixel of the enlarged picture: [row, column]
    pixel: {
      start: null,
      read: (text) => (numbersIn(text).length === 2 ? numbersIn(text) : undefined),
      write: (pixel) => pixel && pixel.join(),
    },
    // a map of layer 1 or 2: [layer, map]. Without one, the channel that the pixel came from.
    unit: {
      start: null,
      read(text) {
        const [n, o, ...more] = numbersIn(text);
        return !more.length && o < { 1: 64, 2: 32 }[n] ? [n, o] : undefined;
      },
      write: (unit) => unit && unit.join(),
    },
  },

  start() {
    const { root } = this;
    this.inside = new Inside(one(".inside", root), (n, o) => this.choseUnit(n, o));
    this.shuffle = new Player(one(".player-here", root), {
      show: (position) => this.showShuffle(position),
      words: (position) => `${Math.round((100 * position) / (2 * HALF))} %`,
    });
    one(".samples", root).append(...Object.keys(DATA.pictures).map(sampleButton));
    root.addEventListener("click", ({ target }) => this.clicked(target));
    root.addEventListener("change", ({ target }) => this.changed(target));
    this.takesDrops();
    this.listensToStack();
    this.listensToCut();
    this.sides = ["bicubic", "network"];
  },

  enter() {
    for (const button of all("[data-sample]", this.root)) {
      const words = pictureWords()[button.dataset.sample];
      button.setAttribute("aria-label", words);
      button.title = words;
    }
    state.silent = state.silent.filter((k) => k < state.r ** 2);
    if (state.picture !== this.opened && state.picture in DATA.pictures) this.openSample();
    else if (this.picture && this.asked !== state.r) this.enlarge();
    else if (this.shown) this.showAll();
    this.showLook();
    this.sayCut();
    this.say();
  },

  leave() {
    this.shuffle.pause();
  },

  // For the keys of the page: none while it is hidden.
  get player() {
    return state.inside ? undefined : this.shuffle;
  },

  // --- a picture to enlarge ---

  openSample() {
    const name = state.picture;
    this.opened = name;
    this.open(name, new Blob([bytesOf(DATA.pictures[name])], { type: "image/webp" }), false);
  },

  // Open a file. One that is no picture changes nothing but a line of text.
  async open(name, blob, isOwn) {
    const ticket = (this.opening = {});
    this.say();
    const picture = await openPicture(blob).catch(() => null);
    this.networks ??= await Promise.all(ALLOWED.r.map(networkOf));
    if (ticket !== this.opening) return; // another one was chosen meanwhile
    this.opening = null;
    this.refused = picture ? null : name;
    this.say();
    if (!picture) return;
    this.picture = { ...picture, name };
    if (isOwn) this.opened = state.picture = "own";
    this.shrinks = !isOwn;
    this.cut = null;
    state.pixel = isOwn ? null : state.pixel;
    this.enlarge();
    saveAddress();
  },

  openOwn(file) {
    if (file) this.open(file.name, file, true);
  },

  takesDrops() {
    for (const type of ["dragover", "dragleave", "drop"]) {
      document.addEventListener(type, (event) => {
        if (this.root.hidden) return;
        event.preventDefault(); // the browser would show the file instead of the page
        this.root.classList.toggle("over", type === "dragover");
        if (type === "drop") this.openOwn(event.dataTransfer.files[0]);
      });
    }
  },

  // The part of the picture that the network gets.
  part() {
    const { width, height } = this.picture;
    const r = this.isShrunk() ? state.r : 1;
    const side = (length) => Math.floor(Math.min(length, LARGEST * r) / r) * r;
    const size = { width: side(width), height: side(height) };
    const middle = { x: width / 2, y: height / 2 };
    const { x, y } = this.cut ?? middle; // where its middle is
    const left = clamp(Math.round(x - size.width / 2), 0, width - size.width);
    const top = clamp(Math.round(y - size.height / 2), 0, height - size.height);
    return { left, top, ...size };
  },

  canShrink() {
    return Math.min(this.picture.width, this.picture.height) >= state.r;
  },

  isShrunk() {
    return this.shrinks && this.canShrink();
  },

  enlarge() {
    const { r } = state;
    this.asked = r;
    this.run?.cancel();
    const { clear, image } = pixelsOf(this.picture, this.part());
    const original = this.isShrunk() ? image : null;
    const small = original ? shrunk(image, r) : image;
    const network = this.networks[ALLOWED.r.indexOf(r)];
    this.seconds = null;
    this.showCut();
    this.say();
    this.run = new Run(network, small, {
      progress: (part) => (one("progress", this.root).value = part),
      done: (made) => this.finish({ ...made, r, small, original, clear, network }),
    });
  },

  finish(made) {
    const { r, small, original } = made;
    const { height: h, width: w } = small;
    const chroma = [1, 2].map((n) => enlarged(planeOf(small, n), h, w, 1, r));
    this.shown = { ...made, h, w, chroma };
    const plain = bicubic(small, r);
    drawImage(this.canvas("bicubic"), plain);
    this.showDecibels("bicubic", plain);
    one("[data-near-original]", this.root).hidden = !original;
    if (original) drawImage(this.canvas("original"), original);
    else if (this.sides.includes("original")) this.sides = ["bicubic", "network"];
    this.drawTiles();
    this.seconds = made.seconds;
    this.showAll();
    this.say();
  },

  // What was done, or what is wrong.
  say() {
    const { shown, root } = this;
    const line = one('[data-is="done"]', root);
    const isBusy = Boolean(this.opening) || this.seconds === null;
    if (this.refused && !this.opening)
      line.textContent = t("The browser cannot open {name} as a picture.", { name: this.refused });
    else line.textContent = isBusy ? t("The network is at work.") : doneWords(shown);
    line.classList.toggle("wrong", Boolean(this.refused));
    root.setAttribute("aria-busy", isBusy);
    for (const button of all("[data-sample]", root))
      button.setAttribute("aria-pressed", button.dataset.sample === this.opened);
    const box = one(".shrink input", root);
    box.checked = Boolean(this.picture) && this.isShrunk();
    box.disabled = !this.picture || !this.canShrink();
  },

  // --- the frame on the whole picture ---

  listensToCut() {
    const frame = one(".frame", this.root);
    const canvas = one(".whole canvas", this.root);
    const move = (event) => {
      const box = canvas.getBoundingClientRect();
      const { width, height } = this.picture;
      const x = ((event.clientX - box.left) / box.width) * width;
      const y = ((event.clientY - box.top) / box.height) * height;
      this.moveCut(x, y);
    };
    const whole = one(".whole", this.root);
    whole.addEventListener("pointerdown", (event) => {
      whole.setPointerCapture(event.pointerId);
      move(event);
    });
    whole.addEventListener("pointermove", (event) => {
      if (whole.hasPointerCapture(event.pointerId)) move(event);
    });
    whole.addEventListener("pointerup", () => this.enlarge());
    frame.addEventListener("keydown", (event) => {
      const direction = DIRECTIONS[event.key];
      if (!direction) return;
      event.preventDefault();
      event.stopPropagation();
      const { left, top, width, height } = this.part();
      const [x, y] = [left + width / 2, top + height / 2];
      this.moveCut(x + (direction[0] * width) / 4, y + (direction[1] * height) / 4);
      this.enlarge();
    });
  },

  moveCut(x, y) {
    this.cut = { x, y };
    const { left, top, width, height } = this.part();
    this.cut = { x: left + width / 2, y: top + height / 2 }; // not beyond what is possible
    this.showCut();
  },

  showCut() {
    const { width, height, bitmap } = this.picture;
    const part = this.part();
    const { r } = state; // fewer pixels than r are only the rest of a division
    one(".cut", this.root).hidden = width - part.width < r && height - part.height < r;
    const canvas = one(".whole canvas", this.root);
    const scale = Math.min(1, 220 / Math.max(width, height));
    canvas.width = Math.max(1, Math.round(width * scale));
    canvas.height = Math.max(1, Math.round(height * scale));
    canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    const { style } = one(".frame", this.root);
    style.left = percent(part.left, width);
    style.top = percent(part.top, height);
    style.width = percent(part.width, width);
    style.height = percent(part.height, height);
    this.sayCut();
  },

  sayCut() {
    if (!this.picture) return;
    const { width, height } = this.picture;
    const { left, top, width: w, height: h } = this.part();
    one("#cut-words", this.root).textContent = t(
      "{h} × {w} of {height} × {width} pixels, from row {top} and column {left}. Drag the frame.",
      { w, h, width, height, left, top },
    );
  },

  // --- left and right ---

  canvas(name) {
    return one(`[data-image="${name}"]`, this.root);
  },

  listensToStack() {
    const stack = (this.stack = one(".stack", this.root));
    const slider = (this.slider = one(".compare > input", this.root));
    slider.addEventListener("input", () => this.showDivider());
    const part = (event) => {
      const box = stack.getBoundingClientRect();
      return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    };
    let drags = false;
    stack.addEventListener("pointerdown", (event) => {
      const away = Math.abs(part(event)[0] - slider.value / 100) * stack.clientWidth;
      drags = away < 16;
      if (drags) stack.setPointerCapture(event.pointerId);
      else this.pointed(...part(event), true);
    });
    stack.addEventListener("pointermove", (event) => {
      if (!drags) return this.pointed(...part(event), false);
      slider.value = clamp(100 * part(event)[0], 0, 100);
      this.showDivider();
    });
    for (const name of ["pointerup", "pointercancel"])
      stack.addEventListener(name, () => (drags = false));
    stack.addEventListener("pointerleave", () => this.shown && this.tell(this.kept()));
    stack.addEventListener("keydown", (event) => this.steered(event));
  },

  showDivider() {
    const { value } = this.slider;
    this.stack.style.setProperty("--at", `${value}%`);
    const names = sideWords();
    const [left, right] = this.sides.map((name) => names[name]);
    const words = t("{part} % {left}, the rest {right}", { part: Math.round(value), left, right });
    this.slider.setAttribute("aria-valuetext", words);
  },

  showSides() {
    const names = sideWords();
    const [left, right] = this.sides;
    for (const name of SIDES) {
      const canvas = this.canvas(name);
      canvas.hidden = !this.sides.includes(name);
      canvas.classList.toggle("over", name === left);
    }
    one(".left", this.stack).textContent = names[left];
    one(".right", this.stack).textContent = names[right];
    for (const radio of all('[name="sides"]', this.root)) {
      radio.checked = radio.value === this.sides.join(" ");
      radio.disabled = radio.value.includes("original") && !this.shown?.original;
    }
    this.showDivider();
  },

  changed(target) {
    if (target.type === "file") {
      this.openOwn(target.files[0]);
      target.value = ""; // so that the same file can be chosen once more
    } else if (target.type === "checkbox") {
      this.shrinks = target.checked;
      this.enlarge();
    } else if (target.name === "sides") {
      this.sides = target.value.split(" ");
      this.showSides();
    } else if (target.name === "look") {
      state.inside = target.value === "inside";
      this.showLook();
      if (this.shown) this.tell(this.at);
      saveAddress();
    }
  },

  showLook() {
    for (const part of all("[data-look]", this.root))
      part.hidden = (part.dataset.look === "inside") !== state.inside;
    for (const radio of all('[name="look"]', this.root))
      radio.checked = (radio.value === "inside") === state.inside;
    if (state.inside) this.shuffle.pause();
  },

  // --- the image, from the channels ---

  showAll() {
    const { r, h, w } = this.shown;
    this.setup = setupOf({ ...state, r, c: 1 });
    one('[data-is="count"]', this.root).textContent = t("x: {n} channels", { n: r * r });
    this.nameTiles();
    this.stack.style.setProperty("--shape", w / h);
    this.stack.classList.toggle("large", w * r > this.stack.clientWidth * devicePixelRatio);
    this.showSides();
    this.showNetwork();
    const { last, position } = this.shuffle;
    this.shuffle.setUp({
      last: 2 * HALF,
      stride: HALF,
      delay: 50,
      position: last === undefined ? 2 * HALF : position,
    });
    this.tell(this.kept());
  },

  luma(k, h, w) {
    const { maps, h: height, w: width } = this.shown;
    return 255 * maps[3].data[(k * height + h) * width + w];
  },

  // The network's image: every pixel from its channel, in the order that was chosen.
  showNetwork() {
    const { r, h, w, chroma } = this.shown;
    const luma = new Float64Array(r * h * r * w);
    for (let k = 0; k < r * r; k++) {
      const { i, j } = partsOf(this.setup, k);
      const isSilent = state.silent.includes(k);
      for (let y = 0; y < h; y++) {
        for (let x = 0; x < w; x++)
          luma[(y * r + i) * r * w + x * r + j] = isSilent ? NaN : this.luma(k, y, x);
      }
    }
    this.image = imageOf(r * w, r * h, luma, ...chroma);
    drawImage(this.canvas("network"), this.image);
    this.showDecibels("network", this.image);
    this.showSilence();
  },

  // How close it is to the original.
  showDecibels(name, image) {
    const { original, r } = this.shown;
    const value = original ? psnr(image, original, r) : NaN;
    const words = Number.isFinite(value) ? `${value.toFixed(2)} dB` : "";
    one(`[data-is="${name}"]`, this.root).textContent = words;
  },

  // First the rows move (i behind h), then the columns (j behind w).
  showShuffle(position) {
    if (!this.shown) return;
    const { r, h, w } = this.shown;
    const dots = Math.max(1, Math.floor(900 / (r * Math.max(h, w)))); // along a pixel's side
    const down = ease(Math.min(1, position / HALF));
    const across = ease(Math.max(0, position / HALF - 1));
    const between = (from, to, part) => Math.round((from + (to - from) * part) * dots);
    const image = new ImageData(w * r * dots, h * r * dots);
    const pixels = new Uint32Array(image.data.buffer);
    for (let k = 0; k < r * r; k++) {
      const { i, j } = partsOf(this.setup, k);
      const [top, left] = [Math.floor(k / r) * h, (k % r) * w];
      const rows = countTo(h).map((y) => between(top + y, y * r + i, down));
      const columns = countTo(w).map((x) => between(left + x, x * r + j, across));
      const isSilent = state.silent.includes(k);
      for (let y = 0; y < h; y++) {
        for (let x = 0; x < w; x++) {
          const value = gray32(isSilent ? 0 : lumaGray(this.luma(k, y, x)));
          for (let dy = 0; dy < dots; dy++) {
            const at = (rows[y] + dy) * image.width + columns[x];
            pixels.fill(value, at, at + dots);
          }
        }
      }
    }
    drawImage(one(".shuffle", this.root), image);
    one('[data-is="phase"]', this.root).textContent = phaseWords(position, h * r, w * r);
  },

  // --- the channels, each on or silent ---

  drawTiles() {
    const { r, h, w } = this.shown;
    const colors = colorsOf({ r, C: 1, order: "CRD" }); // the network's order, whichever is chosen
    const tiles = one(".tiles", this.root);
    tiles.style.setProperty("--r", r);
    tiles.replaceChildren(
      ...colors.map(({ fill, ink }, k) => {
        const canvas = make("canvas", { ariaHidden: "true" });
        draw32(canvas, h, w, (y, x) => gray32(lumaGray(this.luma(k, y, x))));
        const css = { "--fill": fill, "--ink": ink };
        const strip = make(
          "span",
          { className: "strip", css },
          make("b", { text: k }),
          make("span"),
        );
        const data = { tile: k };
        return make("button", { type: "button", className: "tile", data }, strip, canvas);
      }),
    );
  },

  nameTiles() {
    for (const tile of all("[data-tile]", this.root))
      tile.setAttribute("aria-label", t("Channel {k}", { k: tile.dataset.tile }));
  },

  clicked(target) {
    const tile = target.closest("[data-tile]");
    const sample = target.closest("[data-sample]");
    if (sample) {
      state.picture = sample.dataset.sample;
      state.pixel = null;
      this.openSample();
    } else if (tile) this.toggle(Number(tile.dataset.tile));
    else if (target.dataset.do === "all-on") this.silence([]);
    else if (target.dataset.do === "all-silent") this.silence(countTo(state.r ** 2));
  },

  toggle(k) {
    const { silent } = state;
    this.silence(
      silent.includes(k)
        ? silent.filter((other) => other !== k)
        : [...silent, k].sort((a, b) => a - b),
    );
  },

  silence(silent) {
    state.silent = silent;
    saveAddress();
    if (!this.shown) return;
    this.showNetwork();
    this.showShuffle(this.shuffle.position);
    this.tell(this.at);
  },

  showSilence() {
    for (const tile of all("[data-tile]", this.root)) {
      const on = !state.silent.includes(Number(tile.dataset.tile));
      tile.setAttribute("aria-pressed", on);
      one(".strip span", tile).textContent = on ? t("on") : t("silent");
    }
  },

  // --- one pixel of the enlarged picture ---

  // The pixel to come back to, when the pointer leaves the picture.
  kept() {
    const { r, h, w } = this.shown;
    const start = [Math.floor(0.45 * h * r), Math.floor(0.35 * w * r)];
    const [row, col] = state.pixel ?? start;
    return [clamp(row, 0, h * r - 1), clamp(col, 0, w * r - 1)];
  },

  keep(row, col) {
    state.pixel = [row, col];
    state.pixel = this.kept();
    this.tell(state.pixel);
    saveAddress();
  },

  pointed(x, y, stays) {
    if (!this.shown) return;
    const { r, h, w } = this.shown;
    const at = (part, size) => clamp(Math.floor(part * size), 0, size - 1);
    const pixel = [at(y, h * r), at(x, w * r)];
    if (stays) this.keep(...pixel);
    else this.tell(pixel);
  },

  steered(event) {
    const direction = DIRECTIONS[event.key];
    if (!direction || !this.shown) return;
    event.preventDefault();
    event.stopPropagation(); // the player has the same keys
    const [row, col] = this.kept();
    const step = event.shiftKey ? 10 : 1;
    this.keep(row + direction[1] * step, col + direction[0] * step);
  },

  choseUnit(n, o) {
    const { r } = this.shown;
    const [row, col] = this.kept();
    state.unit = n < 3 ? [n, o] : null;
    if (n === 3) {
      const { i, j } = partsOf(this.setup, o); // the same LR pixel in that channel
      this.keep(row - (row % r) + i, col - (col % r) + j);
    } else this.keep(row, col);
  },

  tell([row, col]) {
    this.at = [row, col];
    const { r, w } = this.shown;
    const { k, h, w: x } = sourceOf(this.setup, 0, row, col);
    const at = 4 * (row * w * r + col);
    const rgb = [...this.image.data.slice(at, at + 3)].join(" ");
    const words = { row, col, k, h, w: x, rgb, luma: this.luma(k, h, x).toFixed(1) };
    const from = t("Row {row}, column {col}: channel {k} of LR pixel ({h}, {w}).", words);
    const value = state.silent.includes(k)
      ? t("It is silent.")
      : t("Luma {luma}, RGB {rgb}.", words);
    one("#pixel-words", this.root).textContent = `${from} ${value}`;
    for (const tile of all("[data-tile]", this.root))
      tile.classList.toggle("here", Number(tile.dataset.tile) === k);
    const [n, o] = state.unit ?? [3, k];
    if (state.inside) this.inside.tell(this.shown, n, o, h, x);
    this.showField(h, x, n);
    this.showNear(row, col);
  },

  // The LR pixel, and all those that the chosen map saw of the picture.
  showField(h, w, n) {
    const { h: height, w: width } = this.shown;
    const reach = n + 1; // 2, 3 or 4 pixels on each side
    const place = (name, by) => {
      const { style } = one(name, this.stack);
      const [top, left] = [h - by, w - by].map((at) => Math.max(at, 0));
      style.top = percent(top, height);
      style.left = percent(left, width);
      style.height = percent(Math.min(h + by + 1, height) - top, height);
      style.width = percent(Math.min(w + by + 1, width) - left, width);
    };
    place(".spot", 0);
    place(".field", reach);
  },

  // The pixels around it, side by side for an eye that compares.
  showNear(row, col) {
    for (const canvas of all("[data-near]", this.root)) {
      const from = this.canvas(canvas.dataset.near);
      canvas.width = canvas.height = NEAR;
      const inside = (at, size) => Math.max(0, Math.min(at - NEAR / 2, size - NEAR));
      canvas.getContext("2d").drawImage(from, -inside(col, from.width), -inside(row, from.height));
    }
  },
};

const sideWords = () => ({
  bicubic: t("bicubic"),
  network: t("network"),
  original: t("original"),
});

function sampleButton(name) {
  const image = make("img", { src: `data:image/webp;base64,${DATA.pictures[name]}`, alt: "" });
  return make("button", { type: "button", data: { sample: name } }, image);
}

function doneWords({ h, w, r, seconds, workers, clear }) {
  const words = { h, w, H: h * r, W: w * r, seconds: seconds.toFixed(2), n: workers };
  const parts = [t("{h} × {w} pixels became {H} × {W} in {seconds} s.", words)];
  if (!workers)
    parts.push(t("This browser allows no worker here, so the page stood still at times."));
  if (clear) parts.push(t("What is transparent lies on white."));
  return parts.join(" ");
}

function phaseWords(position, H, W) {
  if (position === 0) return t("the channels side by side");
  if (position < HALF) return t("rows: i moves behind h");
  if (position === HALF) return t("the rows are in place");
  if (position < 2 * HALF) return t("columns: j moves behind w");
  return t("{H} by {W}, shuffled", { H, W });
}
