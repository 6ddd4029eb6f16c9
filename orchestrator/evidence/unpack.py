"""An exported pack (ZIP), laid out in a folder of its own for as long as it is looked at. Trusts no name in it."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import BadZipFile, ZipFile, ZipInfo

from orchestrator.errors import DefinitionError
from orchestrator.evidence.manifest import is_name, printable

_LARGEST = 2 << 30  # bytes unpacked; our choice: a pack of 200 gateways is a hundredth of it


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """The folder of the pack. DefinitionError: no ZIP, odd names, one name twice, links, more than one pack."""
    with TemporaryDirectory(prefix="drillctl-") as name:
        try:
            with ZipFile(path) as archive:
                yield _lay_out(path, archive, Path(name))
        except BadZipFile as error:
            raise DefinitionError(f"{path}: expected a pack as ZIP, found: {error}") from error


def _lay_out(path: Path, archive: ZipFile, folder: Path) -> Path:
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    for entry in entries:
        if _is_odd(entry) or names.count(entry.filename) > 1:
            raise DefinitionError(f"{path}: expected plain files, each once, found {printable(entry.filename)}")
    tops = {name.partition("/")[0] for name in names}
    if len(tops) != 1 or sum(entry.file_size for entry in entries) > _LARGEST:
        raise DefinitionError(f"{path}: expected one pack under one name, found {len(tops)} names")
    for entry in entries:
        target = folder / entry.filename
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(archive.read(entry))
    return folder / tops.pop()


def _is_odd(entry: ZipInfo) -> bool:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    return not is_name(entry.filename) or kind not in (0, stat.S_IFREG)
