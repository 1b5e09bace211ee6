// --- state: what is chosen, and its copy in the address ---

const ALLOWED = {
  mode: ["map", "steps", "quiz", "photo"],
  r: [2, 3, 4],
  c: [1, 3],
  order: Object.keys(ORDERS),
  method: ["loop", "reshape", "concat"],
  theme: ["light", "dark"],
};

const DEFAULTS = {
  mode: "map",
  ...DATA.start, // r, c and order, as the command line was told
  method: "loop",
  theme: null, // as the system says
  step: 0,
  at: null, // the cell of the map: [c, row, col]
  silent: [], // channels of the photograph
};

const state = { ...DEFAULTS };

// The photograph is made by a network of one r and one C; the order is free.
const setupOf = ({ mode, r, c, order }) =>
  mode === "photo" ? { r: DATA.photo.r, C: 1, order } : { r, C: c, order };

const numbersIn = (text) =>
  text
    .split(",")
    .filter((part) => /^\d+$/.test(part))
    .map(Number);

// Read what is valid of "#r=3&order=dcr"; the rest stays as it is by default.
function readAddress(hash) {
  const read = { ...DEFAULTS };
  for (const [name, text] of new URLSearchParams(hash.replace(/^#/, ""))) {
    const allowed = Object.hasOwn(ALLOWED, name) ? ALLOWED[name] : [];
    const value = allowed.find((one) => String(one).toLowerCase() === text.toLowerCase());
    if (value !== undefined) read[name] = value;
  }
  const words = new URLSearchParams(hash.replace(/^#/, ""));
  read.step = numbersIn(words.get("step") ?? "")[0] ?? 0;
  read.silent = numbersIn(words.get("silent") ?? "").filter((k) => k < DATA.photo.r ** 2);
  const at = numbersIn(words.get("at") ?? "");
  const inside = at.length === 3 && at[0] < read.c && at[1] < H * read.r && at[2] < W * read.r;
  read.at = inside ? at : null;
  return read;
}

// Only what matters to the view, so that the links stay short.
function toAddress({ mode, r, c, order, method, theme, step, at, silent }) {
  const parts = [`mode=${mode}`];
  if (mode !== "photo") parts.push(`r=${r}`, `c=${c}`);
  parts.push(`order=${order.toLowerCase()}`);
  if (mode === "steps") parts.push(`method=${method}`, `step=${step}`);
  if (mode === "map" && at) parts.push(`at=${at}`);
  if (mode === "photo" && silent.length) parts.push(`silent=${silent}`);
  if (theme) parts.push(`theme=${theme}`);
  return `#${parts.join("&")}`;
}

// Browsers allow only so many changes of the address in a minute, and playing makes many.
let addressTimer = 0;
function saveAddress() {
  clearTimeout(addressTimer);
  addressTimer = setTimeout(() => {
    try {
      history.replaceState(null, "", toAddress(state));
    } catch {
      // A page inside another one may not change its address. It works without.
    }
  }, 200);
}
