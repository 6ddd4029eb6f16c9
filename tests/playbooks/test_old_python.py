"""The on-host programs on the oldest Python that they promise: every source compiles, a whole repoint works."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.playbooks.harness import ROOT, Vendor
from tests.playbooks.vendor.front import Front, Registry

SOURCES = sorted((ROOT / "playbooks/onhost").glob("*.py"))


def _oldest() -> str | None:
    """A Python 3.6: in PATH, or one that pyenv has."""
    candidates = [shutil.which("python3.6"), *_of_pyenv()]
    return next((name for name in candidates if name and _is_36(name)), None)


def _of_pyenv() -> list[str]:
    pyenv = shutil.which("pyenv")
    if pyenv is None:
        return []
    root = subprocess.run([pyenv, "root"], capture_output=True, text=True, check=True).stdout.strip()
    return sorted(str(path) for path in Path(root).glob("versions/3.6*/bin/python3"))


def _is_36(name: str) -> bool:
    asked = [name, "-c", "import sys; print(sys.version_info[:2] == (3, 6))"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() == "True"


PYTHON = _oldest()
pytestmark = pytest.mark.skipif(PYTHON is None, reason="no Python 3.6 found in PATH or pyenv")


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.stem))
def test_every_program_compiles(source: Path) -> None:
    check = "import sys; compile(open(sys.argv[1], encoding='utf-8').read(), sys.argv[1], 'exec')"
    subprocess.run([str(PYTHON), "-I", "-S", "-c", check, str(source)], check=True)


@pytest.fixture
def old_vendor(tmp_path: Path, fronts: list[Front]) -> Iterator[Vendor]:
    made = Vendor(tmp_path / "gw", [fronts[0].endpoint, fronts[1].endpoint], python=str(PYTHON))
    made.start()
    made.arm()
    yield made
    made.end()


def test_a_whole_repoint_and_its_undo(old_vendor: Vendor, fronts: list[Front], registry: Registry) -> None:
    digest, old = old_vendor.sha256(), old_vendor.endpoints()
    moved = old_vendor.ask("repoint", endpoints=[fronts[2].endpoint], expected_sha256=digest, rollback=True)
    assert (moved["outcome"], moved["acknowledged"]) == ("succeeded", True), moved["message"]
    assert old_vendor.ask("state")["python"][:2] == [3, 6]
    back = old_vendor.ask("restore", endpoints=old, restore_sha256=digest)
    assert (back["outcome"], old_vendor.config.read_bytes()) == ("succeeded", old_vendor.original)
    assert not registry.duplicates


FORMATS = """
import vendor_file
base = dict(encoding="gbk", separator=",", entry="{address}:{port}", attributes=["ip", "port"])
cases = [
    (dict(format="xml", element="G/U", item="S"), '<G><!--讀--><U>\\n <S ip="1.1.1.1" port="1" w="讀"/>\\n</U></G>'),
    (dict(format="json", pointer="/讀"), '{"讀": [{"ip": "1.1.1.1", "port": 1}]}'),
    (dict(format="properties", key="k"), '# 讀\\nk = 1.1.1.1:1'),
    (dict(format="delimited", begin="B", end="E"), '讀\\r\\nB\\r\\n1.1.1.1:1\\r\\nE'),
]
for spec, text in cases:
    spec, data = dict(base, **spec), text.encode("gbk")
    new = vendor_file.write_endpoints(data, spec, ["2.2.2.2:2", "3.3.3.3:3"])
    assert vendor_file.read_endpoints(new, spec) == ["2.2.2.2:2", "3.3.3.3:3"], spec
    assert vendor_file.write_endpoints(new, spec, ["1.1.1.1:1"]) == data, spec
"""


def test_every_format_is_read_and_written() -> None:
    path = f"import sys; sys.path.insert(0, {str(ROOT / 'playbooks/onhost')!r})\n"
    subprocess.run([str(PYTHON), "-B", "-I", "-S", "-"], input=(path + FORMATS).encode(), check=True)


REDACTED = """
import vendor_redaction
base = dict(encoding="gbk", separator=",", entry="{address}:{port}", attributes=["ip", "port"])
cases = [
    (dict(format="ini", section="M", key="k"), '; hunter22\\n[M]\\npw = 讀hunter22\\nk = 1.1.1.1:1'),
    (dict(format="xml", element="G/U", item="S"), '<G pw="hunter22"><U><S ip="1.1.1.1" port="1"/></U></G>'),
    (dict(format="json", pointer="/讀"), '{"pw": "hunter22", "讀": [{"ip": "1.1.1.1", "port": 1}]}'),
    (dict(format="properties", key="k"), 'pw = hunter22\\nk = 1.1.1.1:1'),
    (dict(format="delimited", begin="B", end="E"), 'hunter22\\nB\\n1.1.1.1:1\\nE'),
]
for spec, text in cases:
    found = vendor_redaction.redacted(text.encode("gbk"), dict(base, **spec), "W1", b"key")
    assert "hunter22" not in found and "1.1.1.1" in found and "hmac:" in found, (spec, found)
"""


def test_every_format_is_redacted() -> None:
    path = f"import sys; sys.path.insert(0, {str(ROOT / 'playbooks/onhost')!r})\n"
    subprocess.run([str(PYTHON), "-B", "-I", "-S", "-"], input=(path + REDACTED).encode(), check=True)
