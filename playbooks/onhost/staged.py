"""Keeps a program that was sent in its compiled form, in the run's folder on the host, from arming on.

Runs on gateway hosts and routers: Python 3.6 or later, standard library only. It stands first in every program and is
the only part that is compiled each time: compiling all of it takes as long as a whole switch. What is kept counts only
where no other user could have written it, for the very text that was sent and the very Python that is running; else
the text is compiled. So nothing depends on it but time.
"""

import binascii
import marshal
import os
import pwd
import stat
import sys
from typing import Any, Dict, List, Optional, Tuple

_PARENT = "/var/tmp"  # noqa: S108 - survives a reboot, and a folder of somebody else is refused
_CHECK = 4  # bytes in front that say whether what follows is whole

Codes = List[Tuple[str, Any]]


class Shelf:
    """Has the modules of a program imported as from files: each when it is first asked for."""

    def __init__(self, found: Codes) -> None:
        self._codes = dict(found)

    def find_spec(self, name: str, _path: Any = None, _target: Any = None) -> Any:
        form = type(sys.__spec__)  # importlib takes longer to import than a module of ours
        return form(name, self) if name in self._codes else None

    def create_module(self, _spec: Any) -> None:
        return None

    def exec_module(self, module: Any) -> None:
        exec(self._codes[module.__name__], module.__dict__)  # noqa: S102 - the program that was sent


def load(found: Codes) -> Any:
    """The program's own module, which is the last one."""
    sys.meta_path.insert(0, Shelf(found))
    return __import__(found[-1][0])


def work_folder(request: Dict[str, Any]) -> str:
    """The only place on a host where anything of ours is kept."""
    user = pwd.getpwuid(os.getuid()).pw_name
    return str(request.get("work_dir") or os.path.join(_PARENT, "drillctl-" + user))


def is_own(folder: str) -> bool:
    """A folder, not a link, that nobody but this user could write to. OSError: there is none."""
    found = os.lstat(folder)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not stat.S_IMODE(found.st_mode) & 0o077


def codes(sources: List[Tuple[str, str]], digest: str, document: Dict[str, Any]) -> Codes:
    """The modules' code in their order: as it was kept, or compiled."""
    kept = _kept(_file(digest, document))
    return kept or [(name, compile(source, name + ".py", "exec")) for name, source in sources]


def keep(found: Codes, digest: str, document: Dict[str, Any]) -> None:
    """After arming, where there is a folder of this run. Without room for it nothing is kept."""
    if not any(item.get("op") == "preflight" and not item.get("check") for item in document["requests"]):
        return
    path, data = _file(digest, document), marshal.dumps(found)
    try:
        if os.path.exists(path) or not is_own(os.path.dirname(path)):
            return
        with open(f"{path}.{os.getpid()}.new", "xb") as file:
            file.write(_check(data) + data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(file.name, path)
    except OSError:
        return


def _file(digest: str, document: Dict[str, Any]) -> str:
    folder = work_folder((document.get("requests") or [{}])[0])
    return os.path.join(folder, f"program-{sys.implementation.name}-{sys.hexversion:x}-{digest}")


def _kept(path: str) -> Optional[Codes]:
    try:
        if not is_own(os.path.dirname(path)):
            return None
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return None
    whole = _check(data[_CHECK:]) == data[:_CHECK]
    found = marshal.loads(data[_CHECK:]) if whole else None  # noqa: S302 - written by this user, as `is_own` has seen
    return found if isinstance(found, list) else None


def _check(data: bytes) -> bytes:
    return binascii.crc32(data).to_bytes(_CHECK, "big")
