// Predictions stay in the browser, and opening an answer opens the outputs that belong to it.
document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll(".prediction").forEach((field, number) => {
    const key = `npespcn ${location.pathname.split("/").pop()} ${number}`;
    field.value = localStorage.getItem(key) ?? "";
    field.addEventListener("input", () => localStorage.setItem(key, field.value));
  });
  document.querySelectorAll(".admonition.answer").forEach((answer) => {
    answer.addEventListener("click", () => {
      if (answer.classList.contains("toggle-hidden")) return;
      for (let next = answer.nextElementSibling; next; next = next.nextElementSibling) {
        if (next.matches(".predict")) return;
        if (next.matches("details")) next.open = true;
      }
    });
  });
});
