"""Reads a report as a browser would: elements with their text, in document order."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"meta", "br", "col", "img", "link", "input", "hr"}
_SILENT = {"style", "script"}


@dataclass
class Page(HTMLParser):
    """Collects what a test asks for. `words` is text of ours; `data` is text marked as data of the site."""

    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    data: list[str] = field(default_factory=list)
    _open: list[tuple[str, bool]] = field(default_factory=list)

    @classmethod
    def of(cls, html: str) -> "Page":
        page = cls()
        HTMLParser.__init__(page, convert_charrefs=True)
        page.feed(html)
        page.close()
        assert not page._open, f"unclosed: {[name for name, _ in page._open]}"
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        if tag not in _VOID:
            classes = attributes.get("class", "").split()
            marked = tag in {"code", "pre"} or bool({"data", "number", "host", "gw", "router-id"}.intersection(classes))
            self._open.append((tag, marked))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        name, _ = self._open.pop()
        assert name == tag, f"</{tag}> closes <{name}>"

    def handle_data(self, data: str) -> None:
        if any(tag in _SILENT for tag, _ in self._open) or not data.strip():
            return
        (self.data if any(marked for _, marked in self._open) else self.words).append(data.strip())

    @property
    def text(self) -> str:
        return "\n".join([*self.words, *self.data])
