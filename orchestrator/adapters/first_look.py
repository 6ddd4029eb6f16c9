"""A first look at every host of a real site: reached or not and why, and whether our programs can run there.

Read only. Each host is asked once, in parallel, each within its own deadline; what goes wrong is that host's result.
"""

import json
import shlex
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fabric import Connection
from paramiko.ssh_exception import AuthenticationException, BadHostKeyException

from orchestrator.adapters.connection import LOST, connection
from orchestrator.adapters.ssh import SshSettings, SshTarget
from orchestrator.model.access import BecomeMethod
from orchestrator.model.topology import Topology, fill

OLDEST = (3, 6)  # what everything that runs on hosts is written for
_AT_ONCE = 16  # our choice: hosts that are asked at the same time
_ANSWER_S = 10.0  # our choice: beyond connecting, for starting Python once
_CHUNK = 1 << 16
_FAR_S = 1.0  # our choice: requests carry deadlines by the host's clock, and the times of its log are compared
_PROGRAM = """\
exec(compile({source!r}, "first_look.py", "exec"))
main(json.loads({request!r}))
"""


@dataclass(frozen=True)
class Found:
    """What came of one host. `wrong` empty: our programs can run there. `mend`: what to do about it."""

    host: str
    wrong: str = ""
    mend: str = ""
    python: str = ""
    account: str = ""
    clock_offset_s: float | None = None
    closed: tuple[str, ...] = ()


@dataclass(frozen=True)
class FirstLook:
    """How hosts are reached, and what is asked there."""

    ssh: SshSettings
    onhost: Path
    topology: Topology

    def at(self, targets: Sequence[SshTarget]) -> Iterable[Found]:
        """In their order, each as soon as all before it have come."""
        with ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="first look") as threads:
            yield from threads.map(self._look, targets)

    def _look(self, target: SshTarget) -> Found:
        link = connection(target, self.ssh)
        end = threading.Timer(3 * self.ssh.connect_timeout_s + _ANSWER_S, _close, [link])  # through bastions: three
        end.daemon = True
        end.start()
        try:
            return self._judged(target, *answer(link, target.command(self._command(target))))
        except BadHostKeyException:
            return Found(target.name, "its key is another one than in known_hosts", _CHANGED)
        except AuthenticationException as error:
            return Found(target.name, f"{target.user}: its key was not accepted ({error})", _NOT_IN)
        except (*LOST, ValueError, LookupError) as error:
            return _unreached(target.name, " ".join(str(error).split()) or "no answer")
        finally:
            end.cancel()
            _close(link)

    def _command(self, target: SshTarget) -> str:
        program = first_look_program(self.onhost, self._files(target.name))
        return f"exec {shlex.quote(target.interpreter)} -I -S -c {shlex.quote(program)}"

    def _files(self, host: str) -> list[str]:
        gateways = [item for item in self.topology.gateways if item.host == host and item.enabled]
        kinds = [(item, self.topology.profiles[item.profile]) for item in gateways]
        return sorted({fill(path, item) for item, kind in kinds for path in (kind.config.path, kind.status.path)})

    def _judged(self, target: SshTarget, answer: dict[str, Any], offset_s: float) -> Found:
        version, account = tuple(answer["python"]), str(answer["account"])
        found = Found(
            target.name,
            python=".".join(str(part) for part in version),
            account=account,
            clock_offset_s=round(offset_s, 3),
            closed=tuple(answer["closed"]),
        )
        wanted = target.user if target.become.method is BecomeMethod.NONE else target.become.user
        if version[:2] < OLDEST:
            wrong, mend = (
                f"Python {found.python}: expected 3.6 or later",
                "install one beside it; `interpreter` names it",
            )
        elif target.become.method is not BecomeMethod.NONE and account != wanted:
            wrong, mend = f"expected to become {wanted}, found {account}", "look at `become` and at sudoers"
        elif found.closed:
            wrong, mend = f"{account} cannot read {', '.join(found.closed)}", "become whom the gateway runs as"
        elif abs(offset_s) > _FAR_S:
            wrong, mend = f"its clock is {offset_s:+.1f} s off", "look at its time service (chrony, ntpd)"
        else:
            return found
        return Found(**{**found.__dict__, "wrong": wrong, "mend": mend})


def first_look_program(onhost: Path, files: Sequence[str]) -> str:
    """first_look.py of this release with its request."""
    source = (onhost / "first_look.py").read_text(encoding="utf-8")
    return _PROGRAM.format(source=source, request=json.dumps({"files": list(files)}))


_CHANGED = "compare it on the host's console; only then put the new one into known_hosts"
_UNKNOWN = "read its key on the host's console and add it to known_hosts"
_NOT_IN = "add the public key of identity_file to that account's authorized_keys, or correct `user`"
_SAID = (  # what a connection says in the end → what to do about it
    ("not found in known_hosts", _UNKNOWN),
    ("host key is known", _UNKNOWN),
    ("has changed", _CHANGED),
    ("Permission denied", _NOT_IN),
    ("administratively prohibited", "the bastion must allow TCP forwarding to the hosts (AllowTcpForwarding)"),
    ("forwarding request failed", "the bastion cannot reach this address and port, or may not: look at both"),
    ("password is required", "sudoers must name the account with NOPASSWD"),
    ("must have a tty", "sudoers must not ask this account for a terminal (Defaults:NAME !requiretty)"),
    ("not found", "no such program there: look at `interpreter` and `become`"),
    ("No such file", "no such program there: look at `interpreter` and `become`"),
)


def _unreached(host: str, said: str) -> Found:
    mend = next((mend for words, mend in _SAID if words in said), "look at address, port and the way there")
    return Found(host, said, mend)


def answer(link: Connection, command: str) -> tuple[dict[str, Any], float]:
    """What the program said, and the host's clock minus ours, short by the line's delay.

    SSHException, OSError, ValueError: why there is none.
    """
    channel = link.create_session()
    channel.settimeout(_ANSWER_S)
    channel.exec_command(command)
    said, heard_at = b"", 0.0
    while data := channel.recv(_CHUNK):
        said, heard_at = said + data, heard_at or time.time()
    line = next((line for line in said.splitlines() if line.startswith(b"{")), None)  # a login script may say more
    if line is None:
        error = channel.recv_stderr(_CHUNK).decode(errors="replace").strip()
        raise ValueError(error.rpartition("\n")[2] or "it said nothing")
    answer: dict[str, Any] = json.loads(line)
    return answer, float(answer["at"]) - heard_at


def _close(link: Connection) -> None:
    with suppress(*LOST):
        link.close()
