"""`Twin`: what the rest of the product does with a twin. All state is in the twin's folder and its daemon."""

import hashlib
import os
import select
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from orchestrator.adapters.ssh import SshSettings
from orchestrator.errors import Refused
from orchestrator.loader.site import LoadedSite
from orchestrator.model.plan import Fault
from orchestrator.twin.control import ask
from orchestrator.twin.launch import end, launch
from orchestrator.twin.sealed import ensure_sealed, network_of, twin_here
from orchestrator.twin.state import KEY, KNOWN_HOSTS, TwinState, living, read_state, twin_folder

_KEEP_EVERY_S = 60  # our choice: well below any lease
_NOT_FOUND = 127  # as a shell says it
_KILLED_BY = 128
_SABOTAGE = (
    "block_gateway",
    "kill_gateway",
    "freeze_gateway",
    "thaw_gateway",
    "freeze_host",
    "thaw_host",
    "kill_sshd",
    "start_sshd",
    "freeze_sshd",
    "thaw_sshd",
)


@dataclass(frozen=True)
class Twin:
    """A living twin, by name."""

    name: str
    folder: Path
    site_folder: Path
    site_digest: str
    pid: int

    @classmethod
    def up(cls, site: LoadedSite, name: str | None = None, lease_s: float = 900) -> Self:
        """Build a twin. Back when every sshd answers, BFD is up and every enabled gateway was started.

        Refused: NOT_ROOT, PACKAGE_MISSING, TWIN_EXISTS, TWIN_NETWORKS, TWIN_FAILED. Without users it ends
        after `lease_s` seconds.
        """
        return cls._of(launch(site, name, lease_s))

    @classmethod
    def find(cls, name: str) -> Self:
        """Refused NO_TWIN names the twins there are."""
        names = [state.name for state in living()]
        state = read_state(twin_folder(name)) if name in names else None
        if state is None:
            raise Refused(
                "NO_TWIN",
                f"expected a living twin ({', '.join(names) or 'there is none'}), found {name!r}; "
                f"`drillctl twin up {name}` makes it",
            )
        return cls._of(state)

    @classmethod
    def current(cls) -> Self | None:
        """The twin in whose controller namespace this process is."""
        state = twin_here()
        return cls._of(state) if state else None

    @classmethod
    def all(cls) -> list[Self]:
        """Every living twin of this machine, by name."""
        return [cls._of(state) for state in living()]

    @classmethod
    def _of(cls, state: TwinState) -> Self:
        return cls(state.name, twin_folder(state.name), Path(state.site_folder), state.site_digest, state.pid)

    def enter(self) -> None:
        """Move this process into the controller's network namespace; there is no way back. The process must
        have one thread: any other would stay outside.
        """
        if len(list(Path("/proc/self/task").iterdir())) > 1:
            raise Refused(
                "NOT_SEALED",
                "expected a process of one thread to enter a twin, found several: the others would stay outside",
            )
        self._join()
        ensure_sealed()

    def exec(self, argv: list[str]) -> int:
        """Run a command in the controller's namespace with this process's terminal; its exit code. The twin is
        kept alive meanwhile; faults are not: their dead-men are the business of who injected them.
        """
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if child == 0:
            self._become(argv)
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal tells the command by itself
        try:
            return self._wait_for(child)
        finally:
            signal.signal(signal.SIGINT, before)

    def ssh_settings(self, run: str | None = None) -> SshSettings:
        """How hosts of this twin are reached, with a new folder for the control sockets. Those of a run are always in
        the same one, so that whoever goes on with it uses and closes the connections of the orchestrator before.
        """
        if run is None:
            sockets = Path(tempfile.mkdtemp(prefix="cm-", dir=self.folder))
        else:
            sockets = self.folder / f"cm-{hashlib.sha256(run.encode()).hexdigest()[:8]}"
            sockets.mkdir(mode=0o700, exist_ok=True)
        return SshSettings(control_dir=sockets, private_key=self.folder / KEY, known_hosts=self.folder / KNOWN_HOSTS)

    def inject(self, fault: Fault, lease_s: float, run: str | None = None, epoch: int | None = None) -> None:
        """Break it for real. Without `renew` it lifts by itself after `lease_s` seconds: its dead-man is armed
        first. Refused EPOCH for an orchestrator whose run another has taken over; no run: for who is of none.
        """
        ask(self.folder, "inject", fault=fault.model_dump(mode="json"), lease_s=lease_s, run=run, epoch=epoch)

    def lift(self, fault: Fault, run: str | None = None, epoch: int | None = None) -> None:
        """Idempotent. Refused EPOCH as for `inject`."""
        ask(self.folder, "lift", fault=fault.model_dump(mode="json"), run=run, epoch=epoch)

    def surprise(self, fault: Fault, text: str) -> None:
        """Break something behind the back of every run: none renews or lifts it, and the ground truth tells of it."""
        ask(self.folder, "surprise", fault=fault.model_dump(mode="json"), text=text)

    def lift_surprises(self) -> list[str]:
        """Lift what `surprise` has broken; what each was asked for as."""
        result: list[str] = ask(self.folder, "surprise_over")
        return result

    def is_on(self, fault: Fault, run: str | None = None, epoch: int | None = None) -> bool:
        """Whether it was injected and neither lifted nor lifted by its dead-man since. Refused EPOCH as above."""
        return bool(ask(self.folder, "is_on", fault=fault.model_dump(mode="json"), run=run, epoch=epoch))

    def renew(self, run: str | None = None, epoch: int | None = None) -> None:
        """Start the leases of the twin and of every fault anew. Refused EPOCH as above."""
        ask(self.folder, "renew", run=run, epoch=epoch)

    def keep(self) -> None:
        """Start the twin's own lease anew; faults keep theirs."""
        ask(self.folder, "keep")

    def truth(self) -> dict[str, Any]:
        """What really happened at the fronts, and which faults lifted themselves (`lapsed`). For tests and
        reports; no step or check may read it.
        """
        result: dict[str, Any] = ask(self.folder, "truth")
        return result

    def status(self) -> dict[str, Any]:
        """site, up_since, lease_s, hosts {id: up|frozen|down}, gateways {id: running}, faults, lapsed (faults that
        lifted themselves: [{fault, at}]), bfd {expected, up}.
        """
        result: dict[str, Any] = ask(self.folder, "status")
        return result

    def sabotage(self, what: str, **arguments: str) -> None:
        """For tests: {block,kill,freeze,thaw}_gateway with `gateway`, {freeze,thaw}_host and
        {kill,start,freeze,thaw}_sshd with `host`.
        """
        if what not in _SABOTAGE:
            raise ValueError(f"expected one of {', '.join(_SABOTAGE)}, found {what!r}")
        ask(self.folder, what, **arguments)

    def down(self) -> None:
        """End the twin. Idempotent; leaves nothing."""
        end(self.name, self.folder)

    def _join(self) -> None:
        with Path(network_of(read_state(self.folder) or self._gone())).open("rb") as namespace:
            os.setns(namespace.fileno(), os.CLONE_NEWNET)

    def _gone(self) -> TwinState:
        raise Refused("NO_TWIN", f"expected twin {self.name} to live, found it gone")

    def _become(self, argv: list[str]) -> None:
        """The forked child: never returns."""
        try:
            self._join()
            ensure_sealed()
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and programs inherit that
            os.execvp(argv[0], argv)  # noqa: S606 (no shell is wanted)
        except (OSError, Refused) as error:
            os.write(2, f"{argv[0]}: {error}\n".encode())
        finally:
            os._exit(_NOT_FOUND)

    def _wait_for(self, child: int) -> int:
        ended = os.pidfd_open(child)
        try:
            while not select.select([ended], [], [], _KEEP_EVERY_S)[0]:
                ask(self.folder, "keep")
        finally:
            os.close(ended)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return code if code >= 0 else _KILLED_BY - code
