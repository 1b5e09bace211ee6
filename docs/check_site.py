"""Check the built site: links lead somewhere, nothing is loaded from elsewhere, nothing is missing.

``make docs`` runs this after Sphinx, which does not check the links of themes and raw HTML.
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

HERE = Path(__file__).parent
APP = "pixel-shuffle.html"  # its addresses have settings after the #, not places
NO_PAGE = {"__init__", "__main__", "commands"}  # commands.md is about the command line


class Page(HTMLParser):
    """A page's anchors, its links, and the addresses that it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.places, self.links, self.loads = {"", "top"}, [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        """Collect the tag's anchors and addresses."""
        at = dict(attributes)
        self.places |= {at[name] for name in ("id", "name") if at.get(name)}
        if at.get("href") is not None:
            (self.loads if tag == "link" else self.links).append(at["href"])
        sources = [part.split()[0] for part in (at.get("srcset") or "").split(",") if part.strip()]
        self.loads += [one for one in (at.get("src"), at.get("data"), *sources) if one]


def problems(site: Path) -> list[str]:
    """Return a line for each problem."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    found = [] if pages else [f"{site}: there are no pages"]
    for path, page in pages.items():
        for address in page.links + page.loads:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                if address in page.loads and parts.scheme != "data":
                    found.append(f"{path}: loads {address}")
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            places = pages[target].places if target in pages and target.name != APP else None
            if not target.is_file():
                found.append(f"{path}: {address} is not there")
            elif places is not None and unquote(parts.fragment) not in places:
                found.append(f"{path}: {address} has no such place")
    for path in site.rglob("*.css"):
        style = path.read_text(encoding="utf-8")
        for address in re.findall(r"""(?:url\(|@import\s+(?!url))\s*["']?([^"')\s]+)""", style):
            parts = urlsplit(address)
            inside = parts.scheme == "data" or not parts.path  # "#name" is in the file itself
            if parts.netloc or not (inside or (path.parent / parts.path).is_file()):
                found.append(f"{path}: {address} is elsewhere, or not there")
    package = HERE.parent / "npespcn"
    doors = {path.parent.name for path in package.glob("*/__init__.py")}
    modules = (doors | {path.stem for path in package.glob("*.py")}) - NO_PAGE
    pageless = {name for name in modules if not (site / "api" / f"npespcn.{name}.html").is_file()}
    return found + [f"docs/api.rst lacks npespcn.{name}" for name in sorted(pageless)]


if __name__ == "__main__":
    site = Path(sys.argv[1]).resolve()
    found = problems(site)
    megabytes = sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) / 1e6
    for line in found:
        print(line)
    print(f"{len(list(site.rglob('*.html')))} pages, {megabytes:.1f} MB, {len(found)} problems")
    sys.exit(1 if found else 0)
