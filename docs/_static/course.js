// The course's memory, in this browser: predictions, and which lessons are done.

const DONE = "npespcn done ";
const isDone = (lesson) => localStorage.getItem(DONE + lesson) !== null;

// Put numbers into words such as "{0} of {1} done".
const fill = (words, ...numbers) => words.replace(/\{(\d)\}/g, (_, place) => numbers[place]);

// The name of a lesson's page: "04_convolution.html".
const nameOf = (path) => path.split("/").pop();

// How many predictions of a lesson have been written; a page has no more than fifty.
const predictions = (lesson) =>
  [...Array(50).keys()].filter((n) => localStorage.getItem(`npespcn ${lesson} ${n}`)).length;

function keepPrediction(field, number) {
  const key = `npespcn ${nameOf(location.pathname)} ${number}`;
  field.value = localStorage.getItem(key) ?? "";
  field.addEventListener("input", () => localStorage.setItem(key, field.value));
}

// Opening an answer opens the outputs that belong to it.
function openOutputs(answer) {
  answer.addEventListener("click", () => {
    if (answer.classList.contains("toggle-hidden")) return;
    for (let next = answer.nextElementSibling; next; next = next.nextElementSibling) {
      if (next.matches(".predict")) return;
      if (next.matches("details")) next.open = true;
    }
  });
}

function atTheEnd(end) {
  const lesson = nameOf(location.pathname);
  const [button, count] = end.children;
  const words = { true: button.dataset.done, false: button.textContent };
  const fields = document.querySelectorAll(".prediction");

  function show() {
    button.textContent = words[isDone(lesson)];
    button.setAttribute("aria-pressed", isDone(lesson));
    const written = [...fields].filter((field) => field.value.trim()).length;
    count.textContent = fields.length ? fill(count.dataset.words, written, fields.length) : "";
  }

  button.addEventListener("click", () => {
    if (isDone(lesson)) localStorage.removeItem(DONE + lesson);
    else localStorage.setItem(DONE + lesson, "yes");
    show();
  });
  fields.forEach((field) => field.addEventListener("input", show));
  end.hidden = false;
  show();
}

function overTheGallery(bar) {
  const cards = [...document.querySelectorAll(".lesson-cards > li")].map((card) => {
    const link = card.querySelector("a");
    const state = card.appendChild(document.createElement("p"));
    state.className = "state";
    return { card, link, state, lesson: nameOf(link.pathname) };
  });
  const course = cards.filter(({ lesson }) => /^\d/.test(lesson)); // the appendix is no duty
  const [progress, count] = [bar.querySelector("progress"), bar.querySelector(".count")];
  const [goOn, next] = bar.querySelector(".go-on").parentElement.children;
  const [forget, words] = [bar.querySelector("button"), goOn.textContent];

  function show() {
    for (const { card, state, lesson } of cards) {
      const written = predictions(lesson);
      card.classList.toggle("done", isDone(lesson));
      const parts = isDone(lesson) ? [bar.dataset.done] : [];
      if (written) parts.push(fill(bar.dataset.predictions, written));
      state.textContent = parts.join(" · ");
    }
    const left = course.filter(({ lesson }) => !isDone(lesson));
    progress.max = course.length;
    progress.value = course.length - left.length;
    count.textContent = fill(count.dataset.words, course.length - left.length, course.length);
    goOn.parentElement.hidden = left.length === 0;
    goOn.textContent = left.length === course.length ? goOn.dataset.begin : words;
    if (left.length) [next.href, next.textContent] = [left[0].link.href, left[0].link.textContent];
    forget.disabled = !cards.some(({ lesson }) => isDone(lesson));
  }

  forget.addEventListener("click", () => {
    cards.forEach(({ lesson }) => localStorage.removeItem(DONE + lesson));
    show();
  });
  window.addEventListener("pageshow", show); // also on the way back from a lesson
  bar.hidden = false;
  show();
}

// From a file, no page may read another: then the search cannot show excerpts, and says so.
function sayWhatSearchCannot(results) {
  if (location.protocol !== "file:") return;
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
  const note = document.createElement("p");
  note.className = "search-note";
  note.textContent = "This page was opened from a file. So the search finds pages and sections, but "
    + "cannot show what they say: a browser lets no file read another.";
  results.after(note);
}

const uses = {
  ".prediction": keepPrediction,
  ".admonition.answer": openOutputs,
  ".lesson-end": atTheEnd,
  ".course-bar": overTheGallery,
  "#search-results": sayWhatSearchCannot,
};
for (const [selector, use] of Object.entries(uses)) {
  document.querySelectorAll(selector).forEach(use);
}
