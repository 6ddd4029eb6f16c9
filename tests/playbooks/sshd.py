"""A real sshd on loopback with a high port and keys of its own, and a site folder that leads to it."""

import os
import pwd
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from orchestrator.adapters.ssh import SshSettings
from tests.playbooks.harness import until

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin:/sbin")


@dataclass
class Server:
    """`connections` counts accepted log-ins, `commands` what was run, both from sshd's own log."""

    folder: Path
    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def settings(self) -> SshSettings:
        control = self.folder / "c"
        control.mkdir(exist_ok=True, mode=0o700)
        return SshSettings(control, self.folder / "user_key", self.folder / "known_hosts")

    def log(self) -> str:
        return (self.folder / "sshd.log").read_text(errors="replace")

    def commands(self) -> int:
        return self.log().count("Starting session: command")

    def hosts_yml(self, folder: Path, names: list[str], dead: tuple[str, ...] = ()) -> Path:
        """A site folder whose hosts all are this server; `dead` ones have a port where nothing listens."""
        folder.mkdir(exist_ok=True)
        user = pwd.getpwuid(os.getuid()).pw_name
        lines = [
            "all:",
            "  vars:",
            f"    ansible_user: {user}",
            "    ansible_python_interpreter: /usr/bin/python3",
            "  hosts:",
        ]
        with socket.create_server(("127.0.0.1", 0)) as unused:
            nothing = unused.getsockname()[1]
        lines += [
            f"    {name}: {{ansible_host: 127.0.0.1, ansible_port: {nothing if name in dead else self.port}}}"
            for name in names
        ]
        (folder / "hosts.yml").write_text("\n".join(lines) + "\n")
        return folder

    def stop(self) -> None:
        """End the server and the clients' shared connections to it."""
        options = self.settings.options()
        subprocess.run(
            ["ssh", *options, "-O", "exit", "-p", str(self.port), "127.0.0.1"], capture_output=True, check=False
        )
        self.process.terminate()
        self.process.wait(10)


def start(folder: Path) -> Server:
    """Start it and wait until it answers."""
    folder.mkdir(parents=True)
    for name in ("host_key", "user_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
    with socket.create_server(("127.0.0.1", 0)) as chosen:
        port = chosen.getsockname()[1]
    key = (folder / "host_key.pub").read_text().rsplit(" ", 1)[0]
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {key}\n")
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\n"
        f"HostKey {folder}/host_key\nAuthorizedKeysFile {folder}/authorized_keys\n"
        "StrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\nPidFile none\n"
        "LogLevel VERBOSE\nPermitRootLogin prohibit-password\nUseDNS no\nMaxStartups 100\n"
        f"SetEnv HOME={folder}\n"  # the start-up files of whoever runs the tests are none of ours
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    command = [str(SSHD), "-D", "-f", str(folder / "sshd_config"), "-E", str(folder / "sshd.log")]
    process = subprocess.Popen(command)
    until(lambda: _answers(port) or process.poll() is not None, "sshd answers")
    assert process.poll() is None, (folder / "sshd.log").read_text()
    return Server(folder, port, process)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False
