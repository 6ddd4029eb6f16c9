"""The fourth look: whether the reports are those of this evidence, and whether a PDF goes on after its signature."""

import re
from pathlib import Path

from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader

from orchestrator.evidence import manifest
from orchestrator.evidence.seal import EVIDENCE, SIGNER
from orchestrator.evidence.sign import signer_of, signers
from orchestrator.evidence.trust import Findings
from orchestrator.evidence.verify_files import is_plain

_LANGUAGES = ("zh", "en")
_RANGE = re.compile(rb"/ByteRange\s*\[\s*(\d{1,12})\s+(\d{1,12})\s+(\d{1,12})\s+(\d{1,12})\s*\]")


def look_at_reports(folder: Path, found: Findings) -> None:
    """Every HTML report prints the digest of the evidence; every PDF holds this run.json."""
    for language in _LANGUAGES:
        page, paper = (f"report/report.{language}.{kind}" for kind in ("html", "pdf"))
        if is_plain(folder, page) and is_plain(folder, EVIDENCE):
            _prints_digest(folder, page, found)
        if is_plain(folder, paper):
            _signature(folder, paper, found)
            _attachment(folder, paper, found)


def _prints_digest(folder: Path, page: str, found: Findings) -> None:
    digest = manifest.sha256((folder / EVIDENCE).read_bytes())
    if digest.encode() not in (folder / page).read_bytes():
        found.fault(page, f"expected the sha256 of {EVIDENCE} in it ({digest}), found none: it reports other evidence")


def _signature(folder: Path, paper: str, found: Findings) -> None:
    content = (folder / paper).read_bytes()
    ranges = [tuple(map(int, match.groups())) for match in _RANGE.finditer(content)]
    if not ranges:
        found.note(f"{paper} has no signature of its own; the pack's covers it")
        return
    if len(ranges) > 1:
        found.fault(paper, f"expected one signature, found {len(ranges)}: it was changed after it was signed")
        return
    start, first, second, rest = ranges[0]
    if (start, second + rest) != (0, len(content)) or first >= second:
        found.fault(paper, "expected its signature to cover the whole file, found more: it was changed after that")
        return
    _who_signed(folder, paper, content, (first, second), found)


def _who_signed(folder: Path, paper: str, content: bytes, gap: tuple[int, int], found: Findings) -> None:
    first, second = gap
    try:
        signature = bytes.fromhex(content[first + 1 : second - 1].decode("ascii"))
    except ValueError:
        found.fault(paper, "expected a signature in its place, found something else")
        return
    told = signers(signature, content[:first] + content[second:])
    if not told.certificates:
        found.fault(paper, f"expected a signature of this file, found another ({told.reason})")
    elif told.fingerprints != (signer_of(folder),):
        found.fault(paper, f"expected a signature by {SIGNER}, found one by {' '.join(told.fingerprints)}")


def _attachment(folder: Path, paper: str, found: Findings) -> None:
    try:
        attached = _attached(folder / paper)
    except (PdfError, ValueError, LookupError, TypeError, AttributeError) as error:
        found.fault(paper, f"expected a PDF, found what cannot be read as one: {error}")
        return
    if (folder / "run.json").is_file() and attached.get("run.json") != (folder / "run.json").read_bytes():
        found.fault(paper, "expected the pack's run.json embedded in it, found another or none")


def _attached(path: Path) -> dict[str, bytes]:
    """Files that are embedded in a PDF, by name. Only a flat list of names, as we write it."""
    with path.open("rb") as file:
        root = PdfFileReader(file).root
        if "/Names" not in root or "/EmbeddedFiles" not in root["/Names"]:
            return {}
        items = [item.get_object() for item in root["/Names"]["/EmbeddedFiles"]["/Names"]]
        return {str(name): bytes(kept["/EF"]["/F"].data) for name, kept in zip(items[::2], items[1::2], strict=True)}
