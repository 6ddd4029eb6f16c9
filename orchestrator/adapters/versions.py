"""What a run was made with: versions of the tool and of everything that decides what it does."""

import hashlib
import platform
from importlib.metadata import version
from pathlib import Path

from orchestrator import __version__

_PACKAGES = ("ansible-core", "ansible-runner", "fabric", "pytest", "pytest-testinfra", "pydantic", "jinja2")


def versions(playbooks: Path) -> dict[str, str]:
    """Name → version; the playbooks, which have none, by sha256 over all their files."""
    return {
        "drillctl": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
        "playbooks-sha256": _digest(playbooks),
    }


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and not any(part.startswith(".") for part in path.parts):
            digest.update(str(path.relative_to(folder)).encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
