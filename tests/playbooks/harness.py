"""One host with a small vendor's gateway on it, real processes on loopback; requests as the controller sends them."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from playbooks.onhost import vendor_file
from playbooks.onhost_program import answer, program

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RELEASE_S = 1.0
INI = "; 样例\r\n[General]\r\nname = w1\r\n[MainStation]\r\nServer1 = {}\r\nServer2 = {}\r\n"


def until(condition: Callable[[], bool], what: str, timeout_s: float = 10) -> None:
    """Wait for a condition of another process, or fail by its name."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"still not: {what}"
        time.sleep(0.01)


class Vendor:
    """One gateway's installation in a folder, and what is sent about it."""

    def __init__(
        self, folder: Path, endpoints: list[str], number: str = "W100200", python: str = sys.executable
    ) -> None:
        self.folder = folder
        self.python = python
        folder.mkdir(parents=True, exist_ok=True)
        self.config = folder / "gateway.ini"
        self.config.write_text(INI.format(*endpoints), encoding="utf-8", newline="")
        self.original = self.config.read_bytes()
        control = [sys.executable, str(HERE / "vendor/control.py"), str(folder / "settings.json")]
        self.spec: dict[str, Any] = {
            "id": f"gw-{number.lower()}",
            "number": number,
            "class": "trading",
            "receives_only": False,
            "config": {
                "path": str(self.config),
                "format": "ini",
                "encoding": "utf-8",
                "section": "MainStation",
                "key": "Server{n}",
                "separator": ",",
                "entry": "{address}:{port}",
                "attributes": ["address", "port"],
            },
            "service": {
                "manager": "command",
                "start": [*control, "start"],
                "stop": [*control, "stop"],
                "process": f"{folder}/settings.json --gateway {number}",
            },
            "status": {
                "path": str(folder / "status"),
                "logged_in_key": "logged_in",
                "logged_in_value": "yes",
                "sequence_key": None,
            },
            "log": {
                "path": str(folder / "gateway.log"),
                "line": "{time} {text}",
                "time_format": "%Y-%m-%d %H:%M:%S.%f",
                "connected": "connected to main station {endpoint}",
                "logged_in": "logon accepted by {endpoint}",
                "lost": "connection to {endpoint} lost: {*}",
                "logged_out": "logged out of {endpoint}",
                "refused": "logon refused by {endpoint}: {*}",
            },
            "heartbeat_s": 0.1,
            "release_s": RELEASE_S,
            "connect_timeout_s": 1,
        }
        self.settings(login_wait_s=1)

    def settings(self, login_wait_s: float) -> None:
        """What the gateway's program and its commands know. Without an answer it waits so long for its log-in."""
        programs = {"onhost": str(ROOT / "playbooks/onhost"), "python": sys.executable}
        settings = {"spec": self.spec, "login_wait_s": login_wait_s, **programs}
        (self.folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")

    def start(self) -> None:
        """Start it as the vendor's command does, and wait until it says that it is logged in."""
        subprocess.run(self.spec["service"]["start"], check=True)
        until(lambda: "logged_in=yes" in self.status(), "logged in")

    def status(self) -> str:
        path = self.folder / "status"
        return path.read_text() if path.exists() else ""

    def pid(self) -> int | None:
        """The running gateway's process, or None."""
        path = self.folder / "pid"
        if not path.exists():
            return None
        pid = int(path.read_text())
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except FileNotFoundError:
            return None
        return pid if b"--gateway" in command else None

    def end(self) -> None:
        """Leave nothing running behind a test, also where a request that was left behind is about to start it."""
        (self.folder / "broken").touch()
        until(lambda: not self._killed(), "the gateway and its commands have ended")

    def _killed(self) -> list[int]:
        """Whatever has this gateway's settings in its command line."""
        mine = str(self.folder / "settings.json").encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if mine in (folder / "cmdline").read_bytes().split(b"\0"):
                    os.kill(int(folder.name), signal.SIGKILL)
                    found.append(int(folder.name))
        return found

    def endpoints(self) -> list[str]:
        return vendor_file.read_endpoints(self.config.read_bytes(), self.spec["config"])

    def sha256(self) -> str:
        return hashlib.sha256(self.config.read_bytes()).hexdigest()

    def request(self, op: str, **fields: Any) -> dict[str, Any]:
        """A complete request; fields may overwrite."""
        return {
            "op": op,
            "run": "20250301T090000-test-0001",
            "token": 1,
            "deadline_at": time.time() + 20,
            "deadline_s": 20,
            "gateway": self.spec,
            "work_dir": str(self.folder / "work"),
            **fields,
        }

    def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        """Send one request in one round trip and return its result."""
        return self.send([self.request(op, **fields)])[0]

    def way_out(self) -> dict[str, Any]:
        """What the last stop has noted on the host."""
        noted = [json.loads(path.read_text()) for path in (self.folder / "work").glob("out-*.json")]
        return dict(noted[0]) if noted else {}

    def starts(self) -> int:
        """How often it was started so far."""
        return len((self.folder / "starts").read_text().splitlines())

    def command(self, name: str, text: str) -> list[str]:
        """A command of the site's own, to be put in place of its start or stop."""
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return [str(path)]

    @contextmanager
    def at_work(self, request: dict[str, Any]) -> Iterator[subprocess.Popen[bytes]]:
        """The program that carries a request out, while it does; it is ended if the test does not wait for it."""
        process = subprocess.Popen([self.python, "-I", "-S", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        with process:
            try:
                assert process.stdin
                process.stdin.write(program("gateway", {"requests": [request]}))
                process.stdin.close()
                yield process
            finally:
                process.kill()

    def cut_off(self, op: str, **fields: Any) -> None:
        """Send a request in which the site's own command kills the program that called it."""
        with self.at_work(self.request(op, **fields)) as process:
            assert process.wait(10) == -signal.SIGKILL

    def send(self, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        done = subprocess.run(
            [self.python, "-I", "-S", "-"],
            input=program("gateway", {"requests": requests}),
            capture_output=True,
            check=False,
        )
        found = answer(done.stdout.decode())
        assert found is not None, done.stderr.decode()
        return list(found["results"])

    def arm(self) -> None:
        result = self.ask("preflight")
        assert result["ok"], result["message"]
