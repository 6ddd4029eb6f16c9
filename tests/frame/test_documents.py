"""What the documents promise is what the code does."""

import json
import re
from enum import StrEnum
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from orchestrator import errors
from orchestrator.cli.schema import schemas
from orchestrator.errors import DrillctlError
from orchestrator.model import calendar, drill, hours, people, records, topology
from orchestrator.model.drill import Drill
from orchestrator.rules.rulebook import RULES
from tests.frame.documents import DOCUMENTS, ROOT, blocks, links, tables

REFERENCE = ROOT / "docs/reference"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    lost = [target for target in links(document) if not (document.parent / target.partition("#")[0]).exists()]
    assert lost == []


def models(module: object) -> dict[str, type[BaseModel]]:
    """The models that a module defines itself."""
    name = getattr(module, "__name__", "")
    return {
        key: value
        for key, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, BaseModel) and value.__module__ == name
    }


PAGES = [
    ("inventory.md", topology),
    ("inventory.md", people),
    ("inventory.md", hours),
    ("calendar.md", calendar),
    ("drill.md", drill),
    ("records.md", records),
]


@pytest.mark.parametrize(("page", "module"), PAGES)
def test_the_reference_names_every_field_in_its_order_and_no_other(page: str, module: object) -> None:
    written = {name: [row[0] for row in rows] for name, rows in tables(REFERENCE / page).items()}
    for name, model in models(module).items():
        fields = [f"`{field.alias or key}`" for key, field in model.model_fields.items()]
        assert written.get(name) == fields, f"{page} ## {name}"


@pytest.mark.parametrize(("page", "module"), PAGES)
def test_the_reference_says_what_is_required(page: str, module: object) -> None:
    written = tables(REFERENCE / page)
    for name, model in models(module).items():
        said = {row[0]: row[2] == "required" for row in written[name]}
        needed = {f"`{field.alias or key}`": field.is_required() for key, field in model.model_fields.items()}
        assert said == needed, f"{page} ## {name}"


@pytest.mark.parametrize(("page", "module"), PAGES)
def test_the_reference_names_every_value_of_a_choice(page: str, module: object) -> None:
    text = (REFERENCE / page).read_text(encoding="utf-8")
    name = getattr(module, "__name__", "")
    values = [
        value
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, StrEnum) and kind.__module__ == name
        for value in kind
    ]
    assert values
    assert [value for value in values if f"`{value}`" not in text] == []


def test_every_exit_code_of_an_error_is_explained() -> None:
    explained = {int(row[0]) for row in tables(REFERENCE / "exit-codes.md")["Exit codes"]}
    kinds = [item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, DrillctlError)]
    assert {kind.exit_code for kind in kinds} | {0} == explained


def test_the_audit_page_lists_every_rule_as_it_is() -> None:
    written = [row[:3] for row in tables(REFERENCE / "audit-rules.md")["Audit rules"]]
    assert written == [[f"`{rule.id}`", rule.clause, rule.severity.value] for rule in RULES]


@pytest.mark.parametrize("name", sorted(schemas()))
def test_the_committed_schema_is_that_of_the_models(name: str) -> None:
    committed = json.loads((REFERENCE / name).read_text(encoding="utf-8"))
    assert committed == schemas()[name], "run `make schemas`"


@pytest.mark.parametrize("readme", ["README.md", "README.zh.md"])
def test_the_drill_in_the_readme_is_valid_and_short(readme: str) -> None:
    (text,) = blocks(ROOT / readme, "yaml")
    assert len(text.splitlines()) <= 15
    assert Drill.model_validate(yaml.safe_load(text)).drill == "single-centre-failure"


def test_both_readmes_have_the_same_structure() -> None:
    shapes = []
    for readme in ("README.md", "README.zh.md"):
        text = (ROOT / readme).read_text(encoding="utf-8")
        outputs = re.findall(r"<!-- output: (.*?) -->", text)
        counts = [len(re.findall(pattern, text, re.MULTILINE)) for pattern in (r"^## ", r"^- ", r"^\| `", r"^```")]
        targets = sorted(set(links(ROOT / readme)) - {"README.md", "README.zh.md"})
        shapes.append((outputs, counts, targets, blocks(ROOT / readme, "yaml")))
    assert shapes[0] == shapes[1]
