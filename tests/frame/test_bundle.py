"""The offline bundle: what the product needs and nothing else, and it installs without a network."""

import hashlib
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.frame.documents import ROOT
from tools.bundle import build, chosen_pins, debian_packages, pack, pins, source_files

LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PYTHON = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info[1]}"


def test_every_pin_of_the_lock_is_found_whole() -> None:
    found = pins(LOCK)
    assert len(found) == len(re.findall(r"^[a-z0-9][^ =]*==", LOCK, re.MULTILINE))
    assert "".join(f"{pin}\n" for pin in found.values()) == LOCK


def test_what_the_product_stands_on_is_there_and_the_tests_own_is_not() -> None:
    names = set(pins(chosen_pins()))
    assert {"ansible-core", "fabric", "paramiko", "pydantic-core", "weasyprint", "setuptools"} <= names
    assert names & {"ruff", "mypy", "hypothesis", "ansible-lint", "import-linter", "yamllint"} == set()
    assert all("--hash=sha256:" in pin for pin in pins(chosen_pins()).values())


def test_the_debian_packages_are_those_of_setup_without_the_tests() -> None:
    assert {"openssh-server", "bird2", "fonts-noto-cjk"} <= set(debian_packages())
    assert {"chromium", "\\", ""} & set(debian_packages()) == set()


def test_the_source_is_the_product_without_tests_and_reports() -> None:
    found = source_files()
    assert {"orchestrator/cli/app.py", "playbooks/onhost/gateway.py", "inventory/example/hosts.yml"} <= set(found)
    assert {name.split("/")[0] for name in found} & {"tests", "benchmarks", ".venv", "dist"} == set()
    assert [name for name in found if name.startswith("reports/") and name.count("/") > 1] == []


@pytest.mark.matrix
def test_the_bundle_installs_without_a_network_and_plans(tmp_path: Path) -> None:
    made = build(tmp_path / "dist")
    sums = (tmp_path / "dist" / f"{made.name}.sha256").read_text()
    assert sums == f"{hashlib.sha256(made.read_bytes()).hexdigest()}  {made.name}\n"
    with tarfile.open(made) as archive:
        assert {(item.uid, item.gid, item.mtime) for item in archive} == {(0, 0, 0)}
        archive.extractall(tmp_path, filter="data")
    folder = tmp_path / made.name.removesuffix(".tar")
    target = tmp_path / "new"
    assert offline(folder, "./install.sh", str(target)).returncode == 0
    said = offline(target, ".venv/bin/drillctl", "plan", "single-centre-failure", "--set", "centre=futian")
    assert (said.returncode, "affected 5 of 14 gateways" in said.stdout) == (0, True), said.stderr
    again = offline(folder, "./install.sh", str(target))
    assert (again.returncode, "to be new or empty, found something there" in again.stderr) == (1, True)
    wheel = next((folder / "wheels").iterdir())
    wheel.write_bytes(wheel.read_bytes() + b"x")
    changed = offline(folder, "./install.sh", str(tmp_path / "other"))
    assert (changed.returncode, wheel.name in changed.stderr) == (1, True)
    assert not (tmp_path / "other").exists()


def test_the_same_files_give_the_same_bytes_whenever_and_by_whomever_they_were_made(tmp_path: Path) -> None:
    for name, names, at, mode in (("one", "abc", 1.0, 0o700), ("two", "cab", 2.0, 0o755)):
        folder = tmp_path / name / "drillctl"
        for file in names:
            (folder / file).mkdir(parents=True)
            (folder / file / "run.sh").write_text(file)
            (folder / file / "run.sh").chmod(mode)
            (folder / file / "text").write_text(file)
            (folder / file / "text").chmod(mode & 0o666)
            os.utime(folder / file / "text", (at, at))
        pack(folder, tmp_path / f"{name}.tar")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    with tarfile.open(tmp_path / "one.tar") as archive:
        modes = {item.name: item.mode for item in archive if item.isfile()}
    assert (modes["drillctl/a/run.sh"], modes["drillctl/a/text"]) == (0o755, 0o644)


def offline(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """In a network namespace without anything in it, and with nothing of this environment."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(folder), "PYTHON": str(PYTHON)}
    alone = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]
    done = [*alone, *command]
    return subprocess.run(done, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False)
