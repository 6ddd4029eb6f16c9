"""`support` of a profile: a wrong path or command is one line that names file, line and field."""

import shutil
from pathlib import Path

import pytest

from orchestrator.errors import DefinitionError
from orchestrator.loader.site import load_site
from tests.support.sites import ROOT

LOGS = '    logs: ["/opt/nqtrade/{id}/log/*.log*"]\n'
VERSION = "    version: [/opt/nqtrade/bin/nqctl, version]\n"


def message(folder: Path, old: str, new: str) -> tuple[str, int]:
    """What is said of the example with one line of its profiles changed, and the number of that line."""
    shutil.copytree(ROOT / "inventory", folder / "inventory")
    file = folder / "inventory/example/profiles.yml"
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(DefinitionError) as caught:
        load_site(folder / "inventory/example")
    assert len(caught.value.problems) == 1, str(caught.value)
    return str(caught.value), text[: text.index(old)].count("\n") + 1


@pytest.mark.parametrize("path", ["opt/gw/*.log", "/*.log", "/*/gw.log", "/opt/../etc/*", "/opt/gw/**/*.log", "/"])
def test_a_path_that_would_search_the_whole_host(tmp_path: Path, path: str) -> None:
    said, line = message(tmp_path, LOGS, f'    logs: ["{path}"]\n')
    where = f"profiles.yml:{line}: profiles.nq-trading.support.logs.0: "
    assert f"{where}expected an absolute path below a folder without wildcards" in said
    assert repr(path) in said


@pytest.mark.parametrize(
    "command", ['[/opt/nqtrade/bin/nqctl, start, "{number}"]', "[/opt/nqtrade/bin/nqctl, restart]", "[stop]"]
)
def test_a_version_command_that_starts_or_stops_something(tmp_path: Path, command: str) -> None:
    """A start may spend an attempt at an EKey's PIN."""
    said, _ = message(tmp_path, VERSION, f"    version: {command}\n")
    assert "profiles.nq-trading: support.version: expected a command that only says the version" in said


def test_an_empty_version_command(tmp_path: Path) -> None:
    said, line = message(tmp_path, VERSION, "    version: []\n")
    assert f"profiles.yml:{line}: profiles.nq-trading.support.version: " in said
