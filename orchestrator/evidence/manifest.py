"""Lists of files with their digests, in the form of `sha256sum`: sorted, one file a line, LF, nothing else."""

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from orchestrator.errors import Refused

_NAME = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")
_LINE = re.compile(r"([0-9a-f]{64})  ([^\r\n]+)")
Digest = Callable[[bytes], str]


class NotAManifest(Exception):
    """A line is not what `sha256sum` would write; the message names the line."""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def is_name(name: str) -> bool:
    """Names that every system and every tool reads alike."""
    return bool(_NAME.fullmatch(name)) and not {".", ".."} & set(name.split("/"))


def entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Everything in a folder, sorted, folders and what is in them included. Links are not followed."""
    with os.scandir(folder) as found:
        there = sorted(found, key=lambda item: item.name)
    for entry in there:
        yield entry
        if entry.is_dir(follow_symlinks=False):
            yield from entries(Path(entry.path))


def odd(folder: Path) -> Iterator[tuple[str, str]]:
    """What a pack must not hold: its name and the reason."""
    for entry in entries(folder):
        name = os.path.relpath(entry.path, folder)
        if entry.is_symlink():
            yield name, "expected a file or a folder, found a link"
        elif not (entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)):
            yield name, "expected a file or a folder, found something else (device, pipe or socket)"
        elif not is_name(name):
            yield printable(name), "expected a name of A-Z a-z 0-9 . _ - only"
        elif entry.is_dir() and not os.listdir(entry.path):  # noqa: PTH208 - names only
            yield name, "expected a folder with files, found it empty"


def printable(name: str) -> str:
    """A name as one line, whatever is in it."""
    return name.encode("unicode_escape", "backslashreplace").decode("ascii")


def files(folder: Path, leave_out: tuple[str, ...] = ()) -> list[str]:
    """Names of the plain files, sorted. `leave_out` holds patterns; `*` matches a slash too."""
    names = (os.path.relpath(item.path, folder) for item in entries(folder) if item.is_file(follow_symlinks=False))
    return sorted(name for name in names if not any(fnmatchcase(name, pattern) for pattern in leave_out))


def listing(folder: Path, leave_out: tuple[str, ...] = (), digest: Digest = sha256) -> dict[str, str]:
    """Every file with its digest, sorted by name. Refused UNFIT_FILE: a link, an odd name, an empty folder."""
    for name, reason in odd(folder):
        raise Refused("UNFIT_FILE", f"{folder / name}: {reason}")
    return {name: digest((folder / name).read_bytes()) for name in files(folder, leave_out)}


def as_text(found: Mapping[str, str]) -> str:
    return "".join(f"{found[name]}  {name}\n" for name in sorted(found))


def parsed(content: bytes) -> dict[str, str]:
    """The files of a manifest. NotAManifest: not exactly the form that `as_text` writes."""
    found: dict[str, str] = {}
    last = ""
    for number, line in enumerate(_lines(content), 1):
        name, digest = _entry(number, line)
        if name <= last:
            raise NotAManifest(f"line {number}: expected names in order and each once, found {name} after {last}")
        found[name], last = digest, name
    return found


def _lines(content: bytes) -> list[str]:
    if b"\r" in content:
        raise NotAManifest("expected lines that end with LF, found CR: line ends were converted")
    if not content.endswith(b"\n"):
        raise NotAManifest("expected whole lines, found the last one without its end")
    return content.decode("ascii", "backslashreplace").split("\n")[:-1]


def _entry(number: int, line: str) -> tuple[str, str]:
    match = _LINE.fullmatch(line)
    if match is None or not is_name(match[2]):
        raise NotAManifest(f"line {number}: expected a digest, two blanks and a name, found something else")
    return match[2], match[1]
