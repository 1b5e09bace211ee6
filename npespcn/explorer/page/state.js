// --- state: what is chosen, and its copy in the address ---

// What a reader chooses with buttons. A view names those that it uses in `choices`.
const ALLOWED = {
  mode: DATA.views,
  r: [2, 3, 4],
  c: [1, 3],
  order: Object.keys(ORDERS),
  method: ["loop", "reshape", "concat"],
  theme: ["light", "dark"],
  lang: ["en", "zh"],
  embed: [1], // inside another page: the choices of the view and the view alone
};

const DEFAULTS = {
  mode: "map",
  ...DATA.start, // r, c and order, as the command line was told
  method: "loop",
  theme: null, // as the system says
  lang: null, // as the browser says
  embed: null,
};

// What a view keeps in the address besides its choices: name, value at the start, reader and writer. A reader
// returns undefined for a text that is not valid; a writer returns null where nothing is to be said.
//   keeps: { step: { start: 0, read: (text, state) => ..., write: (value) => ... } }
const VIEWS = {};
const state = { ...DEFAULTS };

const numbersIn = (text) =>
  text
    .split(",")
    .filter((part) => /^\d+$/.test(part))
    .map(Number);

const kept = () => Object.values(VIEWS).flatMap((view) => Object.entries(view.keeps ?? {}));

// Read what is valid of "#r=3&order=dcr"; the rest stays as it is by default.
function readAddress(hash) {
  const read = { ...DEFAULTS };
  const words = new URLSearchParams(hash.replace(/^#/, ""));
  for (const [name, allowed] of Object.entries(ALLOWED)) {
    const text = words.get(name)?.toLowerCase();
    read[name] = allowed.find((one) => String(one).toLowerCase() === text) ?? read[name];
  }
  for (const [name, { start, read: valueOf }] of kept()) {
    const text = words.get(name);
    read[name] = (text === null ? undefined : valueOf(text, read)) ?? start;
  }
  return read;
}

// Only what matters to the view, so that the links stay short.
function toAddress(from) {
  const view = VIEWS[from.mode];
  const parts = [`mode=${from.mode}`];
  for (const name of view.choices) parts.push(`${name}=${String(from[name]).toLowerCase()}`);
  for (const [name, { write }] of Object.entries(view.keeps ?? {})) {
    const text = write(from[name]);
    if (text !== null) parts.push(`${name}=${text}`);
  }
  for (const name of ["theme", "lang", "embed"]) {
    if (from[name]) parts.push(`${name}=${from[name]}`);
  }
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
