"""Gathers what a vendor's support needs from the hosts of chosen gateways: read only, in parallel, within limits.

Each host is asked once, over one SSH session. One that is dead, frozen or slow costs its own deadline and nothing of
the others; what it gave until then is kept, and why there is no more is said.
"""

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fabric import Connection
from paramiko import Channel

from orchestrator.adapters.collecting_program import MARK, Asked, collecting_program, collecting_request
from orchestrator.adapters.connection import LOST, connection
from orchestrator.adapters.sampler_program import sampler_command
from orchestrator.adapters.secrets import Mask
from orchestrator.adapters.ssh import SshSettings, SshTarget, ssh_targets
from orchestrator.errors import StepFailed
from orchestrator.loader.site import LoadedSite
from orchestrator.model.support import (
    FileKind,
    GatheredFile,
    GatheredGateway,
    GatheredHost,
    HostFacts,
    RunningProcess,
)
from orchestrator.model.topology import Gateway

_AT_ONCE = 16  # our choice: hosts that are asked at the same time
_SILENCE_S = 30.0  # our choice: to look through the largest file takes a slow host less
_GRACE_S = 1.0  # our choice: who is told to end says why; then the session is ended
_CHUNK = 1 << 16
_LONGEST_LINE = 1 << 20
_ODD = re.compile(r"[^A-Za-z0-9._/-]")


@dataclass(frozen=True)
class Looked:
    """What one host came to."""

    host: GatheredHost
    gateways: tuple[GatheredGateway, ...]
    files: tuple[GatheredFile, ...]


@dataclass(frozen=True)
class Collector:
    """How hosts are reached, and where the files go: below `folder`, as `hosts/HOST/PATH`."""

    site: LoadedSite
    ssh: SshSettings
    onhost: Path
    asked: Asked
    mask: Mask
    folder: Path
    _links: list[Connection] = field(default_factory=list)

    def collect(self, gateways: Sequence[Gateway], done: Callable[[Looked], None]) -> list[Looked]:
        """Ask every host of these gateways; `done` hears of each when it is through. In the order of the topology.

        What goes wrong on a host is its result. An interruption closes every session and goes on.
        """
        targets = ssh_targets(self.site, self.ssh.access)
        chosen = {item.id for item in gateways}
        asked = {item.host for item in gateways}
        hosts = [item.id for item in self.site.topology.scriptable_hosts if item.id in asked]
        found: dict[str, Looked] = {}
        with ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="support") as threads:
            waiting = {threads.submit(self._look, targets[name], chosen): name for name in hosts}
            try:
                for item in as_completed(waiting):
                    found[waiting[item]] = item.result()
                    done(item.result())
            except BaseException:
                threads.shutdown(wait=False, cancel_futures=True)
                for link in list(self._links):
                    _close(link)
                raise
        return [found[name] for name in hosts]

    def _look(self, target: SshTarget, chosen: set[str]) -> Looked:
        gateways = [item for item in self.site.topology.gateways if item.host == target.name and item.id in chosen]
        look = _Look(self, target, gateways)
        began = time.monotonic()
        link = connection(target, self.ssh)
        self._links.append(link)
        watchdog = threading.Timer(self.asked.limits.host_deadline_s + _GRACE_S, _close, [link])
        watchdog.daemon = True
        watchdog.start()  # opening a session waits without a limit of its own
        why = ""
        try:
            look.over(link)
        except (*LOST, ValueError, LookupError, TypeError) as error:  # also what a host says that makes no sense
            why = str(error) or type(error).__name__
        finally:
            watchdog.cancel()
            _close(link)
        return look.result(time.monotonic() - began, " ".join(why.split()))


def _close(link: Connection) -> None:
    with suppress(*LOST):
        link.close()


class _Look:
    """The session with one host, and what has come of it so far."""

    def __init__(self, collector: Collector, target: SshTarget, gateways: Sequence[Gateway]) -> None:
        self._collector, self._target, self._gateways = collector, target, gateways
        self._zone = ZoneInfo(collector.site.topology.site.timezone)
        self._facts: HostFacts | None = None
        self._states: dict[str, dict[str, Any]] = {}
        self._files: list[GatheredFile] = []

    def over(self, link: Connection) -> None:
        """Read everything that the host says. TimeoutError, ValueError, …: it stopped short of its end."""
        limits = self._collector.asked.limits
        request = collecting_request(self._collector.site.topology, self._gateways, self._collector.asked)
        program = collecting_program(self._collector.onhost, request)
        channel = link.create_session()
        channel.settimeout(_SILENCE_S)
        channel.exec_command(self._target.command(sampler_command(self._target.interpreter, program)))
        said = _Said(channel, time.monotonic() + limits.host_deadline_s)
        with suppress(OSError):  # a host that cannot run it has closed the channel and says why on stderr
            channel.sendall(program)
        while said.line() != MARK:
            continue  # a login script may print something of its own
        asked_at = time.time()
        channel.sendall(b"\n")
        answer = json.loads(said.line())
        self._host(answer, asked_at, time.time())
        left = limits.host
        for record in _records(said):
            if record["record"] == "gateway":
                self._states[record["id"]] = record
                continue
            size = int(record["bytes"])
            left -= size
            if left < 0:
                raise ValueError(f"expected at most {limits.host} bytes, found a host that sends more")
            self._file(record, said.exactly(size))

    def _host(self, record: Mapping[str, Any], asked_at: float, heard_at: float) -> None:
        """The host's clock was read somewhere between our question and its answer."""
        keys = ("hostname", "system", "kernel", "python", "timezone", "utc_offset_s", "up_s", "load", "free_bytes")
        self._facts = HostFacts(
            **{key: record[key] for key in keys},
            clock_offset_s=round(record["at"] - (asked_at + heard_at) / 2, 4),
            clock_within_s=round((heard_at - asked_at) / 2, 4),
        )

    def _file(self, record: Mapping[str, Any], content: bytes) -> None:
        item = GatheredFile(
            host=self._target.name,
            path=str(record["path"]),
            gateway=record["gateway"],
            kind=FileKind(record["kind"]),
            missing=str(record["missing"]),
            size=record.get("size"),
            mode=f"{record['mode']:04o}" if "mode" in record else "",
            changed_at=self._time(record.get("mtime")),
        )
        if not item.missing:
            item = item.model_copy(update={**self._kept(item, content), **_said_of(record)})
        self._files.append(item)

    def _kept(self, item: GatheredFile, content: bytes) -> dict[str, Any]:
        """Written below the host's own folder, whatever the host calls it."""
        masked = _masked(self._collector.mask, content)
        name = f"hosts/{self._target.name}/{_safe(item.path)}"
        path = self._collector.folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(masked)
        except OSError as error:
            raise StepFailed(f"expected to keep {name}, found: {error}; make room there") from error
        digest = hashlib.sha256(masked).hexdigest()
        return {"name": name, "bytes": len(masked), "sha256": digest, "masked": masked != content}

    def _time(self, at: float | None) -> str:
        return "" if at is None else datetime.fromtimestamp(at, self._zone).isoformat(timespec="seconds")

    def result(self, took_s: float, why: str) -> Looked:
        host = self._collector.site.topology.host[self._target.name]
        gathered = GatheredHost(
            id=host.id,
            room=host.room,
            address=self._target.address,
            took_s=round(took_s, 2),
            could_not_look=self._collector.mask.text(why),
            facts=self._facts,
        )
        return Looked(gathered, tuple(map(self._gateway, self._gateways)), tuple(self._files))

    def _gateway(self, gateway: Gateway) -> GatheredGateway:
        known = self._states.get(gateway.id)
        plain = GatheredGateway(
            id=gateway.id,
            number=gateway.number,
            title=gateway.title,
            gateway_class=gateway.gateway_class.value,
            profile=gateway.profile,
            verified=self._collector.site.topology.profiles[gateway.profile].verified,
            host=gateway.host,
        )
        if known is None:
            return plain
        running = [RunningProcess(pid=item["pid"], since=self._time(item["since"])) for item in known["processes"]]
        text, version = self._collector.mask.text, known["version"]
        state = {"version": text(version["said"] or ""), "version_unknown": text(version["why_not"])}
        sessions = None if known["sessions"] is None else tuple(known["sessions"])
        return plain.model_copy(update={"looked": True, "processes": tuple(running), "sessions": sessions, **state})


def _said_of(record: Mapping[str, Any]) -> dict[str, Any]:
    return {key: record[key] for key in ("start", "redaction", "replaced")}


def _safe(path: str) -> str:
    """A name that every system reads alike; where that changes it, it ends with some of the path's digest."""
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    plain = _ODD.sub("_", "/".join(parts))
    changed = "" if "/" + plain == path else "-" + hashlib.sha256(path.encode("utf-8", "replace")).hexdigest()[:8]
    return plain + changed


def _masked(mask: Mask, content: bytes) -> bytes:
    text = content.decode("utf-8", "surrogateescape")
    masked = mask.text(text)
    return content if masked == text else masked.encode("utf-8", "surrogateescape")


def _records(said: "_Said") -> Iterator[dict[str, Any]]:
    """Up to the end that the host itself declares: a session that just ends was cut off."""
    while True:
        record: dict[str, Any] = json.loads(said.line())
        if record["record"] == "end":
            return
        yield record


class _Said:
    """What a host says, line by line or by the byte. TimeoutError: silence, or the host's deadline is over."""

    def __init__(self, channel: Channel, deadline: float) -> None:
        self._channel, self._deadline = channel, deadline
        self._unread = bytearray()

    def line(self) -> bytes:
        """With its end. EOFError: the session ended before."""
        while (end := self._unread.find(b"\n")) < 0:
            if len(self._unread) > _LONGEST_LINE:
                raise ValueError("expected lines, found a host that ends none")
            self._more()
        return self._take(end + 1)

    def exactly(self, size: int) -> bytes:
        while len(self._unread) < size:
            self._more()
        return self._take(size)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._unread[:size])
        del self._unread[:size]
        return taken

    def _more(self) -> None:
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("not through within the host's deadline")
        self._channel.settimeout(min(_SILENCE_S, left_s))
        try:
            data = self._channel.recv(_CHUNK)
        except TimeoutError as error:
            raise TimeoutError("no answer within the deadline") from error
        if not data:
            raise EOFError(self._last_words() or "the session ended")
        self._unread += data

    def _last_words(self) -> str:
        if not self._channel.recv_stderr_ready():
            return ""
        return self._channel.recv_stderr(_CHUNK).decode(errors="replace").strip().rpartition("\n")[2]
