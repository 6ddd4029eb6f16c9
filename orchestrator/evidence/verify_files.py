"""The first look at a pack: what lies there, and whether it is what its lists say."""

from pathlib import Path

from orchestrator.evidence import manifest
from orchestrator.evidence.seal import EVIDENCE, NOT_EVIDENCE, NOT_SM3, SEALS, SM3, SUMS
from orchestrator.evidence.sm import sm3
from orchestrator.evidence.trust import Findings

NEEDED = (
    "run.json",
    "journal/events.jsonl",
    "plan/plan.json",
    "ledger/ledger.jsonl",
    *(f"report/report.{language}.{kind}" for language in ("zh", "en") for kind in ("html", "pdf")),
)


def look_at_files(folder: Path, found: Findings) -> None:
    """Links and odd names, then each list against what lies there. Reads nothing through a link."""
    for name, reason in manifest.odd(folder):
        found.fault(name, reason)
    sums = _listed(folder, SUMS, found)
    if sums is not None:
        _compare(folder, SUMS, sums, manifest.files(folder, SEALS), found)
    evidence = _listed(folder, EVIDENCE, found)
    if evidence is not None:
        _compare(folder, EVIDENCE, evidence, manifest.files(folder, NOT_EVIDENCE), found)
    if (folder / SM3).exists():
        _sm3(folder, found)
    for name in NEEDED:
        if not is_plain(folder, name):
            found.fault(name, "expected in every pack, found none")


def is_plain(folder: Path, name: str) -> bool:
    """A file reached without a link."""
    parts = Path(name).parts
    way = [folder.joinpath(*parts[: count + 1]) for count in range(len(parts))]
    return way[-1].is_file() and not any(step.is_symlink() for step in way)


def _listed(folder: Path, name: str, found: Findings) -> dict[str, str] | None:
    if not is_plain(folder, name):
        found.fault(name, "expected the list of the pack's files, found none")
        return None
    try:
        return manifest.parsed((folder / name).read_bytes())
    except manifest.NotAManifest as error:
        found.fault(name, str(error))
        return None


def _compare(
    folder: Path,
    name: str,
    listed: dict[str, str],
    there: list[str],
    found: Findings,
    digest: manifest.Digest = manifest.sha256,
) -> None:
    for file in sorted(listed.keys() - set(there)):
        found.fault(file, f"listed in {name}, not in the pack")
    for file in sorted(set(there) - listed.keys()):
        found.fault(manifest.printable(file), f"in the pack, not listed in {name}")
    for file in sorted(listed.keys() & set(there)):
        _content(folder, name, file, listed[file], found, digest)


def _content(folder: Path, name: str, file: str, expected: str, found: Findings, digest: manifest.Digest) -> None:
    content = (folder / file).read_bytes()
    if digest(content) == expected:
        return
    if digest(content.replace(b"\r\n", b"\n")) == expected:
        found.fault(file, f"changed since it was listed in {name}: its line ends were converted to CRLF")
    else:
        found.fault(file, f"changed since it was listed in {name}")


def _sm3(folder: Path, found: Findings) -> None:
    listed = _listed(folder, SM3, found)
    if listed is not None:
        _compare(folder, SM3, listed, manifest.files(folder, NOT_SM3), found, sm3)
