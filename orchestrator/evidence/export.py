"""A pack as one ZIP file: the same pack gives the same bytes, on every machine and at every time."""

import os
from hashlib import sha256
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from orchestrator.errors import DefinitionError, Refused
from orchestrator.evidence import manifest
from orchestrator.evidence.disk import folder_to_disk
from orchestrator.evidence.seal import SEALS, SUMS

_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that ZIP knows
_UNIX, _MODE = 3, 0o644 << 16


def export(pack: Path, run: str, target: Path) -> str:
    """Write the pack as `target` and return the file's sha256. In it everything lies under the run's name.

    DefinitionError: there is a file already, or no folder for it. Refused: the pack is not sealed, or was changed.
    """
    _need_whole(pack)
    if target.exists():
        raise DefinitionError(f"--to {target}: expected a new file, found one; it is not overwritten")
    if not target.parent.is_dir():
        raise DefinitionError(f"--to {target}: expected the folder {target.parent}, found none")
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        _write(pack, run, draft)
        os.link(draft, target)  # refuses where somebody was faster, which a rename would not
        folder_to_disk(target.parent)
    except FileExistsError as error:
        raise DefinitionError(f"--to {target}: expected a new file, found one; it is not overwritten") from error
    except OSError as error:
        raise DefinitionError(f"--to {target}: expected to write it, found: {error.strerror or error}") from error
    finally:
        draft.unlink(missing_ok=True)
    return sha256(target.read_bytes()).hexdigest()


def _need_whole(pack: Path) -> None:
    if not (pack / SUMS).is_file():
        raise Refused("NOT_SEALED", f"expected the sealed pack {pack} with {SUMS}, found none")
    try:
        listed = manifest.parsed((pack / SUMS).read_bytes())
    except manifest.NotAManifest as error:
        raise Refused("PACK_CHANGED", f"{pack / SUMS}: {error}") from error
    found = manifest.listing(pack, SEALS)
    wrong = sorted(name for name in listed.keys() | found.keys() if listed.get(name) != found.get(name))
    if wrong:
        raise Refused(
            "PACK_CHANGED",
            f"{pack / wrong[0]}: expected the pack as it was sealed, found this file changed, added or removed; "
            f"`drillctl evidence verify {pack}` says all",
        )


def _write(pack: Path, run: str, draft: Path) -> None:
    with draft.open("xb") as file:
        with ZipFile(file, "w", ZIP_STORED) as archive:
            for name in manifest.files(pack):
                archive.writestr(_entry(f"{run}/{name}"), (pack / name).read_bytes())
        file.flush()
        os.fsync(file.fileno())


def _entry(name: str) -> ZipInfo:
    """Without anything of this machine: no times, no owners, no modes of its own."""
    entry = ZipInfo(name, _DATE)
    entry.create_system, entry.external_attr = _UNIX, _MODE
    return entry
