"""Both verifiers as one: what the product says of a pack or an archive, and what verify.sh says of it."""

import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

from orchestrator.evidence.trust import Findings, trust_of
from orchestrator.evidence.verify import look_at_pack
from orchestrator.evidence.verify_archive import look_at_archive
from tests.support.sites import ROOT

SCRIPT = ROOT / "docs" / "verify" / "verify.sh"
TOOLS = ("bash", "openssl", "sha256sum", "find", "diff")


_HELD: list[TemporaryDirectory[str]] = []  # removed when the tests end


@cache
def only_tools() -> Path:
    """A PATH with the five programs that verify.sh may use, and nothing else."""
    _HELD.append(TemporaryDirectory(prefix="drillctl-tools-"))
    folder = Path(_HELD[-1].name)
    for tool in TOOLS:
        found = which(tool)
        assert found, f"expected {tool} in PATH"
        (folder / tool).symlink_to(found)
    return folder


@dataclass(frozen=True)
class Told:
    """What a verifier said: faults and notes, one line each."""

    faults: tuple[str, ...]
    notes: tuple[str, ...]

    def names(self, *words: str) -> bool:
        """Whether one fault holds all of these."""
        return any(all(word in fault for word in words) for fault in self.faults)


def by_product(path: Path, *options: str, archive: bool = False) -> Told:
    given: dict[str, list[str]] = {"--signer": [], "--anchor": [], "--tsa": []}
    for name, value in zip(options[::2], options[1::2], strict=True):
        given[name].append(value)
    anchor, tsa = (next(iter(given[name]), None) for name in ("--anchor", "--tsa"))
    trust = trust_of(given["--signer"], anchor, Path(tsa) if tsa else None)
    found: Findings = look_at_archive(path, trust) if archive else look_at_pack(path, trust)[1]
    return Told(tuple(map(str, found.faults)), tuple(found.notes))


def by_script(path: Path, *options: str, archive: bool = False) -> Told:
    done = subprocess.run(
        [only_tools() / "bash", SCRIPT, *options, *(["--archive"] if archive else []), path],
        env={"PATH": str(only_tools())},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stderr == "", done.stderr
    *lines, last = done.stdout.splitlines()
    notes = tuple(line.strip() for line in lines if line.startswith("  "))
    faults = tuple(line for line in lines if not line.startswith("  "))
    assert (done.returncode, last.startswith("verified:")) == ((1, False) if faults else (0, True)), done.stdout
    return Told(faults, notes)


def verify(path: Path, *options: str, archive: bool = False) -> tuple[Told, Told]:
    return by_product(path, *options, archive=archive), by_script(path, *options, archive=archive)


def verified(path: Path, *options: str, archive: bool = False) -> tuple[Told, Told]:
    """Both say that all is well."""
    both = verify(path, *options, archive=archive)
    assert [told.faults for told in both] == [(), ()], [told.faults for told in both]
    return both


def caught(path: Path, *words: str, options: tuple[str, ...] = (), archive: bool = False) -> None:
    """Both have a fault that holds all of the words."""
    for told in verify(path, *options, archive=archive):
        assert told.names(*words), f"expected a fault with {words}, found {told.faults}"
