"""`drillctl plan DRILL --runbook` as an operator types it."""

from pathlib import Path

import pytest

from tests.support.command import drillctl

HOST = ("plan", "gateway-host-failure", "--mode", "drill")


@pytest.mark.slow
def test_the_runbook_is_written_in_both_languages_and_its_paths_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "control room" / "paper"
    said = drillctl(*HOST, "--runbook", "--to", str(folder), "--json", state=tmp_path)
    assert said.code == 0, said.err
    assert said.document["plan"].endswith(said.document["digest"][:8])
    files = {name: Path(path) for name, path in said.document["runbook"].items()}
    assert set(files) == {"zh html", "en html", "zh pdf", "en pdf"}
    assert set(files.values()) == set(folder.iterdir())
    assert said.document["digest"] in files["en html"].read_text(encoding="utf-8")
    assert all(files[name].read_bytes().startswith(b"%PDF") for name in ("zh pdf", "en pdf"))


def test_a_folder_without_a_runbook_is_one_clear_line(tmp_path: Path) -> None:
    said = drillctl(*HOST, "--to", str(tmp_path / "x"), state=tmp_path)
    assert (said.code, said.out) == (2, "")
    assert "--to: expected --runbook with it, found none" in said.err
    assert not (tmp_path / "x").exists()


def test_a_file_where_the_folder_should_be_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("mine")
    said = drillctl(*HOST, "--runbook", "--to", str(file), state=tmp_path)
    assert (said.code, said.out) == (2, "")
    assert f"--to {file}: expected a folder that can be written to" in said.err
    assert file.read_text() == "mine"


def test_a_plan_that_is_refused_writes_nothing(tmp_path: Path) -> None:
    said = drillctl(
        "plan",
        "single-carrier-failure",
        "--set",
        "carrier=satcom",
        "--runbook",
        "--to",
        str(tmp_path / "x"),
        state=tmp_path,
    )
    assert said.code == 3, said.err
    assert not (tmp_path / "x").exists()
