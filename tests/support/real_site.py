"""A site that the product takes for real: the hosts of a twin, seen from its sealed namespace by a process that knows
of no twin. Every host but the bastion is cut off from there, so that what is reached was reached through the bastion.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from orchestrator.loader.site import load_site
from orchestrator.twin import Twin
from orchestrator.twin.state import KEY, KNOWN_HOSTS
from tests.support.command import LONGEST_S, Running, Said
from tests.support.sites import ROOT
from tests.support.twins import ENTER, inside, processes_under, until

BASTION = "gw-b5"  # its host has one more sshd, which stands for the bastion
BASTION_PORT = 2222
BY_ROOT_PORT = 2223  # a third one, that lets nobody in but root: for `become`
_SSHD = """\
Port {port}
ListenAddress {address}
HostKey {host_key}
AuthorizedKeysFile {keys}
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PidFile none
UseDNS no
AllowUsers {users}
AllowTcpForwarding yes
MaxStartups 3:100:3
PermitRootLogin prohibit-password
LogLevel VERBOSE
"""


@dataclass
class RealSite:
    """`folder`: state, reports and the site's inventory."""

    folder: Path
    site: Path
    twin: Twin
    access: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, site: Path, twin: Twin) -> "RealSite":
        """With keys, known hosts, a bastion and an access.yml that names them."""
        made = cls(folder, site, twin)
        topology = load_site(site).topology
        addresses = {item.id: str(item.management_address) for item in topology.hosts}
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "bastion")]
        subprocess.run(words, check=True, timeout=30, stdin=subprocess.DEVNULL)
        shutil.copy(twin.folder / KEY, folder / "hosts")
        known = (twin.folder / KNOWN_HOSTS).read_text()
        made.listen(BASTION, BASTION_PORT, "gwops", (folder / "bastion.pub").read_text())
        made.known.write_text(known + made.line_of(BASTION, BASTION_PORT))
        routers = [str(item.management_address) for item in topology.routers]
        for address in [*(item for name, item in addresses.items() if name != BASTION), *routers]:
            done = inside(twin, "ip", "route", "add", "prohibit", f"{address}/32")
            assert done.returncode == 0, done.stderr
        made.access = {
            "identity_file": str(folder / "hosts"),
            "bastions": [
                {
                    "address": addresses[BASTION],
                    "port": BASTION_PORT,
                    "user": "gwops",
                    "identity_file": str(folder / "bastion"),
                }
            ],
        }
        made.write()
        return made

    def write(self, **changed: Any) -> None:
        """access.yml as it was made, but for these."""
        text = yaml.safe_dump({**self.access, **changed}, sort_keys=False, allow_unicode=True)
        (self.site / "access.yml").write_text(text, encoding="utf-8")

    def listen(self, host: str, port: int, user: str, key: str) -> None:
        """One more sshd on a host, which lets this user in by this key. It ends with the twin."""
        address = str(load_site(self.site).topology.host[host].management_address)
        first = self.first(host)
        root = Path(f"/proc/{first}/root")
        name = f"/etc/ssh/keys-{port}"
        (root / name.lstrip("/")).write_text(key)
        host_key = f"/etc/ssh/host-{port}"
        self.on(host, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", host_key)
        config = root / f"etc/ssh/sshd-{port}"
        config.write_text(_SSHD.format(port=port, address=address, users=user, keys=name, host_key=host_key))
        self.on(host, "/usr/sbin/sshd", "-f", f"/etc/ssh/sshd-{port}", "-E", f"/var/log/sshd-{port}")
        until(lambda: f":{port:04X} " in Path(f"/proc/{first}/net/tcp").read_text(), 5)

    @property
    def known(self) -> Path:
        return self.site / "known_hosts"

    def line_of(self, host: str, port: int) -> str:
        """What known_hosts has to say of one more sshd."""
        address = load_site(self.site).topology.host[host].management_address
        key = self.on(host, "cut", "-d", " ", "-f", "1-2", f"/etc/ssh/host-{port}.pub")
        return f"[{address}]:{port} {key}"

    def log(self, host: str, port: int) -> str:
        return Path(f"/proc/{self.first(host)}/root/var/log/sshd-{port}").read_text()

    def on(self, host: str, *argv: str) -> str:
        """Run something on a host, as somebody at its console."""
        enter = ["nsenter", "--all", f"--target={self.first(host)}", "--"]
        done = subprocess.run([*enter, *argv], capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def first(self, host: str) -> int:
        """Process 1 of the host, by its id outside."""
        for pid in sorted(processes_under(self.twin)):
            status = Path(f"/proc/{pid}/status")
            name = Path(f"/proc/{pid}/root/etc/hostname")
            if name.exists() and name.read_text().strip() == host and _own_id(status.read_text()) == "1":
                return pid
        raise AssertionError(f"expected {host} to live, found no process of it")

    def call(self, *words: str) -> Said:
        """`drillctl` where the twin's hosts are, by somebody who does not know that it is one."""
        done = subprocess.run(
            self._words(words),
            cwd=ROOT,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def running(self, *words: str) -> Iterator[Running]:
        """Start it and go on; it is ended with the block, by its own process id."""
        process = subprocess.Popen(
            self._words(words),
            cwd=ROOT,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        try:
            yield Running(process)
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def _words(self, words: Sequence[str]) -> list[str]:
        enter = ENTER.format(pid=self.twin.pid).split()
        return [*enter, sys.executable, "-u", "-m", "orchestrator", *words, "--site", str(self.site)]

    def _environment(self) -> dict[str, str]:
        none = self.folder / "no-twins"
        none.mkdir(exist_ok=True)
        return {
            **os.environ,
            "DRILLCTL_TWINS": str(none),
            "DRILLCTL_REPORTS": str(self.folder / "reports"),
            "DRILLCTL_STATE": str(self.folder / "state"),
            "DRILLCTL_DEBUG": "1",
            "COLUMNS": "160",
        }


def _own_id(status: str) -> str:
    """Its id in its own namespace: the last of the ids that it has."""
    return next(line.split()[-1] for line in status.splitlines() if line.startswith("NSpid:"))
