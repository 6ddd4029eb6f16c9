"""The heat map of failures: one page that asks for nothing, in both languages."""

import re
from datetime import date
from functools import cache
from html import unescape
from html.parser import HTMLParser

from orchestrator.planner.survey import Survey
from orchestrator.planner.whatif import WhatIf
from orchestrator.report.whatif import FATES, render
from tests.planner.example import TOPOLOGY, changed
from tests.support.sites import RoomSpec, SiteSpec, topology_of

TODAY = date(2026, 11, 22)
_VOID = {"meta", "br"}


@cache
def page() -> str:
    return render(Survey(WhatIf(TOPOLOGY, TODAY)))


class _Balanced(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - as the library has it
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_every_tag_is_closed() -> None:
    parser = _Balanced()
    parser.feed(page())
    assert not parser.open


def test_it_asks_for_nothing() -> None:
    assert not re.findall(r"<link|src=|href=|url\(|@import", page())
    assert "default-src 'none'" in unescape(page())
    assert "<script" not in page()


def test_each_fate_has_its_letter_and_both_languages() -> None:
    for letter, title in FATES.values():
        assert f'>{letter}</b>{title.zh} <span lang="en">{title.en}</span>' in page()


def test_the_map_is_the_same_from_both_sides() -> None:
    body = page().split('<table class="map">')[1].split("</table>")[0]
    rows = [
        [int(text or 0) for text in re.findall(r"<td[^>]*>(\d*)</td>", row)]
        for row in body.split("<tbody>")[1].split("</tr>")
        if "<td" in row
    ]
    assert len(rows) > 20
    assert rows == [list(column) for column in zip(*rows, strict=True)]
    assert max(max(row) for row in rows) == 14


def test_the_same_site_gives_the_same_bytes() -> None:
    assert render(Survey(WhatIf(TOPOLOGY, TODAY))) == page()


def test_names_of_the_site_are_no_markup() -> None:
    title = {"zh": "<b>甲</b>", "en": "<i>A</i> & B"}
    hostile = render(Survey(WhatIf(changed({"routers": {"ce-a": {"title": title}}}), TODAY)))
    assert "<b>甲</b>" not in hostile
    assert "&lt;b&gt;甲&lt;/b&gt;" in hostile


def test_a_site_that_loses_alone_says_so_first() -> None:
    spec = SiteSpec(rooms=(RoomSpec("static", (("alpha", "futian"), ("alpha", "southern")), far=False),))
    found = render(Survey(WhatIf(topology_of(spec), TODAY)))
    assert '<div class="tile bad">' in found
    assert "造成网关无法恢复的单一故障" in found
