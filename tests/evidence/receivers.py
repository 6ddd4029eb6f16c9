"""Real servers on loopback that take a ledger's head: an sshd with SFTP, a small SMTP server, and one that hangs."""

import os
import pwd
import socket
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.model.evidence import Anchor
from tests.playbooks.harness import until
from tests.playbooks.sshd import SSHD


@dataclass(frozen=True)
class Sftp:
    """An sshd that only speaks SFTP."""

    port: int
    key: Path
    host_key: str
    folder: Path

    def anchor(self, **changes: str) -> Anchor:
        user = pwd.getpwuid(os.getuid()).pw_name
        fields = {"to": f"{user}@127.0.0.1:{self.port}{self.folder}", "key": str(self.key), "host_key": self.host_key}
        return Anchor.model_validate({"id": "archive", "kind": "sftp", **fields, **changes})


@contextmanager
def sftp(folder: Path) -> Iterator[Sftp]:
    """Up with the block, ended with it by its own process id."""
    folder.mkdir()
    (folder / "heads").mkdir()
    for name in ("host_key", "user_key", "other_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    (folder / "authorized_keys").write_bytes((folder / "user_key.pub").read_bytes())
    with socket.create_server(("127.0.0.1", 0)) as chosen:
        port = chosen.getsockname()[1]
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\n"
        "StrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\nPidFile none\n"
        "PermitRootLogin prohibit-password\nUseDNS no\nSubsystem sftp internal-sftp\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    process = subprocess.Popen([str(SSHD), "-D", "-f", str(folder / "sshd_config"), "-E", str(folder / "log")])
    try:
        until(lambda: _answers(port) or process.poll() is not None, "sshd answers")
        assert process.poll() is None, (folder / "log").read_text()
        public = (folder / "host_key.pub").read_text().rsplit(" ", 1)[0]
        yield Sftp(port, folder / "user_key", public, folder / "heads")
    finally:
        process.terminate()
        process.wait(10)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False


@dataclass
class Mailbox:
    """What an SMTP server took, and for whom."""

    port: int
    messages: list[bytes] = field(default_factory=list)
    receivers: list[str] = field(default_factory=list)

    def anchor(self, to: str = "head@regulator.example") -> Anchor:
        fields = {"to": to, "server": f"127.0.0.1:{self.port}", "sender": "drills@firm.example"}
        return Anchor.model_validate({"id": "mail", "kind": "mail", **fields})


@contextmanager
def smtp() -> Iterator[Mailbox]:
    """A server that speaks as much SMTP (RFC 5321) as a client needs; it refuses mail for `nobody@`."""

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 test\r\n")
            while line := self.rfile.readline():
                verb = line.split(None, 1)[0].upper() if line.strip() else b""
                if verb == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    box.messages.append(b"".join(iter(self.rfile.readline, b".\r\n")))
                    self.wfile.write(b"250 taken\r\n")
                elif verb == b"RCPT":
                    box.receivers.append(line.decode().strip())
                    self.wfile.write(b"550 no such user\r\n" if b"nobody@" in line else b"250 ok\r\n")
                else:
                    self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
                if verb == b"QUIT":
                    return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as server:
        server.daemon_threads = True
        box = Mailbox(server.server_address[1])
        worker = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        worker.start()
        try:
            yield box
        finally:
            server.shutdown()
            worker.join()


@contextmanager
def silent() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]
