"""The site's files as a pack may hold them, from the run's own copy.

`topology.yml`, `profiles.yml`, `people.yml` and the catalogues hold what the models know and nothing else, so their
values stay; only comments become keyed digests. `hosts.yml` is Ansible's and may hold anything: of its variables only
those stay that say how a host is reached.
"""

import hashlib
from pathlib import Path

from orchestrator.errors import Refused
from orchestrator.evidence.redact import all_known, key_of, redacted_yaml

_REACHED = {
    "ansible_host",
    "ansible_port",
    "ansible_user",
    "ansible_connection",
    "ansible_python_interpreter",
    "ansible_network_os",
}
_HOSTS = "hosts.yml"
_SIGNERS = "allowed_signers"


def site_copy(folder: Path, key: bytes) -> tuple[dict[str, bytes], dict[str, str]]:
    """(name below the folder → redacted content, name → sha256 of the original). Refused: it cannot be read."""
    found: dict[str, bytes] = {}
    digests: dict[str, str] = {}
    for path in sorted(item for item in folder.rglob("*") if item.is_file()):
        name = path.relative_to(folder).as_posix()
        data = path.read_bytes()
        found[name] = _redacted(name, data, key_of(key, name))
        digests[name] = hashlib.sha256(data).hexdigest()
    return found, digests


def _redacted(name: str, data: bytes, key: bytes) -> bytes:
    if name.endswith(_SIGNERS):
        return data  # public keys and who they belong to
    try:
        known = _is_reached if name.endswith(_HOSTS) else all_known
        return redacted_yaml(data.decode("utf-8"), key, known).encode()
    except ValueError as error:
        raise Refused(
            "NOT_REDACTED", f"{name}: {error}; the pack is not made. Put the run's copy of it back, then seal again"
        ) from error


def _is_reached(path: tuple[str, ...], value: str) -> bool:
    """Groups and hosts that hold nothing are there by their names alone."""
    return not value or (bool(path) and path[-1] in _REACHED)
