// --- photo: the channels of a real network, shuffled before the reader's eyes ---

const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

const HALF = 60; // positions for the rows, and as many for the columns
const DOTS = 3; // canvas pixels for each pixel of the image, so that it can move by less than one
const NEAR = 3; // LR pixels under the lens, along each side
const SILENT = 0; // what a silent channel's pixels are: black

const photo = { r: DATA.photo.r, h: DATA.photo.h, w: DATA.photo.w };
photo.channels = bytesOf(DATA.photo.channels); // (r*r, h, w), gray
photo.input = bytesOf(DATA.photo.input); // (h, w)
photo.gray = (k, h, w) => photo.channels[(k * photo.h + h) * photo.w + w];
photo.colors = colorsOf({ r: photo.r, C: 1, order: "CRD" }); // the network's order, whichever is chosen

const ease = (t) => t * t * (3 - 2 * t);
const gray32 = (value) => (255 << 24) | (value << 16) | (value << 8) | value;

// Draw `height` by `width` pixels; `value(y, x)` is a gray.
function drawGray(canvas, height, width, value) {
  Object.assign(canvas, { height, width });
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) pixels[y * width + x] = gray32(value(y, x));
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

VIEWS.photo = {
  root: one('[data-view="photo"]'),
  choices: ["order"],
  keeps: {
    // the channels that are silenced
    silent: {
      start: [],
      read: (text) => numbersIn(text).filter((k) => k < DATA.photo.r ** 2),
      write: (silent) => (silent.length ? silent.join() : null),
    },
  },

  start() {
    const { root } = this;
    this.canvas = one(".frame canvas", root);
    this.canvas.height = photo.h * photo.r * DOTS;
    this.canvas.width = photo.w * photo.r * DOTS;
    one('[data-is="lr"]', root).textContent = `${photo.h} by ${photo.w}`;
    one('[data-is="input"]', root).textContent = `${photo.h} by ${photo.w}`;
    drawGray(one(".input", root), photo.h, photo.w, (y, x) => photo.input[y * photo.w + x]);
    this.player = new Player(one(".player-here", root), {
      show: (position) => this.show(position),
      words: (position) => `${Math.round((100 * position) / (2 * HALF))} %`,
    });
    this.drawTiles();
    this.drawLens();
    root.addEventListener("click", ({ target }) => this.clicked(target));
    this.canvas.addEventListener("pointermove", (event) => this.pointed(event));
    this.canvas.addEventListener("pointerdown", (event) => this.pointed(event));
    this.canvas.addEventListener("keydown", (event) => this.steered(event));
    this.lensAt = { h: Math.floor(photo.h * 0.42), w: Math.floor(photo.w * 0.3) };
  },

  enter() {
    this.setup = setupOf({ ...state, r: photo.r, c: 1 });
    // Where each pixel is before and after: of the channel grids, and of the image.
    this.moves = [];
    const { r } = photo;
    for (let k = 0; k < r * r; k++) {
      for (let h = 0; h < photo.h; h++) {
        for (let w = 0; w < photo.w; w++) {
          const { row, col } = placeOf(this.setup, k, h, w);
          const from = [Math.floor(k / r) * photo.h + h, (k % r) * photo.w + w];
          this.moves.push({ k, gray: photo.gray(k, h, w), from, to: [row, col] });
        }
      }
    }
    this.showSilence();
    this.player.setUp({
      last: 2 * HALF,
      stride: HALF,
      delay: 50,
      position: this.player.last === undefined ? 2 * HALF : this.player.position,
    });
    this.moveLens(this.lensAt.h, this.lensAt.w);
  },

  leave() {
    this.player.pause();
  },

  // First the rows move (i behind h), then the columns (j behind w).
  show(position) {
    const down = ease(Math.min(1, position / HALF));
    const across = ease(Math.max(0, position / HALF - 1));
    const width = this.canvas.width;
    const image = new ImageData(width, this.canvas.height);
    const pixels = new Uint32Array(image.data.buffer);
    for (const { k, gray, from, to } of this.moves) {
      const y = Math.round((from[0] + (to[0] - from[0]) * down) * DOTS);
      const x = Math.round((from[1] + (to[1] - from[1]) * across) * DOTS);
      const value = gray32(state.silent.includes(k) ? SILENT : gray);
      for (let dy = 0; dy < DOTS; dy++)
        pixels.fill(value, (y + dy) * width + x, (y + dy) * width + x + DOTS);
    }
    this.canvas.getContext("2d").putImageData(image, 0, 0);
    this.root.classList.toggle("shuffled", position === 2 * HALF);
    one('[data-is="phase"]', this.root).textContent = phaseWords(position);
  },

  drawTiles() {
    const { r } = photo;
    const tiles = one(".tiles", this.root);
    tiles.style.setProperty("--r", r);
    for (let k = 0; k < r * r; k++) {
      const canvas = make("canvas", { ariaHidden: "true" });
      drawGray(canvas, photo.h, photo.w, (y, x) => photo.gray(k, y, x));
      const { fill, ink } = photo.colors[k];
      const css = { "--fill": fill, "--ink": ink };
      const strip = make(
        "span",
        { className: "strip", css },
        make("b", { text: k }),
        make("span", {}),
      );
      const tile = make(
        "button",
        { type: "button", className: "tile", name: `Channel ${k}`, data: { tile: k } },
        strip,
        canvas,
      );
      tiles.append(tile);
    }
  },

  clicked(target) {
    const tile = target.closest("[data-tile]");
    const every = [...Array(photo.r ** 2).keys()];
    if (tile) this.toggle(Number(tile.dataset.tile));
    else if (target.dataset.do === "all-on") this.silence([]);
    else if (target.dataset.do === "all-silent") this.silence(every);
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
    this.showSilence();
    this.show(this.player.position);
    this.fillLens();
    saveAddress();
  },

  showSilence() {
    for (const tile of all("[data-tile]", this.root)) {
      const on = !state.silent.includes(Number(tile.dataset.tile));
      tile.setAttribute("aria-pressed", on);
      one(".strip span", tile).textContent = on ? "on" : "silent";
    }
  },

  // The lens: NEAR by NEAR LR pixels, each r by r sub-pixels with the number of their channel.
  drawLens() {
    const side = NEAR * photo.r;
    const lens = one(".lens", this.root);
    lens.style.setProperty("--side", side);
    for (let n = 0; n < side * side; n++) lens.append(make("span", {}, make("b")));
  },

  moveLens(h, w) {
    const middle = (at, size) => Math.min(Math.max(at, 1), size - 2);
    this.lensAt = { h: middle(h, photo.h), w: middle(w, photo.w) };
    const { h: top, w: left } = { h: this.lensAt.h - 1, w: this.lensAt.w - 1 };
    const marker = one(".marker", this.root);
    const percent = (part, of) => `${(100 * part) / of}%`;
    marker.style.left = percent(left, photo.w);
    marker.style.top = percent(top, photo.h);
    marker.style.width = percent(NEAR, photo.w);
    marker.style.height = percent(NEAR, photo.h);
    one("#lens-words", this.root).textContent =
      `around LR pixel (${this.lensAt.h}, ${this.lensAt.w})`;
    this.fillLens();
  },

  fillLens() {
    const { r } = photo;
    const lens = one(".lens", this.root);
    const [top, left] = [(this.lensAt.h - 1) * r, (this.lensAt.w - 1) * r];
    [...lens.children].forEach((element, n) => {
      const row = top + Math.floor(n / (NEAR * r));
      const col = left + (n % (NEAR * r));
      const { k, h, w } = sourceOf(this.setup, 0, row, col);
      const value = state.silent.includes(k) ? SILENT : photo.gray(k, h, w);
      element.style.setProperty("--gray", `rgb(${value} ${value} ${value})`);
      element.style.setProperty("--fill", photo.colors[k].fill);
      element.style.setProperty("--ink", photo.colors[k].ink);
      element.firstChild.textContent = k;
      element.className = edges(row, col, r);
      Object.assign(element.dataset, { row, col, k, value });
    });
    const words = `Rows ${top} to ${top + NEAR * r - 1}, columns ${left} to ${left + NEAR * r - 1} of the image, each pixel with the number of its channel.`;
    lens.setAttribute("aria-label", words);
  },

  pointed(event) {
    const box = this.canvas.getBoundingClientRect();
    const part = (at, from, length, size) => Math.floor(((at - from) / length) * size);
    this.moveLens(
      part(event.clientY, box.top, box.height, photo.h),
      part(event.clientX, box.left, box.width, photo.w),
    );
  },

  steered(event) {
    const direction = DIRECTIONS[event.key];
    if (!direction) return;
    event.preventDefault();
    event.stopPropagation();
    this.moveLens(this.lensAt.h + direction[1], this.lensAt.w + direction[0]);
  },
};

function phaseWords(position) {
  if (position === 0) return "the channels side by side";
  if (position < HALF) return "rows: i moves behind h";
  if (position === HALF) return "the rows are in place";
  if (position < 2 * HALF) return "columns: j moves behind w";
  return `${photo.h * photo.r} by ${photo.w * photo.r}, shuffled`;
}
