"""The few commands that a newcomer types."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.errors import Refused
from orchestrator.twin.programs_needed import ensure_possible
from tests.frame.documents import ROOT

UTILITIES = ["sh", "env", "dirname", "sed", "cat", "sha256sum", "ls", "id", "dpkg-query"]


def printed(*command: str) -> str:
    """What it prints to a newcomer; the tests may themselves run under make, which would tell it so."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout


def test_help_lists_every_target() -> None:
    (line,) = [line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith(".PHONY:")]
    assert [row.split()[0] for row in printed("make", "help").splitlines()] == line.split()[1:]


@pytest.mark.parametrize(
    ("target", "first"),
    [
        ("demo", "tools/setup"),
        ("check", "tools/setup"),
        ("test", "tools/setup tests"),
        ("test-all", "tools/setup tests"),
    ],
)
def test_nothing_but_the_target_is_needed(target: str, first: str) -> None:
    assert printed("make", "--dry-run", target).splitlines()[0] == first


def test_demo_rehearses_the_loss_of_futian() -> None:
    command = "drillctl rehearse single-centre-failure --set centre=futian --response repoint"
    assert command in printed("make", "--dry-run", "demo")


def test_the_tests_include_the_checks_and_leave_the_matrix_to_test_all() -> None:
    assert "mypy" in printed("make", "--dry-run", "test")
    assert '-m "not matrix"' in printed("make", "--dry-run", "test")
    assert "matrix" not in printed("make", "--dry-run", "test-all")


def test_ci_runs_the_tests() -> None:
    assert os.access(ROOT / ".ci/run", os.X_OK)
    assert "exec make test\n" in (ROOT / ".ci/run").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="a twin asks for root before it asks for packages")
def test_setup_installs_what_a_twin_asks_for(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="PACKAGE_MISSING") as refusal:
        ensure_possible(str(tmp_path))
    asked = set(str(refusal.value).partition("apt-get install ")[2].split()) - {"util-linux"}  # Debian always has it
    listed = (ROOT / "tools/setup").read_text().partition('\nPACKAGES="')[2].partition('"')[0]
    assert asked
    assert asked <= set(listed.split())


@pytest.fixture
def bare_machine(tmp_path: Path) -> Path:
    """A checkout on a machine whose only Pythons are a pyenv shim that fails and the system's."""
    (tmp_path / "bin").mkdir()
    for name in UTILITIES:
        program = shutil.which(name)
        if program is None:
            pytest.skip(f"{name} is not installed")
        (tmp_path / "bin" / name).symlink_to(program)
    shim = tmp_path / "bin/python3.13"
    shim.write_text("#!/bin/sh\necho 'python3.13: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    checkout = tmp_path / "checkout"
    (checkout / "tools").mkdir(parents=True)
    for name in ("tools/setup", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, checkout / name)
    return checkout


def setup(checkout: Path) -> subprocess.CompletedProcess[str]:
    search = {"PATH": str(checkout.parent / "bin"), "HOME": str(checkout.parent)}
    return subprocess.run([checkout / "tools/setup"], env=search, capture_output=True, text=True, check=False)


def test_setup_without_a_new_enough_python_says_so_in_one_line_and_makes_nothing(bare_machine: Path) -> None:
    old = "import sys; sys.exit(sys.version_info >= (3, 12))"
    if subprocess.run(["/usr/bin/python3", "-c", old], check=False).returncode:
        pytest.skip("the system's own Python is new enough")
    result = setup(bare_machine)
    assert result.returncode == 1
    assert "expected Python 3.12 or later, found none" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (bare_machine / ".venv").exists()


def test_setup_has_nothing_to_do_the_second_time(bare_machine: Path) -> None:
    """The environment is in place and its stamp fits: not even pip is started."""
    programs = bare_machine / ".venv/bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to(sys.executable)
    stamp = 'eval "$(sed -n "/^wanted()/,/^}/p" tools/setup)" && wanted >.venv/.setup'  # setup's own function
    subprocess.run(["/bin/sh", "-c", stamp], cwd=bare_machine, check=True)
    result = setup(bare_machine)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("setup: ready (Python 3.")
    assert len(result.stdout.splitlines()) == 1
