"""A disk that refuses a write keeps a command from being begun, and never from being seen to have ended."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from orchestrator.engine import guard
from orchestrator.errors import NeedsPerson, StepFailed
from orchestrator.guarding import files
from orchestrator.ports import Fate
from tests.guard.commands import finish, shell, swept
from tests.support.disks import fill, is_full, small_disk

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk: needs root")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "256k") as place, swept(place / "steps" / "arm-1"):
        yield place


def test_on_a_full_disk_nothing_is_begun_and_it_is_said(disk: Path, tmp_path: Path) -> None:
    folder, effect = disk / "steps" / "arm-1", tmp_path / "effect"
    folder.mkdir(parents=True)
    ballast = fill(disk)
    with pytest.raises(StepFailed, match=r"No space left.*nothing was begun"):
        guard.start(folder, shell(f"touch {effect}"))
    with pytest.raises(NeedsPerson, match="make room there"):
        guard.fate(folder)
    ballast.unlink()
    assert guard.fate(folder) is Fate.NEVER
    assert not effect.exists()


def test_a_guard_that_finds_the_disk_full_begins_nothing_and_says_why(disk: Path, tmp_path: Path) -> None:
    folder, effect = disk / "steps" / "arm-1", tmp_path / "effect"
    folder.mkdir(parents=True)
    files.replace(folder / files.COMMAND, asdict(shell(f"touch {effect}")))
    ballast = fill(disk)
    command = [sys.executable, "-S", "-s", "-P", "-m", "orchestrator.guarding", str(folder)]
    done = subprocess.run(command, env={"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert b"No space left" in done.stderr
    ballast.unlink()
    assert guard.fate(folder) is Fate.NEVER
    assert not effect.exists()


def test_on_a_disk_that_is_read_only_nothing_is_begun(disk: Path, tmp_path: Path) -> None:
    effect = tmp_path / "effect"
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(StepFailed, match=r"Read-only file system.*nothing was begun"):
        guard.start(disk / "steps" / "arm-1", shell(f"touch {effect}"))
    assert not effect.exists()


def test_a_disk_that_fills_up_while_the_command_is_at_work_does_not_hide_its_end(disk: Path) -> None:
    folder = disk / "steps" / "arm-1"
    guard.start(folder, shell(f"cat /dev/zero > {disk}/ballast; exit 3"))
    _, result = finish(folder)
    assert (result.ended, result.returncode) == ("exited", 3)
    assert guard.fate(folder) is Fate.FINISHED


def test_a_command_can_be_stopped_on_a_full_disk(disk: Path) -> None:
    folder = disk / "steps" / "arm-1"
    guard.start(folder, shell(f"cat /dev/zero > {disk}/ballast; exec sleep 600"))
    _, result = finish(folder, lambda: is_full(disk))
    assert result.ended == "stopped"
