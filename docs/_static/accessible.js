// What the theme leaves out: levels of headings, names of landmarks, keys where something scrolls.
document.addEventListener("DOMContentLoaded", () => {
  for (const caption of document.querySelectorAll("[role=heading]:not([aria-level])")) {
    caption.setAttribute("aria-level", "2");
  }
  const names = { ".sidebar-drawer": ".sidebar-brand-text", ".toc-drawer": ".toc-title" };
  for (const [landmark, name] of Object.entries(names)) {
    const words = document.querySelector(name)?.textContent.trim();
    if (words) document.querySelector(landmark)?.setAttribute("aria-label", words);
  }
  const resized = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  for (const each of document.querySelectorAll("pre, .table-wrapper, div.math")) {
    resized.observe(each);
  }
});
