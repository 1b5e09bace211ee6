// --- main: the views, the choices, the keys, the theme and the language ---

let current = null;

const orderNotes = () => ({
  CRD: t("CRD is the order of PyTorch, of ONNX's CRD mode, and of this library."),
  DCR: t("DCR is the order of TensorFlow's depth_to_space and of ONNX's DCR mode."),
  paper: t("paper is equation 4 of Shi et al. 2016 with x the row."),
});

function orderNote({ order, C }) {
  const rule = `k = ${inWords(FORMULAS[order])}${language() === "zh" ? "。" : "."}`;
  const same =
    C === 1 && order !== "paper" ? t("With one image channel, CRD and DCR are the same.") : "";
  return `${orderNotes()[order]} ${rule} ${same}`.trim();
}

function enterView() {
  current?.leave();
  current = VIEWS[state.mode];
  for (const view of Object.values(VIEWS)) view.root.hidden = view !== current;
  showChoices();
  current.enter();
}

function showChoices() {
  for (const input of all("#views input, #choices input"))
    input.checked = input.value === String(state[input.name]);
  for (const part of all("#choices [data-choice]"))
    part.hidden = !current.choices.includes(part.dataset.choice);
  const { title, lead } = current.root.dataset;
  one("h1").textContent = title;
  one("#lead").textContent = lead;
  one("#order-note").hidden = current.note === false || !current.choices.includes("order");
  one("#order-note").textContent = orderNote(setupOf(state));
}

function chosen({ target }) {
  const { name, value } = target;
  state[name] = ALLOWED[name].find((allowed) => String(allowed) === value);
  if (name !== "mode") state.step = 0;
  enterView();
  saveAddress();
}

// Keys of the player, unless the focus is where the same keys mean something else.
function keyPressed(event) {
  const player = current.player;
  const busy = event.target.closest("input, select, button, .cell, canvas, [role=slider]");
  if (!player || busy || event.ctrlKey || event.altKey || event.metaKey) return;
  const keys = {
    ArrowLeft: "back",
    ArrowRight: "forward",
    Home: "first",
    End: "last",
    " ": "play",
  };
  if (!(event.key in keys)) return;
  event.preventDefault();
  player.does(keys[event.key]);
}

const darkSystem = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (state.theme ? state.theme === "dark" : darkSystem.matches);

function showLanguage() {
  const [code, name] = language() === "zh" ? ["en", "English"] : ["zh-CN", "中文"];
  Object.assign(one("#language"), { lang: code, textContent: name });
}

function showTheme() {
  document.documentElement.dataset.theme = isDark() ? "dark" : "light";
  one("#theme").textContent = isDark() ? t("Light") : t("Dark");
  one("#theme").setAttribute("aria-label", isDark() ? t("Change to light") : t("Change to dark"));
  current?.themed?.(); // for a view that draws on a canvas
}

// The whole page from the state.
function showPage() {
  document.documentElement.classList.toggle("embedded", Boolean(state.embed));
  translatePage();
  showLanguage();
  showTheme();
  enterView();
}

function openAddress() {
  Object.assign(state, readAddress(location.hash));
  showPage();
}

// A page that has this one in a frame sends its theme and language, and hears how high this one is.
function told({ data }) {
  for (const name of ["theme", "lang"])
    if (ALLOWED[name].includes(data?.[name])) state[name] = data[name];
  if (data?.theme || data?.lang) showPage();
}

if (parent !== window) {
  addEventListener("message", told);
  new ResizeObserver(() => {
    parent.postMessage({ height: Math.ceil(document.body.getBoundingClientRect().height) }, "*");
  }).observe(document.body);
}

for (const view of Object.values(VIEWS)) view.start();
collectTexts(document.body);
for (const form of all("#views, #choices")) {
  form.addEventListener("change", chosen);
  form.addEventListener("submit", (event) => event.preventDefault());
}
one("#theme").addEventListener("click", () => {
  state.theme = isDark() ? "light" : "dark";
  showTheme();
  saveAddress();
});
one("#language").addEventListener("click", () => {
  state.lang = language() === "zh" ? "en" : "zh";
  showPage();
  saveAddress();
});
darkSystem.addEventListener("change", showTheme);
document.addEventListener("keydown", keyPressed);
addEventListener("hashchange", openAddress);
openAddress();
