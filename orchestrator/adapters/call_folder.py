"""Where a guarded call keeps what only lasts as long as it does."""

import hashlib
import shutil
import tempfile
from pathlib import Path


def scratch(call_folder: Path) -> Path:
    """A short path, since sockets may be made in it (at most 107 characters); one that follows from the call's folder,
    so that whoever finds the call lost can take it away.
    """
    name = hashlib.sha256(str(call_folder.resolve()).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"drillctl-{name}"


def clear(call_folder: Path) -> None:
    """Take its temporary files away once the call is over: one that is killed leaves them behind."""
    shutil.rmtree(scratch(call_folder), ignore_errors=True)
