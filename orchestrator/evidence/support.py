"""A support bundle as one ZIP file: what was gathered, its MANIFEST.json, a README in two languages, SHA256SUMS.

Nothing is named finished before it was looked through for known secrets.
"""

import os
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from orchestrator.errors import DefinitionError, Refused
from orchestrator.evidence import manifest as listed
from orchestrator.evidence import support_readme
from orchestrator.evidence.disk import folder_to_disk
from orchestrator.evidence.readme import LANGUAGES
from orchestrator.evidence.scan import scan
from orchestrator.model.support import SupportManifest

MANIFEST = "MANIFEST.json"
SUMS = "SHA256SUMS"
_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that ZIP knows
_UNIX, _MODE = 3, 0o600 << 16
_LEVEL = 6  # our choice: logs become a tenth; higher levels gain little
_NAMED = 10  # our choice: so many places are named in a refusal


def seal(folder: Path, manifest: SupportManifest, secrets: Iterable[str], target: Path) -> str:
    """Add manifest, READMEs and sums to what was gathered in `folder`, look through all, write `target`; its sha256.

    Refused SECRET_FOUND: a known secret is in it, and nothing is written. DefinitionError: `target` cannot be written.
    """
    try:
        _complete(folder, manifest)
        _need_clean(folder, manifest, secrets)
        return _written(folder, manifest.bundle, target)
    except FileExistsError as error:
        raise DefinitionError(f"--to: expected no {target} yet, found one; it is not overwritten") from error
    except OSError as error:
        raise DefinitionError(f"--to: expected to write {target}, found: {error.strerror or error}") from error


def _complete(folder: Path, manifest: SupportManifest) -> None:
    text = manifest.model_dump_json(indent=2) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    for language in LANGUAGES:
        said = support_readme.text(language, manifest)
        (folder / f"README.{language}.txt").write_text(said, encoding="utf-8")
    (folder / SUMS).write_text(listed.as_text(listed.listing(folder)), encoding="ascii")


def _need_clean(folder: Path, manifest: SupportManifest, secrets: Iterable[str]) -> None:
    """What the hosts and the mask did not take out: in an archive, in another encoding, in a name."""
    hits = scan(folder, secrets)
    if hits:
        paths = {item.name: f"{item.host}:{item.path}" for item in manifest.taken}
        places = "; ".join(
            f"{paths.get(hit.file, hit.file)} at byte {hit.offset} ({hit.form})" for hit in hits[:_NAMED]
        )
        more = f" and {len(hits) - _NAMED} more places" if len(hits) > _NAMED else ""
        raise Refused(
            "SECRET_FOUND",
            f"expected no known secret in what was gathered, found one in {places}{more}; nothing is written. Leave "
            "the file out (`--leave-out PATH`) or change the secret, then gather again",
        )


def _written(folder: Path, bundle: str, target: Path) -> str:
    """Whole under its name, or not there. FileExistsError: somebody was faster."""
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with draft.open("xb") as file:
            draft.chmod(0o600)
            with ZipFile(file, "w", ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
                for name in listed.files(folder):
                    archive.writestr(_entry(f"{bundle}/{name}"), (folder / name).read_bytes())
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, target)  # refuses where there is one, which a rename would not
        folder_to_disk(target.parent)
        return sha256(draft.read_bytes()).hexdigest()
    finally:
        draft.unlink(missing_ok=True)


def _entry(name: str) -> ZipInfo:
    """Without anything of this machine. The same content gives the same bytes, with the same zlib."""
    entry = ZipInfo(name, _DATE)
    entry.create_system, entry.external_attr, entry.compress_type = _UNIX, _MODE, ZIP_DEFLATED
    return entry
