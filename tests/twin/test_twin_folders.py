"""Folders of twins: only what bears a twin's mark is ever removed, wherever the folder of twins may be."""

from pathlib import Path

import pytest

from orchestrator.twin.launch import end
from orchestrator.twin.state import living, make_folder, twins_root


def test_what_is_not_a_twin_is_never_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRILLCTL_TWINS", str(tmp_path))
    (tmp_path / "work" / ".git").mkdir(parents=True)
    (tmp_path / "work" / "state.json").write_text("{}")
    make_folder(tmp_path / "stale")
    assert living() == []
    assert (tmp_path / "work" / ".git").is_dir()
    assert not (tmp_path / "stale").exists()
    end("work", tmp_path / "work")
    assert (tmp_path / "work" / "state.json").is_file()


def test_an_empty_setting_is_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRILLCTL_TWINS", "")
    assert twins_root() == Path("/run/drillctl/twins")
