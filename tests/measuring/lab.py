"""A site on loopback addresses with real sshd, real gateway processes and real listeners, for these tests."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.adapters.ssh import SshSettings, ssh_targets
from orchestrator.loader.site import LoadedSite, load_site
from orchestrator.model.topology import Gateway

ROOT = Path(__file__).resolve().parents[2]
ONHOST = ROOT / "playbooks" / "onhost"
SUITES = ROOT / "drills" / "checks"
_MOVED = ("172.50.", "172.60.", "172.70.", "198.18.")  # to loopback networks of the lab's own
_RESERVED_PORT = 9  # whoever holds it on the first address of a network has the network
_PROFILE = """\
  config: {{path: "{root}/{{id}}/servers", format: delimited, begin: "# BEGIN", end: "# END"}}
"""


def eventually(condition: Callable[[], bool], timeout_s: float = 10) -> bool:
    """Wait for something that another process does and tells nobody."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def reserve() -> tuple[socket.socket, int]:
    """Four loopback networks 127.N/16 that no other lab of this machine uses; they are free when it is closed."""
    for first in range(20, 240, len(_MOVED)):
        try:
            return socket.create_server((f"127.{first}.0.1", _RESERVED_PORT)), first
        except OSError:
            continue
    raise RuntimeError("expected a free loopback network, found all in use")


def loopback_site(root: Path, first: int, ssh_port: int) -> LoadedSite:
    """The example site with its addresses moved to 127/8 and all vendor files under `root/sw`."""
    shutil.copytree(ROOT / "inventory", root / "inventory")
    for path in (root / "inventory").rglob("*.yml"):
        text = path.read_text(encoding="utf-8")
        for number, real in enumerate(_MOVED, first):
            text = text.replace(real, f"127.{number}.")
        path.write_text(text, encoding="utf-8")
    example = root / "inventory" / "example"
    _edit(example / "hosts.yml", "ansible_user: gwops", f"ansible_port: {ssh_port}")
    _edit(example / "hosts.yml", "ansible_user: root", f"ansible_port: {ssh_port}")
    _edit(example / "hosts.yml", "/usr/bin/python3", sys.executable)
    _profiles(example / "profiles.yml", root / "sw", f"lab{ssh_port}-")
    return load_site(example)


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def _profiles(path: Path, software: Path, prefix: str) -> None:
    """Every vendor file is a plain list, so that the small gateway can read it. Paths and processes are this
    lab's own: another site's gateways may run on the same machine."""
    kept, skipping = [], False
    for line in path.read_text(encoding="utf-8").splitlines():
        skipping = line.startswith("    ") if skipping else False
        if line == "  config:":
            kept.append(_PROFILE.format(root=software).rstrip())
            skipping = True
        elif not skipping:
            kept.append(line)
    text = "\n".join(kept) + "\n"
    for vendor in ("nqtrade", "nqmd", "nqmc", "ccnet", "tdgw", "mdgw"):
        text = text.replace(f"/opt/{vendor}/{{id}}", f"{software}/{{id}}")
    text = text.replace("process: ", f"process: {prefix}").replace(f'process: {prefix}"', f'process: "{prefix}')
    path.write_text(text, encoding="utf-8")


class Front:
    """A listener that accepts and keeps connections until it is closed."""

    def __init__(self, endpoint: str) -> None:
        address, _, port = endpoint.partition(":")
        self._listener = socket.create_server((address, int(port)))
        self._accepted: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                self._accepted.append(self._listener.accept()[0])
            except OSError:
                return

    @property
    def connections(self) -> int:
        return len(self._accepted)

    def close(self) -> None:
        with_suppressed_shutdown(self._listener)
        self._thread.join()
        for accepted in self._accepted:
            accepted.close()


def with_suppressed_shutdown(listener: socket.socket) -> None:
    """Wake `accept` up, then close."""
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


class RunningGateway:
    """The small gateway, started with the command line that the site's profile names."""

    def __init__(self, site: LoadedSite, gateway: Gateway, endpoints: list[str]) -> None:
        profile = site.topology.profiles[gateway.profile]

        def path(text: str) -> Path:
            found = Path(text.replace("{id}", gateway.id))
            found.parent.mkdir(parents=True, exist_ok=True)
            return found

        self.list = path(profile.config.path)
        self.status = path(profile.status.path)
        self.log = path(profile.log.path)
        self.write_list(endpoints)
        name, *arguments = profile.service.process.replace("{number}", gateway.number).split()
        program = self.list.parent / name
        shutil.copy(ROOT / "tests" / "measuring" / "gateway_program.py", program)
        files = [str(self.list), str(self.status), str(self.log)]
        self.process = subprocess.Popen([sys.executable, str(program), *arguments, "--", *files])

    def write_list(self, endpoints: list[str]) -> None:
        lines = "".join(f"{endpoint}\n" for endpoint in endpoints)
        self.list.write_text(f"# servers\n# BEGIN\n{lines}# END\n", encoding="utf-8")

    def logged_in(self) -> bool:
        return self.status.exists() and "logged_in=yes" in self.status.read_text(encoding="utf-8")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


class Sshd:
    """sshd of the current user on one loopback address. As root it gets a /run of its own, which sshd wants.

    Sessions have the lab's folder as their home: the user's own login scripts are neither run nor cut off.
    """

    def __init__(self, folder: Path, address: str, port: int, host_key: Path, authorized: Path) -> None:
        config = folder / f"sshd-{address}"
        config.write_text(
            f"ListenAddress {address}:{port}\nHostKey {host_key}\nAuthorizedKeysFile {authorized}\nPidFile none\n"
            "StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\nMaxStartups 100\n"
            f"SetEnv HOME={folder}\n"
        )
        command = ["/usr/sbin/sshd", "-D", "-e", "-f", str(config)]
        if os.geteuid() == 0:
            script = 'mount -t tmpfs none /run && mkdir -m 755 /run/sshd && exec "$@"'
            command = ["unshare", "--mount", "sh", "-c", script, "sh", *command]
        with (folder / f"sshd-{address}.log").open("wb") as log:
            self._process = subprocess.Popen(command, stderr=log)
        self._address, self._port = address, port

    def answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((self._address, self._port)) == 0

    def freeze(self) -> None:
        """As a host that hangs: everything stops, nothing is closed."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def processes(self) -> list[int]:
        """What runs in its sessions."""
        return descendants(self._process.pid)

    def close(self) -> None:
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        for pid in (self._process.pid, *self.processes()):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue


def descendants(root: int) -> list[int]:
    """Processes started by `root`, and by those."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(path.parent.name)] = int(fields[1])
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found[1:]


class Lab:
    """One site with an sshd per named host."""

    def __init__(self, root: Path, control_dir: Path) -> None:
        self.folder = root
        self._reserved, first = reserve()
        with socket.create_server((f"127.{first}.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        self.site = loopback_site(root, first, self.port)
        self.topology = self.site.topology
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(root / name)], check=True)
        known = (root / "host.pub").read_text().split()[:2]
        hosts = ",".join(f"[{target.address}]:{self.port}" for target in ssh_targets(self.site).values())
        (root / "known_hosts").write_text(f"{hosts} {' '.join(known)}\n")
        self.ssh = SshSettings(control_dir, private_key=root / "user", known_hosts=root / "known_hosts")
        self._sshd: dict[str, Sshd] = {}
        self._things: list[Front | RunningGateway] = []

    def host(self, name: str) -> Sshd:
        """Start a host's sshd."""
        address = ssh_targets(self.site)[name].address
        sshd = Sshd(self.folder, address, self.port, self.folder / "host", self.folder / "user.pub")
        self._sshd[name] = sshd
        assert eventually(sshd.answers), (self.folder / f"sshd-{address}.log").read_text()
        return sshd

    def sessions(self) -> list[int]:
        """Every process below the hosts' sshds."""
        return [pid for sshd in self._sshd.values() for pid in sshd.processes()]

    def front(self, name: str) -> Front:
        """Listen at a front's address."""
        front = Front(self.endpoint(name))
        self._things.append(front)
        return front

    def gateway(self, name: str, *fronts: str) -> RunningGateway:
        """Start a gateway with these fronts in its list, by default those of the topology."""
        gateway = self.topology.gateway[name]
        endpoints = [self.endpoint(front) for front in fronts or gateway.servers]
        running = RunningGateway(self.site, gateway, endpoints)
        self._things.append(running)
        return running

    def endpoint(self, front: str) -> str:
        """`address:port` of a front."""
        return self.topology.front[front].endpoint

    def end(self, *things: Front | RunningGateway) -> None:
        """End some of what was started."""
        for thing in things:
            self._things.remove(thing)
            thing.close()

    def close(self) -> None:
        self.end(*reversed(self._things))
        for sshd in self._sshd.values():
            sshd.close()
        self._reserved.close()


@contextmanager
def lab(root: Path, control_dir: Path) -> Iterator[Lab]:
    """Everything that was started is ended."""
    opened = Lab(root, control_dir)
    try:
        yield opened
    finally:
        opened.close()
