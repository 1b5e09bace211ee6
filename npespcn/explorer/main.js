// --- main: the choices, the views, the keys, the theme ---

const VIEWS = { map: mapView, steps: stepsView, quiz: quizView, photo: photoView };
let current = null;

const ORDER_NOTES = {
  CRD: "CRD is the order of PyTorch, of ONNX's CRD mode, and of this library.",
  DCR: "DCR is the order of TensorFlow's depth_to_space and of ONNX's DCR mode.",
  paper: "paper is equation 4 of Shi et al. 2016 with x the row.",
};

function orderNote({ order, C }) {
  const rule = `k = ${inWords(FORMULAS[order])}.`;
  const same =
    C === 1 && order !== "paper" ? " With one image channel, CRD and DCR are the same." : "";
  return `${ORDER_NOTES[order]} ${rule}${same}`;
}

function enterView() {
  current?.leave();
  current = VIEWS[state.mode];
  for (const view of Object.values(VIEWS)) view.root.hidden = view !== current;
  showChoices();
  current.enter();
}

// Set the buttons from the state. In the photograph r and C are the network's.
function showChoices() {
  const setup = setupOf(state);
  const shown = { ...state, r: setup.r, c: setup.C };
  for (const input of all("#choices input")) {
    input.checked = input.value === String(shown[input.name]);
    input.disabled = state.mode === "photo" && (input.name === "r" || input.name === "c");
  }
  for (const part of all("[data-only]")) part.hidden = part.dataset.only !== state.mode;
  one("#order-note").textContent = orderNote(setup);
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
  const busy = event.target.closest("input, select, button, .cell, canvas");
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

function showTheme() {
  document.documentElement.dataset.theme = isDark() ? "dark" : "light";
  one("#theme").textContent = isDark() ? "Light" : "Dark";
  one("#theme").setAttribute("aria-label", `Change to ${isDark() ? "light" : "dark"}`);
}

function openAddress() {
  Object.assign(state, readAddress(location.hash));
  showTheme();
  enterView();
}

for (const view of Object.values(VIEWS)) view.start();
one("#choices").addEventListener("change", chosen);
one("#choices").addEventListener("submit", (event) => event.preventDefault());
one("#theme").addEventListener("click", () => {
  state.theme = isDark() ? "light" : "dark";
  showTheme();
  saveAddress();
});
darkSystem.addEventListener("change", showTheme);
document.addEventListener("keydown", keyPressed);
addEventListener("hashchange", openAddress);
openAddress();
