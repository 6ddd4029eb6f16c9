"""What is written to a run's folder: the record that can be read back, and a report per language."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from orchestrator.model.record import RunRecord
from orchestrator.report.render import css_string, render, run_json, write
from tests.report import record_example
from tests.report.conftest import VARIANTS


def test_three_files_are_written_and_nothing_else(tmp_path: Path) -> None:
    record = record_example.passed()
    written = write(record, tmp_path)
    assert {name: path.name for name, path in written.items()} == {
        "json": "run.json",
        "zh": "report.zh.html",
        "en": "report.en.html",
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.en.html", "report.zh.html", "run.json"]
    assert written["zh"].read_bytes() == render(record, "zh").encode()


@pytest.mark.parametrize("variant", VARIANTS)
def test_run_json_can_be_read_back_and_meets_the_schema(variant: str) -> None:
    record = VARIANTS[variant]()
    text = run_json(record)
    assert RunRecord.model_validate_json(text) == record
    schema = RunRecord.model_json_schema()
    Draft202012Validator.check_schema(schema)
    assert list(Draft202012Validator(schema).iter_errors(json.loads(text))) == []


def test_run_json_is_canonical() -> None:
    text = run_json(record_example.passed())
    assert text == json.dumps(json.loads(text), sort_keys=True, ensure_ascii=False, indent=2) + "\n"


def test_a_report_that_cannot_be_written_whole_does_not_replace_the_old_one(tmp_path: Path) -> None:
    write(record_example.passed(), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    broken = record_example.failed().model_copy(update={"clock_offset_s": {"gw-a1": float("nan")}})
    with pytest.raises(ValueError, match="JSON"):
        write(broken, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_no_text_ends_a_css_string() -> None:
    assert css_string('a"}</style>') == '"a\\000022\\00007d\\00003c\\00002fstyle\\00003e"'
