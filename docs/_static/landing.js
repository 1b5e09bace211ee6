// The landing page: the shuffle, the slider, the theme, the buttons that copy.

const one = (selector) => document.querySelector(selector);

// --- nine channels become one picture ---

const R = 3;
const shuffle = one(".shuffle");
const canvas = shuffle.querySelector("canvas");
const slide = shuffle.querySelector("input");
const side = canvas.width;

function pixelsOf(image) {
  const { width, height } = canvas;
  const brush = new OffscreenCanvas(width, height).getContext("2d");
  brush.drawImage(image, 0, 0);
  return new Uint32Array(brush.getImageData(0, 0, width, height).data.buffer);
}

const smooth = (t) => t * t * (3 - 2 * t);
const between = (a, b, t) => a + (b - a) * t;

// A color between two, of four bytes each, as canvases keep them
function blend(a, b, t) {
  let color = 0;
  for (const shift of [0, 8, 16]) {
    color |= between((a >> shift) & 255, (b >> shift) & 255, t) << shift;
  }
  return (color | 0xff000000) >>> 0;
}

// Draw the pixels on their way, t from 0 to 1. One channel starts after the other.
function drawer(mosaic, whole) {
  const brush = canvas.getContext("2d");
  const picture = brush.createImageData(side, side);
  const out = new Uint32Array(picture.data.buffer);
  const small = side / R;
  return (t) => {
    out.fill(0);
    const colored = smooth(Math.max(0, 5 * t - 4));
    for (let k = 0; k < R * R; k++) {
      const [i, j] = [Math.floor(k / R), k % R];
      const way = smooth(Math.min(1, Math.max(0, (t / 0.8) * 2 - k / (R * R - 1))));
      for (let h = 0; h < small; h++) {
        const y = Math.round(between(i * small + h, h * R + i, way));
        for (let w = 0; w < small; w++) {
          const x = Math.round(between(j * small + w, w * R + j, way));
          const from = mosaic[(i * small + h) * side + j * small + w];
          const to = whole[(h * R + i) * side + w * R + j];
          out[y * side + x] = colored ? blend(from, to, colored) : from;
        }
      }
    }
    brush.putImageData(picture, 0, 0);
  };
}

async function startShuffle() {
  const images = [shuffle.querySelector(".square img"), shuffle.querySelector(".whole")];
  await Promise.all(images.map((image) => image.decode()));
  const draw = drawer(...images.map(pixelsOf));
  const show = () => {
    const t = slide.value / 100;
    draw(t);
    const ends = { 0: "nine channels", 100: "one picture" };
    slide.setAttribute("aria-valuetext", ends[slide.value] ?? `${slide.value}% of the way`);
  };
  show();
  images[0].hidden = true;
  canvas.hidden = false;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "Nine small portraits whose pixels make one large portrait");
  slide.addEventListener("input", show);
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches) playOnce(show);
}

// Go there by itself, once, unless somebody takes the slider.
function playOnce(show) {
  let taken = false;
  for (const type of ["pointerdown", "keydown"]) {
    slide.addEventListener(type, () => (taken = true), { once: true });
  }
  const [wait, length] = [1200, 3200];
  const begin = performance.now() + wait;
  const step = (now) => {
    if (taken) return;
    slide.value = Math.round(100 * Math.min(1, Math.max(0, (now - begin) / length)));
    show();
    if (now < begin + length) requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}

startShuffle();

// --- before and after ---

const slider = one(".slider");
slider.querySelector("input").addEventListener("input", ({ target }) => {
  slider.style.setProperty("--at", `${target.value}%`);
});
const words = { pixels: "the small picture", bicubic: "bicubic", original: "the original" };
one(".compare fieldset").addEventListener("change", ({ target }) => {
  const image = slider.querySelector(".before img");
  image.src = `landing/${target.value}.webp`;
  image.alt = `The same portrait: ${words[target.value]}`;
  slider.querySelector(".tag.left").textContent = words[target.value];
});

// --- the theme: the other pages have the same choice, under the same name ---

one(".theme").addEventListener("click", () => {
  const chosen = document.body.dataset.theme;
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const next = (chosen === "auto" ? system : chosen) === "dark" ? "light" : "dark";
  document.body.dataset.theme = next;
  localStorage.setItem("theme", next);
});

// --- the commands ---

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = !navigator.clipboard; // browsers keep it from pages that came unencrypted
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
    one("[role=status]").textContent = `Copied: ${button.dataset.copy}`;
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
}
