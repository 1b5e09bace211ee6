// --- inside: the maps of all layers, and the numbers that made one pixel of one of them ---

const MOST = 8; // partial sums that are shown one by one
const [NEGATIVE, ZERO, POSITIVE] = [[13, 42, 110], [128, 128, 128], [255, 214, 153]];

// The color of a number from -1 to 1: blue and dark below 0, orange and light above.
function signColor(value) {
  const part = Math.min(Math.abs(value), 1);
  return ZERO.map((zero, n) =>
    Math.round(zero + ((value < 0 ? NEGATIVE : POSITIVE)[n] - zero) * part),
  );
}

const SIGN_COLORS = Uint32Array.from({ length: 511 }, (_, n) => {
  const [red, green, blue] = signColor((n - 255) / 255);
  return (255 << 24) | (blue << 16) | (green << 8) | red;
});

const withSign = (value, digits = 4) =>
  `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`;

const countTo = (count) => [...Array(count).keys()];

class Inside {
  // `chosen(n, o)` hears that map `o` of layer `n` was chosen.
  constructor(root, chosen) {
    this.sheets = one(".sheets", root);
    this.numbers = one(".numbers", root);
    this.part = null; // the map below that is looked at, if the reader chose one
    this.sheets.addEventListener("click", ({ target }) => {
      const { n, o } = target.closest(".map")?.dataset ?? {};
      if (n) chosen(Number(n), Number(o));
    });
    this.numbers.addEventListener("click", ({ target }) => this.chosePart(target));
  }

  // Draw all maps of a result as small pictures.
  draw(shown) {
    this.shown = shown;
    this.sheets.replaceChildren(...[1, 2, 3].map((n) => this.drawSheet(n)));
    for (const sheet of this.sheets.children) roveWithin(sheet);
  }

  drawSheet(n) {
    const { maps, h, w } = this.shown;
    const map = maps[n];
    const margin = (map.h - h) / 2;
    const each = Math.ceil(Math.max(h, w) / 100); // every pixel, or every second one
    const cells = countTo(map.channels).map((o) => {
      const canvas = make("canvas", { ariaHidden: "true" });
      draw32(canvas, Math.ceil(h / each), Math.ceil(w / each), (y, x) => {
        const row = o * map.h + y * each + margin;
        const value = map.data[row * map.w + x * each + margin];
        return n === 3 ? gray32(lumaGray(255 * value)) : SIGN_COLORS[Math.round(255 * value) + 255];
      });
      const data = { n, o };
      return make("button", { type: "button", className: "cell map", tabIndex: -1, data }, canvas);
    });
    const css = { "--shape": clamp(w / h, 0.5, 2) };
    return make(
      "div",
      { className: "sheet", role: "group", css, data: { sheet: n } },
      make("h2"),
      make("div", { className: "maps" }, ...cells),
    );
  }

  // Tell how pixel (h, w) of map `o` of layer `n` was made.
  tell(shown, n, o, h, w) {
    if (this.shown !== shown) this.draw(shown);
    const at = [n, o].join();
    if (this.at !== at) this.part = null;
    Object.assign(this, { at, n, o, h, w });
    this.nameMaps();
    this.explain();
  }

  nameMaps() {
    const { maps, h: height, w: width } = this.shown;
    for (const sheet of this.sheets.children) {
      const { sheet: n } = sheet.dataset;
      const map = maps[n];
      sheet.firstChild.textContent = sheetWords(Number(n), map.channels);
      sheet.setAttribute("aria-label", sheetWords(Number(n), map.channels));
      sheet.style.setProperty("--x", `${(100 * (this.w + 0.5)) / width}%`);
      sheet.style.setProperty("--y", `${(100 * (this.h + 0.5)) / height}%`);
      const margin = (map.h - height) / 2;
      for (const cell of all(".map", sheet)) {
        const o = Number(cell.dataset.o);
        const row = o * map.h + this.h + margin;
        const value = withSign(map.data[row * map.w + this.w + margin]);
        cell.setAttribute("aria-label", t("Map {o}: {value} here", { o, value }));
        cell.title = `${o}: ${value}`;
        const isChosen = Number(n) === this.n && o === this.o;
        cell.setAttribute("aria-pressed", isChosen);
      }
    }
  }

  explain() {
    const { network, maps } = this.shown;
    const { n, o, h, w } = this;
    const made = madeOf(network, maps, n, o, h, w);
    const byWeight = [...made.parts].sort((a, b) => Math.abs(b.sum) - Math.abs(a.sum));
    const part = made.parts[this.part ?? byWeight[0].c];
    const focused = document.activeElement?.dataset.part;
    this.numbers.replaceChildren(
      make("h2", { text: unitWords(n, o, h, w) }),
      ...(n > 1 ? [this.drawParts(made, byWeight, part)] : []),
      this.drawProducts(made, part),
      this.drawSum(made),
    );
    if (focused) one(`[data-part="${focused}"]`, this.numbers)?.focus();
  }

  // The sums over the maps below: the largest one by one, the others together.
  drawParts({ parts }, byWeight, part) {
    const largest = byWeight.slice(0, MOST);
    if (!largest.includes(part)) largest[MOST - 1] = part;
    const most = Math.abs(byWeight[0].sum) || 1;
    const rest = parts.filter((other) => !largest.includes(other));
    const list = largest.map(({ c, sum }) =>
      make(
        "button",
        {
          type: "button",
          className: sum < 0 ? "part minus" : "part",
          css: { "--part": Math.abs(sum) / most },
          data: { part: c, value: sum },
          ariaPressed: String(c === part.c),
        },
        make("span", { text: t("map {c}", { c }) }),
        make("b", { text: withSign(sum) }),
      ),
    );
    const sum = rest.reduce((total, other) => total + other.sum, 0);
    const others = make(
      "p",
      { className: "part", data: { rest: rest.length, value: sum } },
      make("span", { text: t("{n} others", { n: rest.length }) }),
      make("b", { text: withSign(sum) }),
    );
    const words = t("What each map below adds, the largest first. Choose one.");
    const name = t("What each map below adds");
    return make(
      "div",
      { className: "parts" },
      make("p", { className: "note", text: words }),
      make("div", { role: "group", name }, ...list, others),
    );
  }

  chosePart(target) {
    const part = target.closest("[data-part]");
    if (!part) return;
    this.part = Number(part.dataset.part);
    this.explain();
  }

  // Pixels times weights: three grids of k by k.
  drawProducts({ k }, { c, pixels, weights, products, sum }) {
    const seen =
      this.n === 1
        ? t("{k}×{k} pixels of luma / 255", { k })
        : t("{k}×{k} pixels of map {c}", { k, c });
    return make(
      "div",
      { className: "product", css: { "--k": k }, data: { c } },
      numberGrid("pixels", seen, pixels, this.n === 1 ? grayParts : null),
      make("b", { className: "sign", text: "×" }),
      numberGrid("weights", t("the weights"), weights),
      make("b", { className: "sign", text: "=" }),
      numberGrid("products", t("the products"), products),
      make("p", { className: "sum", data: { value: sum } }, t("Their sum is {sum}.", {
        sum: withSign(sum),
      })),
    );
  }

  drawSum({ parts, bias, sum, value }) {
    const total = sum - bias;
    const line = make("p", { className: "total", data: { bias, sum, value } });
    const numbers = { total: withSign(total), bias: withSign(bias), sum: withSign(sum) };
    numbers.n = parts.length;
    const added =
      this.n === 1
        ? t("With the bias of {bias} that is {sum}.", numbers)
        : t("The {n} sums are {total} in all. With the bias of {bias} that is {sum}.", numbers);
    const ends =
      this.n < 3
        ? t("tanh({sum}) = {value}, this pixel of the map.", {
            sum: numbers.sum,
            value: withSign(value),
          })
        : t("255 · {sum} = {luma}, the luma of this pixel of the image.", {
            sum: numbers.sum,
            luma: (255 * value).toFixed(1),
          });
    line.textContent = `${added} ${ends}`;
    return line;
  }
}

const grayParts = (value) => Array(3).fill(lumaGray(255 * value));

// k by k numbers, each on the color of its sign and size.
function numberGrid(name, words, numbers, color = null) {
  const most = Math.max(...numbers.map(Math.abs)) || 1;
  const cells = numbers.map((value) => {
    const rgb = (color ?? ((number) => signColor(number / most)))(value);
    const css = { "--fill": `rgb(${rgb.join(" ")})`, "--ink": inkOn(rgb) };
    const text = color ? value.toFixed(3) : withSign(value, 3);
    return make("span", { text, css, data: { value } });
  });
  return make(
    "div",
    { className: "grid", data: { grid: name } },
    make("p", { text: words }),
    make("div", { className: "squares" }, ...cells),
  );
}

function sheetWords(n, count) {
  if (n === 1) return t("Layer 1: {count} maps, from 5×5 pixels of luma", { count });
  if (n === 2) return t("Layer 2: {count} maps, from 3×3 pixels of all 64", { count });
  return t("Layer 3: {count} channels, from 3×3 pixels of all 32", { count });
}

function unitWords(n, o, h, w) {
  const words = { n, o, h, w };
  return n < 3
    ? t("Layer {n}, map {o}, LR pixel ({h}, {w})", words)
    : t("Channel {o}, LR pixel ({h}, {w})", words);
}
