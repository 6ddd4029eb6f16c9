"""Files that people hand in with what they confirm: copied into the run's folder under a plain name of ours."""

import hashlib
import re
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from orchestrator.errors import DefinitionError, Refused
from orchestrator.evidence.disk import replace
from orchestrator.evidence.people_files import CONFIRMATIONS
from orchestrator.evidence.scan import scan
from orchestrator.model.record import EvidenceFile

MOST_BYTES = 10_000_000  # our choice: a scan, a screenshot or a log; the pack carries it for years
MOST_FILES = 8  # our choice
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")


def read_all(paths: Sequence[Path]) -> list[tuple[Path, bytes]]:
    """Every file whole. DefinitionError names each that cannot be taken; nothing is copied then."""
    if len(paths) > MOST_FILES:
        raise DefinitionError(f"--evidence: expected at most {MOST_FILES} files, found {len(paths)}")
    return [(path, _read(path)) for path in paths]


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise DefinitionError(
                f"--evidence {path}: expected a file, found {'a folder' if path.is_dir() else 'none'}"
            )
        size = path.stat().st_size
        if not 0 < size <= MOST_BYTES:
            raise DefinitionError(f"--evidence {path}: expected 1 to {MOST_BYTES} bytes, found {size}")
        return path.read_bytes()
    except OSError as error:
        raise DefinitionError(f"--evidence {path}: expected a file that can be read, found: {error}") from error


def refuse_secrets(files: Sequence[tuple[Path, bytes]], secrets: Iterable[bytes | str]) -> None:
    """What holds a known secret could never be sealed: it is refused now, before it is on record."""
    with tempfile.TemporaryDirectory(prefix="drillctl-handed-in-") as scratch:
        for number, (path, data) in enumerate(files):
            (Path(scratch) / f"{number}{_suffix(path)}").write_bytes(data)
        hits = scan(Path(scratch), secrets)
    if hits:
        number = int(Path(hits[0].file).stem)
        raise Refused(
            "SECRET_FOUND",
            f"--evidence {files[number][0]}: expected no known secret, found one at byte {hits[0].offset} "
            f"({hits[0].form}); take it out, or hand in something else",
        )


def keep(folder: Path, step: str, files: Sequence[tuple[Path, bytes]]) -> list[EvidenceFile]:
    """Copy them; the same file twice is one."""
    home = folder / CONFIRMATIONS
    if files:
        home.mkdir(parents=True, exist_ok=True)
    found: dict[str, EvidenceFile] = {}
    for path, data in files:
        digest = hashlib.sha256(data).hexdigest()
        name = f"{step}-{digest[:16]}{_suffix(path)}"
        replace(home / name, data)
        found[name] = EvidenceFile(name=path.name, file=name, sha256=digest, size=len(data))
    return list(found.values())


def _suffix(path: Path) -> str:
    return path.suffix.lower() if _SUFFIX.fullmatch(path.suffix) else ""
