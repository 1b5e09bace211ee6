// The explorer in a frame: it follows the page's theme, and the frame is as high as its content.
{
  const frames = [...document.querySelectorAll("iframe.explorer")];
  const darkSystem = matchMedia("(prefers-color-scheme: dark)");

  const theme = () => {
    const chosen = document.body.dataset.theme;
    return chosen === "auto" ? (darkSystem.matches ? "dark" : "light") : chosen;
  };
  // A page on a disk has no origin that could be named: "*".
  const tell = (frame) => frame.contentWindow.postMessage({ theme: theme() }, "*");
  const tellAll = () => frames.forEach(tell);

  new MutationObserver(tellAll).observe(document.body, { attributeFilter: ["data-theme"] });
  darkSystem.addEventListener("change", tellAll);
  addEventListener("message", ({ data, source }) => {
    const frame = frames.find((each) => each.contentWindow === source);
    if (!frame || !(data?.height > 0)) return;
    const border = frame.offsetHeight - frame.clientHeight;
    frame.style.height = `${data.height + border}px`;
  });
  for (const frame of frames) {
    frame.addEventListener("load", () => tell(frame));
    frame.src = `${frame.dataset.src}&theme=${theme()}`; // now that the answer is waited for
  }
}
