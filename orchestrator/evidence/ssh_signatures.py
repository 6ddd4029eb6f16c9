"""Signatures by `ssh-keygen -Y`: with a key file, an agent or a hardware key, and checked by anybody with OpenSSH.

Who may sign is the site's `allowed_signers`: one line per key, its principal is a person of `people.yml`.
"""

import os
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from orchestrator.errors import Refused

_VERIFY_S = 10.0  # our choice
_SIGN_S = 120.0  # our choice: somebody may have to type a passphrase or to touch a key


@dataclass(frozen=True)
class Checked:
    """Whether a signature holds; `problem` is one line on why not."""

    problem: str = ""

    @property
    def ok(self) -> bool:
        return not self.problem


def sign(data: bytes, key: Path, space: str) -> bytes:
    """The signature (armoured) by a private key, or by the agent where `key` is a public one. Refused NOT_SIGNED."""
    if not key.expanduser().is_file():
        raise Refused("NOT_SIGNED", f"expected a key to sign with, found no file {key}; name one with --key")
    with TemporaryDirectory(prefix="drillctl-sign-") as folder:
        path = Path(folder) / "statement"
        path.write_bytes(data)
        done = _ssh_keygen("-Y", "sign", "-q", "-n", space, "-f", key.expanduser(), path, deadline_s=_SIGN_S)
        signature = path.with_suffix(".sig")
        if done.returncode or not signature.is_file():
            raise Refused("NOT_SIGNED", f"expected a signature by {key}, found: {_last(done.stderr) or 'nothing said'}")
        return signature.read_bytes()


def check(data: bytes, signature: bytes, person: str, allowed: Path, space: str, at: datetime | None = None) -> Checked:
    """Whether this person signed exactly these bytes, for this purpose, with a key that was allowed `at` that time (or
    now). A key that has ended since (`valid-before`) was good then.
    """
    if not allowed.is_file():
        return Checked(f"expected the keys of those who may sign in {allowed}, found no such file")
    with TemporaryDirectory(prefix="drillctl-check-") as folder:
        path = Path(folder) / "statement.sig"
        path.write_bytes(signature)
        then = () if at is None else (f"-Overify-time={at.astimezone(UTC):%Y%m%d%H%M%S}Z",)
        words = ("-Y", "verify", "-q", *then, "-f", allowed, "-I", person, "-n", space, "-s", path)
        done = _ssh_keygen(*words, data=data, deadline_s=_VERIFY_S)
    if done.returncode == 0:
        return Checked()
    found = _last(done.stderr) or "one by a key that is not this person's there, or over other bytes"
    return Checked(f"expected a signature by {person} with a key of {allowed.name}, found: {found}")


def _ssh_keygen(*words: str | Path, deadline_s: float, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Refused NO_SSH_KEYGEN: it is not there, or does not come to an end."""
    try:
        return subprocess.run(
            ["ssh-keygen", *map(str, words)],
            input=data,
            stdin=None if data is not None or os.isatty(0) else subprocess.DEVNULL,
            capture_output=True,
            timeout=deadline_s,
            check=False,
            env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
        )
    except FileNotFoundError as error:
        raise Refused("NO_SSH_KEYGEN", "expected the program ssh-keygen, found none; install openssh-client") from error
    except subprocess.TimeoutExpired as error:
        found = f"expected ssh-keygen to end within {deadline_s:g} s, found it still at work"
        raise Refused("NO_SSH_KEYGEN", f"{found}; is a key waiting to be touched?") from error


def _last(said: bytes) -> str:
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else ""
