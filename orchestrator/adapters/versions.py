"""What a run was made with: versions of the tool and of everything that decides what it does."""

import hashlib
import platform
import sqlite3
import subprocess
from importlib.metadata import version
from pathlib import Path

from orchestrator import __version__

_PACKAGES = (
    *("ansible-core", "ansible-runner", "fabric", "pytest", "pytest-testinfra", "pydantic", "jinja2"),
    *("cryptography", "pyhanko", "weasyprint", "xlsxwriter"),
)
_DEADLINE_S = 5.0  # our choice: each of them answers at once or not at all


def versions(playbooks: Path) -> dict[str, str]:
    """Name → version; the playbooks, which have none, by sha256 over all their files, and by their commit if any."""
    commit = _first_line("git", "-C", str(playbooks), "rev-parse", "HEAD")
    return {
        "drillctl": __version__,
        "python": platform.python_version(),
        "openssl": _first_line("openssl", "version") or "unknown",
        "sqlite": sqlite3.sqlite_version,
        **{name: version(name) for name in _PACKAGES},
        "playbooks-sha256": _digest(playbooks),
        **({"playbooks-commit": commit} if commit else {}),
    }


def _first_line(*command: str) -> str | None:
    """What a program says of itself. None: it is not there, or has nothing to say."""
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=_DEADLINE_S, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return next(iter(said.splitlines()), None)


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and not any(part.startswith(".") for part in path.parts):
            digest.update(str(path.relative_to(folder)).encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
