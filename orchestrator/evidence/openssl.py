"""The only place of the evidence that starts a program: `openssl`. Keys never pass through here, only where they are.

A key on a token is used through the engine `pkcs11` (libp11, RFC 7512 URIs). Nobody is asked for a PIN: the URI may
name a file that holds it (`pin-source=file:…`), never the PIN itself, and the program has no terminal to ask on.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from orchestrator.errors import DefinitionError, Refused

_DEADLINE_S = 30.0  # our choice: a token that signs once a second still answers
PKCS11 = "pkcs11:"
_MODULE = "module-path="  # libp11 0.4 does not know this attribute of RFC 7512; it reads the environment
_PIN = "pin-value="
Words = list[str | Path]


@dataclass(frozen=True)
class Said:
    """What openssl came to. `reason` is the line of its own words that tells most."""

    code: int
    out: bytes
    err: str

    @property
    def ok(self) -> bool:
        return self.code == 0

    @property
    def reason(self) -> str:
        lines = [line.strip() for line in self.err.splitlines() if line.strip()]
        told = [line for line in lines if "Verify error:" in line or " lookup: " in line]
        told = told or [line for line in lines if "error:" in line]
        return _words(told[0]) if told else (lines[-1] if lines else f"exit status {self.code}")


def _words(line: str) -> str:
    """`407…:error:17800064:time stamp routines:ts_verify_cert:certificate verify error:file.c:188:Verify error:x`."""
    for mark in ("Verify error:", " lookup: "):
        if mark in line:
            return line.rpartition(mark)[2]
    parts = line.split(":")
    return parts[5] if len(parts) > 5 and parts[5] else line  # noqa: PLR2004 - fields of an openssl error line


def openssl(*arguments: str | Path, data: bytes = b"", extra: dict[str, str] | None = None) -> Said:
    """Run it with `data` on its stdin. Refused NO_OPENSSL: it is not there, or does not come to an end."""
    environment = {**os.environ, "LC_ALL": "C", "TZ": "UTC", **(extra or {})}
    try:
        done = subprocess.run(
            ["openssl", *map(str, arguments)],
            input=data,
            capture_output=True,
            env=environment,
            timeout=_DEADLINE_S,
            start_new_session=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise Refused("NO_OPENSSL", "expected the program openssl in PATH, found none; `make setup`") from error
    except subprocess.TimeoutExpired as error:
        raise Refused(
            "NO_OPENSSL", f"expected openssl {arguments[0]} to end within {_DEADLINE_S:.0f} s, found it still at work"
        ) from error
    return Said(done.returncode, done.stdout, done.stderr.decode(errors="replace"))


def made(code: str, what: str, *arguments: str | Path, data: bytes = b"", extra: dict[str, str] | None = None) -> bytes:
    """What openssl wrote. Refused `code` where it could not."""
    said = openssl(*arguments, data=data, extra=extra)
    if not said.ok:
        raise Refused(code, f"expected {what}, found: {said.reason}")
    return said.out


@dataclass(frozen=True)
class Key:
    """A private key as openssl is told of it: a PEM file or a `pkcs11:` URI."""

    where: str

    def __post_init__(self) -> None:
        if _PIN in self.where:
            raise DefinitionError(
                "signing.key: expected a pkcs11: URI that names no PIN, found pin-value; put the PIN into a file that "
                "only this user reads and name it: pin-source=file:/path"
            )

    @property
    def is_token(self) -> bool:
        return self.where.startswith(PKCS11)

    def options(self, name: str) -> list[str]:
        """`name` is the option that takes the key: -inkey, -sign."""
        if not self.is_token:
            return [name, self.where]
        path, _, query = self.where.partition("?")
        kept = "&".join(item for item in query.split("&") if item and not item.startswith(_MODULE))
        return ["-engine", "pkcs11", "-keyform", "engine", name, f"{path}?{kept}" if kept else path]

    @property
    def environment(self) -> dict[str, str]:
        query = self.where.partition("?")[2].split("&") if self.is_token else []
        module = [item.removeprefix(_MODULE) for item in query if item.startswith(_MODULE)]
        return {"PKCS11_MODULE_PATH": module[0]} if module else {}


@contextmanager
def laid_out(**contents: bytes) -> Iterator[Path]:
    """A folder of this user's own with those files, gone afterwards."""
    with TemporaryDirectory(prefix="drillctl-") as name:
        folder = Path(name)
        for file, content in contents.items():
            (folder / file).write_bytes(content)
        yield folder
