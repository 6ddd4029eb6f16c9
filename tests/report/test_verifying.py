"""The commands that a report prints do what it says, on a pack that is honest and on one that is not."""

import re
import subprocess
from pathlib import Path

import pytest

from orchestrator.report.context import Context
from orchestrator.report.verifying import contents, ways
from tests.evidence.packs import Archive, Office
from tests.report import record_example


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed and stamped pack."""
    archive = Archive(tmp_path_factory.mktemp("archive") / "reports", Office.at(tmp_path_factory.mktemp("office")))
    archive.hold(0)
    return archive.pack(0)


@pytest.fixture
def pack(honest: Path, tmp_path: Path) -> Path:
    subprocess.run(["cp", "-a", str(honest), str(tmp_path / "pack")], check=True)
    return tmp_path / "pack"


COMMANDS = {way.what: way.command for way in ways(Context(record_example.passed(), "en"), "0" * 64)}


def run(name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (command,) = (command for command in COMMANDS.values() if command.startswith(name))
    return subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False)


NAMES = ("sha256sum --check", "openssl cms", "openssl x509", "openssl ts", "sha256sum EVIDENCE")


@pytest.mark.parametrize("name", NAMES)
def test_each_command_is_content_with_an_honest_pack(pack: Path, name: str) -> None:
    done = run(name, pack)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "file"),
    [("sha256sum --check", "run.json"), ("openssl cms", "SHA256SUMS"), ("openssl ts", "SHA256SUMS.p7s")],
)
def test_each_command_notices_a_changed_byte(pack: Path, name: str, file: str) -> None:
    content = bytearray((pack / file).read_bytes())
    content[len(content) // 2] ^= 1
    (pack / file).write_bytes(bytes(content))
    assert run(name, pack).returncode != 0


def test_the_fingerprint_is_the_signers(pack: Path) -> None:
    assert re.search(r"(?i)sha256 fingerprint=([0-9a-f]{2}:){31}[0-9a-f]{2}", run("openssl x509", pack).stdout)


def test_everything_that_the_report_names_is_in_a_pack_of_that_layout(pack: Path) -> None:
    known = {path.relative_to(pack).parts[0] for path in pack.rglob("*")}
    named = [
        name.partition("/")[0]
        for names, _ in contents(Context(record_example.passed(), "zh"))
        for name in names.split()
    ]
    optional = {
        "people",
        "configurations",
        "samples",
        "ansible",
        "hands",
        "checks",
        "interlocks.json",
        "findings.json",
        "plan",
    }
    assert [name for name in named if name not in known | optional] == []
