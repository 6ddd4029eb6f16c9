"""Documents remember where each field stands, also after another one was taken in."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import DefinitionError, Problem
from orchestrator.loader.document import Document, parse, read
from orchestrator.model.base import Frozen


def document(folder: Path, name: str, text: str) -> Document:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return read(file)


def line(found: Document, *path: str | int) -> str:
    return Path(found.where(path)).name


SITE = "name: example\nfronts:\n  - id: own\n    port: 1\n  - id: second\nlist: [x]\n"
CATALOGUE = "# listed\nfronts:\n  - id: listed\n    port: 2\n  - id: other\n    port: 3\ncentres:\n  - id: futian\n"


@pytest.fixture
def merged(tmp_path: Path) -> Document:
    site = document(tmp_path, "site.yml", SITE)
    site.merge(document(tmp_path, "catalogue.yml", CATALOGUE))
    return site


def test_every_field_knows_its_line(tmp_path: Path) -> None:
    found = document(tmp_path, "site.yml", SITE)
    assert (line(found, "name"), line(found, "fronts", 0, "port"), line(found, "fronts", 1, "id")) == (
        "site.yml:1",
        "site.yml:4",
        "site.yml:5",
    )


def test_a_field_that_is_not_there_stands_where_it_is_missing(tmp_path: Path) -> None:
    found = document(tmp_path, "site.yml", SITE)
    assert line(found, "fronts", 1, "port") == "site.yml:5"
    assert line(found, "fronts", 7, "port") == "site.yml:2"
    assert line(found, "nowhere") == "site.yml:1"
    assert found.located(Problem(("name",), "wrong")).where.endswith("site.yml:1")


def test_lists_of_the_same_name_are_joined_the_other_document_first(merged: Document) -> None:
    assert [item["id"] for item in merged.data["fronts"]] == ["listed", "other", "own", "second"]
    assert merged.data["centres"] == [{"id": "futian"}]
    assert (merged.data["name"], merged.data["list"]) == ("example", ["x"])


def test_joined_lists_keep_the_lines_of_both_documents(merged: Document) -> None:
    assert [line(merged, "fronts", index, "id") for index in range(4)] == [
        "catalogue.yml:3",
        "catalogue.yml:5",
        "site.yml:3",
        "site.yml:5",
    ]
    assert line(merged, "fronts", 2, "port") == "site.yml:4"
    assert line(merged, "fronts", 1, "port") == "catalogue.yml:6"
    assert (line(merged, "centres", 0, "id"), line(merged, "list", 0)) == ("catalogue.yml:8", "site.yml:6")


def test_a_second_merge_shifts_what_the_first_brought(merged: Document, tmp_path: Path) -> None:
    merged.merge(document(tmp_path, "more.yml", "fronts:\n  - id: newest\n"))
    assert [item["id"] for item in merged.data["fronts"]] == ["newest", "listed", "other", "own", "second"]
    assert [line(merged, "fronts", index, "id") for index in range(5)] == [
        "more.yml:2",
        "catalogue.yml:3",
        "catalogue.yml:5",
        "site.yml:3",
        "site.yml:5",
    ]


def test_a_document_may_be_taken_in_under_a_field(tmp_path: Path) -> None:
    site = document(tmp_path, "site.yml", "people:\n  roles:\n    - a\n")
    site.merge(document(tmp_path, "more.yml", "roles:\n  - b\nphones: [1]\n"), ("people",))
    assert site.data == {"people": {"roles": ["b", "a"], "phones": [1]}}
    assert (line(site, "people", "roles", 0), line(site, "people", "roles", 1)) == ("more.yml:2", "site.yml:3")
    assert line(site, "people", "phones", 0) == "more.yml:3"


def test_only_lists_are_joined(tmp_path: Path) -> None:
    site = document(tmp_path, "site.yml", "name: old\nrest: 1\n")
    site.merge(document(tmp_path, "more.yml", "name: new\n"))
    assert site.data == {"name": "new", "rest": 1}
    assert line(site, "name") == "more.yml:1"


# Reading -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1: expected a mapping of fields, found nothing"),
        ("- a\n", "1: expected a mapping of fields, found a list"),
        ("a: 1\nb:\n  c: 1\n  c: 2\n", "4: c: expected each key once, found it again (first in line 3)"),
        ("a: [1\nb: 2\n", "2: expected valid YAML"),
        ("a: *nothing\n", "1: expected valid YAML"),
        ("a:\n\tb: 1\n", "2: expected valid YAML"),
        ("a: 1\n---\nb: 2\n", "2: expected valid YAML"),
        ("a: 2026-13-45\n", " expected valid YAML"),
    ],
)
def test_text_that_is_no_document_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        document(tmp_path, "bad.yml", text)
    assert f"bad.yml:{said}" in str(caught.value)


def test_a_file_that_is_missing_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=r"none\.yml: expected a file, found none"):
        read(tmp_path / "none.yml")
    (tmp_path / "binary.yml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DefinitionError, match=r"binary\.yml: .*UTF-8"):
        read(tmp_path / "binary.yml")


# Validating ----------------------------------------------------------------------------------------


class Inner(Frozen):
    port: int


class Outer(Frozen):
    name: str
    items: tuple[Inner, ...] = ()


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        parse(Outer, document(tmp_path, "outer.yml", text))
    return [str(problem).removeprefix(f"{tmp_path}/") for problem in caught.value.problems]


def test_a_right_document_becomes_its_model(tmp_path: Path) -> None:
    found: Any = parse(Outer, document(tmp_path, "outer.yml", "name: a\nitems: [{port: 1}]\n"))
    assert found == Outer(name="a", items=(Inner(port=1),))


def test_every_problem_has_its_line_and_says_what_was_found(tmp_path: Path) -> None:
    found = problems(tmp_path, "name: a\nitems:\n  - port: x\n  - {}\nmore: 1\n")
    assert [item.split(": ")[0:2] for item in found] == [
        ["outer.yml:3", "items.0.port"],
        ["outer.yml:4", "items.1.port"],
        ["outer.yml:5", "more"],
    ]
    assert "found 'x'" in found[0]
    assert "expected this field, found nothing" in found[1]
    assert "expected no such field" in found[2]
