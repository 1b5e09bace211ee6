// --- player: first, back, play, next, last, a slider and a speed ---

const stillness = matchMedia("(prefers-reduced-motion: reduce)");

class Player {
  // `show(position)` draws a position; `words(position)` says it. Buttons move by `stride`
  // positions, and playing by `pace` positions each `delay` milliseconds.
  constructor(root, { show, words }) {
    root.replaceChildren(one("#player").content.cloneNode(true));
    this.root = root;
    this.slider = one("input", root);
    this.said = one("output", root);
    this.playButton = one(".play", root);
    Object.assign(this, { show, words, position: 0, timer: 0 });
    root.addEventListener("click", ({ target }) => this.does(target.dataset.do));
    this.slider.addEventListener("input", () => this.moveTo(Number(this.slider.value)));
  }

  get playing() {
    return this.timer !== 0;
  }

  get speed() {
    return Number(one("select", this.root).value);
  }

  setUp({ last, stride = 1, pace = 1, delay = 1000, position = 0 }) {
    this.pause();
    Object.assign(this, { last, stride, pace, delay });
    this.slider.max = last;
    this.go(position);
  }

  does(what) {
    const places = {
      first: 0,
      back: (Math.ceil(this.position / this.stride) - 1) * this.stride,
      forward: (Math.floor(this.position / this.stride) + 1) * this.stride,
      last: this.last,
    };
    if (what === "play") this.playing ? this.pause() : this.play();
    else if (what in places) this.moveTo(places[what]);
  }

  // A reader's own move ends the playing.
  moveTo(position) {
    this.pause();
    this.go(position);
    saveAddress();
  }

  go(position) {
    this.position = clamp(position, 0, this.last);
    this.slider.value = this.position;
    const words = this.words(this.position);
    this.slider.setAttribute("aria-valuetext", words);
    this.said.textContent = words;
    this.show(this.position);
  }

  play() {
    if (this.position === this.last) this.go(0);
    this.setPlaying(true);
    this.tick();
  }

  // With reduced motion, a smooth run becomes a few single steps.
  tick() {
    const leap = stillness.matches ? this.stride : this.pace;
    const delay = (this.delay * (leap / this.pace)) / this.speed;
    this.timer = setTimeout(() => {
      this.go(this.position + leap);
      if (this.position < this.last) this.tick();
      else this.moveTo(this.last);
    }, delay);
  }

  pause() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.setPlaying(false);
  }

  setPlaying(on) {
    this.playButton.textContent = on ? t("Pause") : t("Play");
    this.root.classList.toggle("playing", on);
  }
}
