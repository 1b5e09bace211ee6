// --- text: the page in English, and in Chinese by a catalog ---
//
// The English text is the source, here and in the HTML. A view's zh.json has the Chinese of it, in
// which {name} stands for a value, as in English.

const CHINESE = DATA.chinese;
const squeezed = (text) => text.trim().replace(/\s+/g, " ");

const language = () => state.lang ?? (/^zh\b/.test(navigator.language) ? "zh" : "en");

// The text in the reader's language; {k} in it becomes values.k.
function t(english, values = {}) {
  const source = squeezed(english);
  const text = (language() === "zh" && CHINESE[source]) || source;
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

// The texts of the HTML: for each, its English and how to write it.
const TEXTS = [];
const NAMES = ["aria-label", "placeholder", "title", "alt", "data-title", "data-lead"];

function collectTexts(root) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const { data: english, parentElement } = node;
    if (!/\p{L}/u.test(english) || parentElement.closest("script, style, code, [translate=no]")) continue;
    const [before] = english.match(/^\s*/);
    const [after] = english.match(/\s*$/);
    TEXTS.push([english, (text) => (node.data = before + text + after)]);
  }
  for (const element of all(NAMES.map((name) => `[${name}]`).join(), root)) {
    for (const name of NAMES) {
      const english = element.getAttribute(name);
      if (english) TEXTS.push([english, (text) => element.setAttribute(name, text)]);
    }
  }
}

function translatePage() {
  document.documentElement.lang = language() === "zh" ? "zh-CN" : "en";
  document.title = t("Pixel shuffle explorer");
  for (const [english, write] of TEXTS) write(t(english));
}
