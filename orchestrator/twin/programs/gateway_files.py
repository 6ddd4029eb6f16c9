"""What the simulated gateway reads and writes on its host: its settings, status file, log and vendor file.

The vendor's file is read by the same program that writes it, as it is sent to hosts.
"""

import importlib.util
import json
import math
import os
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

_ONHOST = Path(__file__).parents[3] / "playbooks" / "onhost"
FOLDER = "/etc/drillctl-twin"
PIN_ATTEMPTS = 6  # SSE-5.2
STATUS_INTERVAL_S = 0.2  # our choice: a sequence alone is written no more often than this


def onhost(name: str) -> Any:
    """vendor_file or vendor_certificate, of which the second imports the first by its name on a host."""
    if name not in sys.modules:
        if name != "vendor_file":
            onhost("vendor_file")
        spec = importlib.util.spec_from_file_location(name, _ONHOST / f"{name}.py")
        if spec is None or spec.loader is None:
            raise ValueError(f"expected {_ONHOST / name}.py, found none")
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


class Settings:
    """One gateway as it is installed on this host. Every path it names is under `root`, normally empty.

    A host may be installed in a folder instead of being the whole file system; then `root` is that folder.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.data: dict[str, Any] = json.loads(Path(file).read_text(encoding="utf-8"))
        self.root = file[: -len(f"{FOLDER}/gateway-{self.data['id']}.json")]

    def __getitem__(self, name: str) -> Any:
        return self.data[name]

    def under_root(self, path: str) -> Path:
        """A path of the host as this process finds it."""
        return Path(self.root + path)

    @property
    def pid_file(self) -> Path:
        """Holds the process id; stands beside the status file, where the service user may write."""
        return self.under_root(self["status"]["path"]).parent / f"gateway-{self['id']}.pid"

    @property
    def is_blocked(self) -> bool:
        """A test wants this gateway never to come back."""
        return self.under_root(f"{FOLDER}/block-{self['id']}").exists()

    def endpoints(self) -> list[str]:
        """The ordered list in the vendor's file. ValueError or OSError when it cannot be read."""
        data = self.under_root(self["config"]["path"]).read_bytes()
        found: list[str] = onhost("vendor_file").read_endpoints(data, self["config"])
        return found

    def certificate(self) -> tuple[str, dict[str, Any]]:
        """What names the certificate in use in the vendor's file, and the certificate; none: ("", {}).

        ValueError where the file names one that this gateway does not have on this host.
        """
        read = onhost("vendor_certificate").read_certificate
        named = read(self.under_root(self["config"]["path"]).read_bytes(), self["config"])
        known: dict[str, dict[str, Any]] = self["certificates"]
        if named is None:
            return next(
                ((text, item) for text, item in known.items() if item["fingerprint"] == self["certificate"]), ("", {})
            )
        if named not in known:
            raise ValueError("expected a certificate of this gateway on this host, found another name in its file")
        return named, known[named]


class Token:
    """What a certificate's private key lies in: an EKey, or a file. `trouble` says why it cannot be used.

    Opening an EKey takes a PIN: each opening is noted beside the status file, where the ground truth finds it. Six
    wrong ones in a row lock it for good (SSE-5.2).
    """

    def __init__(self, settings: Settings, certificate: dict[str, Any]) -> None:
        self._is_ekey = bool(certificate.get("ekey"))
        name = certificate.get("id", "")
        self._trouble = settings.under_root(f"{FOLDER}/token-{name}")
        self._attempts = settings.pid_file.with_name(f"pin-{name}.log")

    def open(self) -> str:
        """Why it cannot be opened; empty: it is open. Once per start of the gateway."""
        found = self.trouble()
        if self._is_ekey:
            with self._attempts.open("a", encoding="ascii") as file:
                file.write(f"{time.time():.3f} {'wrong' if found else 'right'}\n")
        return found

    def trouble(self) -> str:
        """Why it cannot be used now."""
        if self._is_ekey and self._is_locked_for_good():
            return "EKey is locked"
        try:
            return self._trouble.read_text(encoding="utf-8").strip()
        except OSError:
            return ""

    def _is_locked_for_good(self) -> bool:
        try:
            words = [line.split()[1] for line in self._attempts.read_text(encoding="ascii").splitlines()]
        except OSError:
            return False
        return words[-PIN_ATTEMPTS:] == ["wrong"] * PIN_ATTEMPTS


class Log:
    """The gateway's own log, in the forms of the site's profile. Opened for each line, so rotation does no harm."""

    def __init__(self, path: Path, forms: dict[str, str]) -> None:
        self._path = path
        self._forms = forms

    def event(self, name: str, endpoint: str, detail: str = "") -> None:
        """One of connected, logged_in, lost, logged_out, refused."""
        self.text(self._forms[name].replace("{endpoint}", endpoint).replace("{*}", detail or "-"))

    def text(self, text: str) -> None:
        now = datetime.now().astimezone().strftime(self._forms["time_format"])
        line = self._forms["line"].replace("{*}", "INFO").replace("{time}", now).replace("{text}", text)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


class Status:
    """The status file: replaced in one piece, so that a reader never sees half of it."""

    def __init__(self, path: Path, form: dict[str, Any]) -> None:
        self._path = path
        self._form = form
        self._shown: tuple[bool, str] | None = None
        self._sequence: int | None = None
        self.certificate = ""
        self._stale = False
        self._written_at = -math.inf

    def show(self, up: bool, endpoint: str) -> None:
        """Logged in (or receiving) or not, and the current front, empty when there is none."""
        if self._shown != (up, endpoint):
            self._shown = (up, endpoint)
            self._write()
            self._stale = False

    def advance(self, sequence: int) -> None:
        """A new sequence; it reaches the file with the next tick that is due."""
        self._sequence = sequence
        self._stale = True

    def deadline(self) -> float:
        return self._written_at + STATUS_INTERVAL_S if self._stale else math.inf

    def tick(self, now: float) -> None:
        if now >= self.deadline():
            self._write()
            self._stale = False
            self._written_at = now

    def _write(self) -> None:
        up, endpoint = self._shown or (False, "")
        lines = [f"{self._form['logged_in_key']}={self._form['logged_in_value'] if up else 'no'}"]
        lines.append(f"endpoint={endpoint}")
        if self._form.get("certificate_key") and up:
            lines.append(f"{self._form['certificate_key']}={self.certificate}")
        if self._form["sequence_key"] and self._sequence is not None:
            lines.append(f"{self._form['sequence_key']}={self._sequence}")
        new = self._path.with_name(self._path.name + ".new")
        new.write_text("\n".join(lines) + "\n", encoding="utf-8")
        os.replace(new, self._path)  # noqa: PTH105 (pathlib's own name for it is no clearer)
