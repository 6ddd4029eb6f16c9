"""The report on paper: PDF/A, the same bytes each time, with run.json inside and a glyph for every character."""

import hashlib
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from orchestrator.model.record import RunRecord
from orchestrator.report.basis import rules
from orchestrator.report.pdf import FAMILIES, Embedded, MissingGlyphs, html_to_pdf, render_pdf
from orchestrator.report.render import run_json
from orchestrator.report.texts import Language, catalogue
from orchestrator.rules.clauses import clause_register
from tests.report import record_example

DIGEST = "5e" * 32
ROOT = Path(__file__).parents[2]
# Another process, with another seed of hashes, another zone and another folder.
AGAIN = """
import hashlib
from orchestrator.report.pdf import render_pdf
from orchestrator.report.render import run_json
from tests.report import record_example
record = record_example.documented()
print(hashlib.sha256(render_pdf(record, "zh", run_json(record).encode(), "5e" * 32)).hexdigest())
"""


@cache
def paper(variant: str, language: Language) -> bytes:
    record: RunRecord = getattr(record_example, variant)()
    return render_pdf(record, language, run_json(record).encode(), DIGEST)


def read(pdf: bytes) -> PdfReader:
    return PdfReader(BytesIO(pdf))


def root(reader: PdfReader) -> Any:
    return reader.trailer["/Root"]


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in read(pdf).pages)


def page_of(text: str) -> str:
    style = 'body { font-family: "Noto Sans CJK SC" }'
    return f"<!doctype html><html lang=en><title>x</title><style>{style}</style><p>{escape(text)}</p></html>"


def test_another_process_writes_the_same_bytes(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", AGAIN], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == hashlib.sha256(paper("documented", "zh")).hexdigest()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_it_declares_pdf_a_3a_with_its_language_and_tags(language: Language) -> None:
    reader = read(paper("documented", language))
    metadata = root(reader)["/Metadata"].get_data().decode()
    assert re.search(r'pdfaid:part="3"|<pdfaid:part>3<', metadata)
    assert re.search(r'pdfaid:conformance="A"|<pdfaid:conformance>A<', metadata)
    assert root(reader)["/MarkInfo"]["/Marked"]
    assert root(reader)["/Lang"].startswith(language)
    assert "/OutputIntents" in root(reader)


def test_run_json_is_inside_as_its_source_and_is_the_very_file() -> None:
    reader = read(paper("documented", "zh"))
    assert reader.attachments["run.json"] == [run_json(record_example.documented()).encode()]
    (number,) = {reference.idnum for reference in root(reader)["/AF"]}
    specification: Any = reader.get_object(number)
    assert specification["/AFRelationship"] == "/Source"
    assert specification["/EF"]["/F"]["/Params"]["/CreationDate"].startswith("D:20261121013041")


@pytest.mark.parametrize(("variant", "stamp"), [("not_started", True), ("documented", False)])
def test_every_page_has_the_run_its_number_and_if_simulated_the_stamp(variant: str, stamp: bool) -> None:
    pages = [page.extract_text() for page in read(paper(variant, "zh")).pages]
    record: RunRecord = getattr(record_example, variant)()
    for number, text in enumerate(pages, 1):
        assert record.run in text
        assert re.search(rf"第\s*{number}\s*页，共\s*{len(pages)}\s*页", text)
        assert ("仿真预演（不计入实操演练）" in text) is stamp


def test_only_fonts_of_ours_are_used_and_all_are_inside() -> None:
    fonts = [font.get_object() for page in read(paper("documented", "zh")).pages for font in _fonts(page)]
    names = {str(font["/BaseFont"]).partition("+")[2] for font in fonts}
    assert {name.replace("-", " ").removesuffix(" Bold") for name in names} <= FAMILIES
    assert all("/DescendantFonts" in font for font in fonts)
    descriptors = [font["/DescendantFonts"][0]["/FontDescriptor"] for font in fonts]
    assert all({"/FontFile", "/FontFile2", "/FontFile3"} & set(one) for one in descriptors)


def _fonts(page: Any) -> Iterator[Any]:
    yield from page["/Resources"]["/Font"].values()


def test_what_the_html_says_stands_on_paper_too() -> None:
    text = re.sub(r"\s", "", text_of(paper("documented", "zh")))
    for said in ("F-20261121T093000-7f3a-1", "陈静", "2026-118", DIGEST, "sha256sum--check", "签到与签署", "W100200"):
        assert said in text, said


def test_every_text_of_ours_has_glyphs() -> None:
    ours = [*catalogue().values(), *(rule.title for rule in rules()), *(rule.asks for rule in rules())]
    clauses = [title for clause in clause_register().clauses for title in (clause.text, clause.section)]
    characters = {char for title in (*ours, *clauses) for char in title.zh + title.en}
    html_to_pdf(page_of("".join(sorted(characters))))


def test_a_character_without_a_glyph_is_an_error_that_names_it() -> None:
    with pytest.raises(MissingGlyphs, match=r"MISSING_GLYPH: .*U\+1F680") as caught:
        html_to_pdf(page_of("start \U0001f680"))
    assert caught.value.characters == ("\U0001f680",)


def test_a_character_that_only_another_font_of_this_machine_has_is_missing_too() -> None:
    with pytest.raises(MissingGlyphs, match=r"U\+0531"):  # Armenian: not in Noto CJK, but in DejaVu, which most have
        html_to_pdf(page_of("\u0531"))


def test_what_a_site_says_in_strange_characters_is_spelled() -> None:
    record = record_example.not_started()
    versions = {**record.versions, "vendor \U0001f680": "1.0\u001b[0m"}
    strange = record.model_copy(update={"versions": versions})
    text = re.sub(r"\s", "", text_of(render_pdf(strange, "en", run_json(strange).encode())))
    assert "vendor[U+1F680]" in text


def test_a_text_of_our_own_is_never_spelled() -> None:
    record = record_example.not_started()
    strange = record.model_copy(update={"versions": {"vendor \U0001f680": "1"}})
    with pytest.raises(MissingGlyphs):
        render_pdf(strange, "en", run_json(record).encode())


def test_a_page_that_asks_for_something_is_an_error() -> None:
    page = page_of("x").replace("<p>", '<img src="http://203.0.113.9/x.png"><p>')
    with pytest.raises(RuntimeError, match=r"http://203\.0\.113\.9/x\.png"):
        html_to_pdf(page)


def test_a_warning_of_the_writer_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="no-such-property"):
        html_to_pdf(page_of("x").replace("body {", "body { no-such-property: 1;"))
    assert not logging.getLogger("weasyprint").handlers[1:], "the collector is gone"


def test_other_pages_of_ours_can_be_written_with_files_inside() -> None:
    pdf = html_to_pdf(page_of("x"), [Embedded("a.json", b"{}", "data", 0.0), Embedded("b.json", b"[]", "data", 0.0)])
    assert read(pdf).attachments == {"a.json": [b"{}"], "b.json": [b"[]"]}


def test_hostile_texts_stay_texts_on_paper() -> None:
    record = record_example.hostile()
    pdf = render_pdf(record, "zh", run_json(record).encode())
    assert "alert(1)" in text_of(pdf)
    assert "/JavaScript" not in str(root(read(pdf)))
