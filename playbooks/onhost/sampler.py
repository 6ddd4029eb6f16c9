"""Watch the gateways of one host, or the routes of one router, and print what is seen as JSON lines.

Runs on the gateway's own host: Python 3.6 or later, standard library only, nothing is installed and
nothing stays. It gives way to whoever works here. It reads only: it writes to no file, sends no packet and
starts no program (a route is asked of this host's own kernel). It ends when its controller is gone: standard
input closed or silent for longer than the lease, output refused, or parent changed.

The request (JSON, see `main`) holds host, interval_ms, lease_s, since, gateways, router. Each interval
prints one line per gateway with the fields of the model `Sample`, `{"router", "at", "mono", "hops"}` for a
router, and `{"stamp", "gateway", "at"}` for each event that a gateway's own log reports meanwhile.
"""

import hashlib
import json
import os
import re
import select
import socket
import struct
import sys
import time
from datetime import datetime, timedelta
from io import FileIO
from itertools import chain
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Pattern, Set, Tuple

from vendor_file import read_endpoints

_SETTLED_S = 5.0  # our choice: a process younger than this is read each time, any other once in this time
_LOG_CHUNK = 1 << 20  # our choice: at most this much of a log in one look, the rest in the next
_LOOK_BACK_S = 5.0  # our choice: a log line may be flushed this long after the time that it carries
_NICE = 10  # our choice: half of what there is
_EVENTS = ("connected", "logged_in", "lost", "logged_out", "refused")

# Processes -----------------------------------------------------------------------------------------


class Processes:
    """The pids of each gateway: those whose command line holds the gateway's process text."""

    def __init__(self, texts: Dict[str, str]) -> None:
        self._patterns = {gateway: _whole(text) for gateway, text in texts.items()}
        self._first_seen: Dict[str, float] = {}
        self._all_at = 0.0  # when every process is read again
        self._pids: Dict[str, Set[str]] = {gateway: set() for gateway in texts}

    def look(self, now: float) -> Dict[str, Set[str]]:
        """A host may run thousands of other processes: those that are neither young nor known are read seldom.
        Not never: a start script may exec into the gateway late.
        """
        alive = {name for name in os.listdir("/proc") if name.isdigit()}
        new = now if self._first_seen else now - _SETTLED_S
        self._first_seen = {pid: self._first_seen.get(pid, new) for pid in alive}
        known = set().union(*self._pids.values()) if self._pids else set()
        wanted = {pid for pid, seen in self._first_seen.items() if now - seen < _SETTLED_S or pid in known}
        if now >= self._all_at:
            wanted, self._all_at = alive, now + _SETTLED_S
        commands = {pid: _command(pid) for pid in wanted}
        for gateway, pattern in self._patterns.items():
            self._pids[gateway] = {pid for pid, command in commands.items() if pattern.search(command)}
        return self._pids


def _whole(text: str) -> "Pattern[str]":
    """The text, not followed by more of the same word: `-n 1` is not the process of `-n 12`."""
    return re.compile(re.escape(text) + r"(?![A-Za-z0-9])")


def _command(pid: str) -> str:
    """The command line; empty for a process that is gone or a zombie."""
    data = _read("/proc/" + pid + "/cmdline") or b""
    return data.replace(b"\0", b" ").decode("utf-8", "replace").strip()


# Sockets -------------------------------------------------------------------------------------------


_NLM_F_REQUEST, _NLM_F_DUMP = 1, 0x300  # linux/netlink.h
_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY, _NLMSG_ERROR, _NLMSG_DONE = 4, 20, 2, 3
_ESTABLISHED, _SYN_SENT = 1, 2  # include/net/tcp_states.h
_MAPPED = b"\0" * 10 + b"\xff\xff"  # ::ffff:a.b.c.d, how an IPv6 socket (Java) talks to an IPv4 address
_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
_DIAG_REQUEST = struct.Struct("=BBBBI48x")  # struct inet_diag_req_v2
_DIAG_SOCKET = struct.Struct("=xB4x2s16x16s12x16xI")  # struct inet_diag_msg: state, far port, far address, inode

Row = Tuple[bytes, int, int]  # far end (address and port, packed), state, inode


class Connection(NamedTuple):
    """A TCP socket whose far end stands in some gateway's list."""

    far_end: str
    established: bool
    inode: int


class Connections:
    """The host's TCP connections towards listed endpoints, read once per interval for all gateways."""

    def __init__(self) -> None:
        self._far_ends: Dict[bytes, str] = {}
        self._read = _diagnosed

    def expect(self, endpoints: List[str]) -> None:
        """Look for these far ends from now on."""
        for endpoint in endpoints:
            address, _, port = endpoint.rpartition(":")
            try:
                self._far_ends[socket.inet_aton(address) + struct.pack(">H", int(port))] = endpoint
            except OSError:
                continue  # a name is no address, and nothing is looked up here

    def look(self) -> List[Connection]:
        try:
            rows = self._read()
        except OSError:  # a kernel without tcp_diag
            self._read = _listed
            rows = self._read()
        return [
            Connection(self._far_ends[far_end], state == _ESTABLISHED, inode)
            for far_end, state, inode in rows
            if far_end in self._far_ends and state in (_ESTABLISHED, _SYN_SENT)
        ]


def _diagnosed() -> List[Row]:
    """By the kernel's socket diagnosis, as `ss` does: reading /proc/net/tcp costs the host 20 times as much."""
    rows = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as kernel:
        kernel.settimeout(1)  # our choice: the kernel answers at once or never
        for family in (socket.AF_INET, socket.AF_INET6):
            body = _DIAG_REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, 1 << _ESTABLISHED | 1 << _SYN_SENT)
            flags = _NLM_F_REQUEST | _NLM_F_DUMP
            kernel.send(_HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, flags, 0, 0) + body)
            rows += [_diagnosed_row(family, message) for message in _messages(kernel)]
    return rows


def _messages(kernel: socket.socket) -> Iterator[bytes]:
    """The bodies of a dump's answer, up to its end."""
    while True:
        data = kernel.recv(1 << 17)
        while data:
            length, kind = _HEADER.unpack_from(data)[:2]
            if kind == _NLMSG_ERROR:
                raise OSError("the kernel has no socket diagnosis for TCP")
            if kind == _NLMSG_DONE:
                return
            yield data[_HEADER.size : length]
            data = data[(length + 3) & ~3 :]


def _diagnosed_row(family: int, message: bytes) -> Row:
    state, port, address, inode = _DIAG_SOCKET.unpack_from(message)
    if family == socket.AF_INET:
        return address[:4] + port, state, inode
    return (address[12:] if address.startswith(_MAPPED) else address) + port, state, inode


def _listed() -> List[Row]:
    """By /proc/net/tcp and tcp6, which every kernel has."""
    lines = [line for name in ("tcp", "tcp6") for line in (_read("/proc/net/" + name) or b"").splitlines()[1:]]
    return [_listed_row(line.split(None, 10)) for line in lines]


def _listed_row(fields: List[bytes]) -> Row:
    """Addresses are printed as words in the host's own byte order."""
    words, _, port = fields[2].partition(b":")
    address = b"".join(struct.pack("=I", int(words[at : at + 8], 16)) for at in range(0, len(words), 8))
    far_end = address[12:] if address.startswith(_MAPPED) else address
    return far_end + struct.pack(">H", int(port, 16)), int(fields[3], 16), int(fields[9])


class Ownership:
    """Which sockets belong to a gateway's processes. A process's descriptors are read only for a new socket."""

    def __init__(self) -> None:
        self._pids: Set[str] = set()
        self._owned: Dict[int, bool] = {}

    def holds(self, pids: Set[str], inode: int) -> bool:
        if pids != self._pids:
            self._pids, self._owned = set(pids), {}
        if inode not in self._owned:
            held = {found for pid in pids for found in _socket_inodes(pid)}
            self._owned[inode] = inode in held
        return self._owned[inode]


def _socket_inodes(pid: str) -> Iterator[int]:
    """Sockets of a process; none if it is gone, or if it belongs to a user that we may not look at."""
    folder = "/proc/" + pid + "/fd/"
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        try:
            target = os.readlink(folder + name)
        except OSError:
            continue
        if target.startswith("socket:["):
            yield int(target[8:-1])


# Files ---------------------------------------------------------------------------------------------


def _read(path: str) -> Optional[bytes]:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


class ServerList:
    """The ordered list in the vendor's file and the file's digest, read again only when the file changed."""

    def __init__(self, spec: Dict[str, Any]) -> None:
        self._spec = spec
        self._version: Optional[Tuple[int, ...]] = None
        self.endpoints: Optional[List[str]] = None
        self.sha256: Optional[str] = None

    def look(self) -> bool:
        """True when it was read again."""
        try:
            stat = os.stat(self._spec["path"])
        except OSError:
            self._version = self.endpoints = self.sha256 = None
            return True
        version = (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
        if version == self._version:
            return False
        self._version = version
        self._parse(_read(self._spec["path"]))
        return True

    def _parse(self, data: Optional[bytes]) -> None:
        self.sha256 = None if data is None else hashlib.sha256(data).hexdigest()
        try:
            self.endpoints = None if data is None else read_endpoints(data, self._spec)
        except ValueError:
            self.endpoints = None


def read_status(path: str) -> Optional[Dict[str, str]]:
    """The `key=value` lines of a gateway's status file; None: there is no such file."""
    data = _read(path)
    if data is None:
        return None
    pairs = (line.partition("=") for line in data.decode("utf-8", "replace").splitlines())
    return {key.strip(): value.strip() for key, found, value in pairs if found}


# The gateway's log ---------------------------------------------------------------------------------

_TIME_PARTS = {
    "Y": r"\d{4}",
    "f": r"\d{1,6}",
    "j": r"\d{1,3}",
    "z": r"(?:Z|[+-]\d{2}:?\d{2})",
    "%": "%",
}
_TIME_PARTS.update(dict.fromkeys("ymdHMSI", r"\d{1,2}"))
_TIME_PARTS.update(dict.fromkeys("bBaAp", r"\w+"))


def time_pattern(time_format: str) -> str:
    """A regular expression for what strptime reads by this format."""
    parts = re.split(r"%(.)", time_format)
    return "".join(_TIME_PARTS.get(part, ".+?") if index % 2 else re.escape(part) for index, part in enumerate(parts))


def template_pattern(template: str, fields: Dict[str, str]) -> "Pattern[str]":
    """A template's literal text with its `{name}` fields replaced; a field may stand more than once."""
    parts = re.split(r"\{(\w+|\*)\}", template)
    used: Set[str] = set()
    pattern = ""
    for index, part in enumerate(parts):
        if index % 2 == 0:
            pattern += re.escape(part)
        elif part == "*" or part in used:
            pattern += ".*"
        else:
            used.add(part)
            pattern += f"(?P<{part}>{fields[part]})"
    return re.compile(pattern + r"\Z")


class LogForm:
    """How the lines of a gateway's log read, by the site's templates (model `LogFile`)."""

    def __init__(self, spec: Dict[str, Any]) -> None:
        self._time_format = spec["time_format"]
        self._line = template_pattern(spec["line"], {"time": time_pattern(self._time_format), "text": ".*"})
        endpoint = {"endpoint": r"[\w.-]+:\d+"}
        self._events = [(event, template_pattern(spec[event], endpoint)) for event in _EVENTS]

    def read(self, line: str, now: float) -> Optional[Tuple[str, float]]:
        """(event, seconds since the epoch) of a line that reports a session's life."""
        found = self._line.match(line.rstrip())
        if found is None:
            return None
        text = found.group("text").rstrip()
        for event, pattern in self._events:
            if pattern.match(text):
                try:
                    return event, self._epoch(found.group("time"), now)
                except ValueError:
                    return None
        return None

    def _epoch(self, text: str, now: float) -> float:
        """What the format leaves out (year, or the whole date) makes it the latest time that is not ahead of now."""
        today = datetime.fromtimestamp(now)  # noqa: DTZ006 - the log is in the host's local time
        if "%Y" in self._time_format or "%y" in self._time_format:
            return self._parsed("", "", text).timestamp()
        if "%d" in self._time_format or "%j" in self._time_format:
            stamp = self._parsed("%Y ", f"{today.year} ", text)
            if stamp > today + timedelta(days=1):
                stamp = self._parsed("%Y ", f"{today.year - 1} ", text)
            return stamp.timestamp()
        stamp = self._parsed("%Y-%m-%d ", f"{today:%Y-%m-%d} ", text)
        return (stamp if stamp <= today + timedelta(hours=12) else stamp - timedelta(days=1)).timestamp()

    def _parsed(self, more_format: str, more: str, text: str) -> datetime:
        return datetime.strptime(more + text, more_format + self._time_format)  # noqa: DTZ007 - as above


class LogTail:
    """New whole lines of a log file. Rotation by rename and by truncation are followed."""

    def __init__(self, path: str, back: int) -> None:
        self._path = path
        self._rest = b""
        self._file = self._opened()
        if self._file is not None:
            end = self._file.seek(0, os.SEEK_END)
            self._file.seek(max(0, end - back))

    def lines(self) -> List[str]:
        data = self._chunk()
        if not data and self._replaced():
            if self._file is not None:
                self._file.close()
            self._file, self._rest = self._opened(), b""
            data = self._chunk()
        whole, newline, rest = (self._rest + data).rpartition(b"\n")
        self._rest = rest[-_LOG_CHUNK:]
        return [_text(line) for line in whole.split(b"\n")] if newline else []

    def _chunk(self) -> bytes:
        if self._file is None:
            return b""
        if os.fstat(self._file.fileno()).st_size < self._file.tell():
            self._file.seek(0)
            self._rest = b""
        return self._file.read(_LOG_CHUNK) or b""

    def _replaced(self) -> bool:
        try:
            stat = os.stat(self._path)
        except OSError:
            return False
        return self._file is None or os.fstat(self._file.fileno()).st_ino != stat.st_ino

    def _opened(self) -> Optional[FileIO]:
        try:
            return FileIO(self._path)
        except OSError:
            return None


def _text(line: bytes) -> str:
    """UTF-8, else the Chinese encoding that contains GBK: the log's encoding is not declared."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("gb18030", "replace")


# One gateway ---------------------------------------------------------------------------------------


class Gateway:
    """Everything that is looked at for one gateway (a GatewaySpec)."""

    def __init__(self, spec: Dict[str, Any], since: Optional[float]) -> None:
        self.id = spec["id"]
        self.list = ServerList(spec["config"])
        self._spec = spec
        self._since = since
        self._ownership = Ownership()
        self._log = LogTail(spec["log"]["path"], 0 if since is None else _LOG_CHUNK)
        self._form = LogForm(spec["log"])

    def sample(self, pids: Set[str], connections: List[Connection]) -> Dict[str, Any]:
        status = read_status(self._spec["status"]["path"])
        logged_in = self._logged_in(bool(pids), status)
        established, opening = self._far_ends(pids, connections)
        if self._spec["receives_only"]:
            established, opening = self._received(bool(pids), logged_in, status or {})
        return {
            "running": bool(pids),
            "endpoints": self.list.endpoints,
            "config_sha256": self.list.sha256,
            "session": established,
            "connecting": opening,
            "logged_in": logged_in,
            "sequence": self._sequence(status or {}),
        }

    def stamps(self, now: float) -> Iterator[Tuple[str, float]]:
        """Events in the log. After a lost connection (`since`) those of the gap are reported, too."""
        for line in self._log.lines():
            found = self._form.read(line, now)
            if found is not None and (self._since is None or found[1] > self._since - _LOOK_BACK_S):
                yield found

    def _logged_in(self, running: bool, status: Optional[Dict[str, str]]) -> Optional[bool]:
        """A process that died leaves its status file behind: without a process nobody is logged in."""
        if not running:
            return False
        if status is None:
            return None
        said: Dict[str, str] = self._spec["status"]
        return status.get(said["logged_in_key"]) == said["logged_in_value"]

    def _far_ends(self, pids: Set[str], connections: List[Connection]) -> Tuple[Optional[str], Optional[str]]:
        ends: Dict[bool, str] = {}
        listed = self.list.endpoints or []
        for connection in connections:
            if connection.far_end in listed and self._ownership.holds(pids, connection.inode):
                ends.setdefault(connection.established, connection.far_end)
        return ends.get(True), ends.get(False)

    def _received(
        self, running: bool, logged_in: Optional[bool], status: Dict[str, str]
    ) -> Tuple[Optional[str], Optional[str]]:
        """Multicast is joined, never connected: the status file says to which group it listens."""
        group = status.get("endpoint") if running else None
        return (group, None) if logged_in else (None, group)

    def _sequence(self, status: Dict[str, str]) -> Optional[int]:
        value = status.get(self._spec["status"]["sequence_key"] or "", "")
        return int(value) if value.isdigit() else None


class Watch:
    """All gateways of this host."""

    def __init__(self, request: Dict[str, Any]) -> None:
        self._host = request["host"]
        self._gateways = [Gateway(spec, request.get("since")) for spec in request["gateways"]]
        self._processes = Processes({spec["id"]: spec["service"]["process"] for spec in request["gateways"]})
        self._connections = Connections()

    def look(self) -> Iterator[Dict[str, Any]]:
        if not self._gateways:
            return
        at, mono = time.time(), time.monotonic()
        pids = self._processes.look(mono)
        for gateway in self._gateways:
            if gateway.list.look():
                self._connections.expect(gateway.list.endpoints or [])
        connections = self._connections.look()
        for gateway in self._gateways:
            stamps = [{"stamp": event, "gateway": gateway.id, "at": when} for event, when in gateway.stamps(at)]
            seen = gateway.sample(pids[gateway.id], connections)
            yield from stamps
            yield dict(seen, gateway=gateway.id, host=self._host, at=at, mono=mono)


# A router's routes ---------------------------------------------------------------------------------

_RTM_NEWROUTE, _RTM_GETROUTE = 24, 26  # linux/rtnetlink.h
_RTA_DST, _RTA_GATEWAY = 1, 5
_ROUTE, _ATTRIBUTE = struct.Struct("=8BI"), struct.Struct("=HH")  # struct rtmsg, struct rtattr


class Routes:
    """The next hop that this router's kernel chooses towards one address of each centre."""

    def __init__(self, request: Dict[str, Any]) -> None:
        self._router = request["router"]
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) if self._router else None
        if self._socket is not None:
            self._socket.settimeout(1)  # our choice: the kernel answers at once or never

    def look(self) -> Iterator[Dict[str, Any]]:
        if self._socket is None:
            return
        at, mono = time.time(), time.monotonic()
        hops = {centre: self._next_hop(address) for centre, address in self._router["addresses"].items()}
        yield {"router": self._router["id"], "at": at, "mono": mono, "hops": hops}

    def _next_hop(self, address: str) -> Optional[str]:
        """As `ip route get` has it, without starting a program each time. None: no route, or no gateway on it."""
        assert self._socket is not None  # noqa: S101 - `look` has asked
        attribute = _ATTRIBUTE.pack(_ATTRIBUTE.size + 4, _RTA_DST) + socket.inet_aton(address)
        body = _ROUTE.pack(socket.AF_INET, 32, 0, 0, 0, 0, 0, 0, 0) + attribute
        self._socket.send(_HEADER.pack(_HEADER.size + len(body), _RTM_GETROUTE, _NLM_F_REQUEST, 0, 0) + body)
        return parse_route(self._socket.recv(8192))


def parse_route(message: bytes) -> Optional[str]:
    """The gateway in the kernel's answer; an error answer (network unreachable) has none."""
    length, kind = _HEADER.unpack_from(message)[:2]
    if kind != _RTM_NEWROUTE:
        return None
    position = _HEADER.size + _ROUTE.size
    while position + _ATTRIBUTE.size <= length:
        size, attribute = _ATTRIBUTE.unpack_from(message, position)
        value = message[position + _ATTRIBUTE.size : position + size]
        if attribute == _RTA_GATEWAY:
            return socket.inet_ntoa(value)
        if not value:
            return None
        position += (size + 3) & ~3
    return None


# Running -------------------------------------------------------------------------------------------


class Controller:
    """The far end of standard input and output. Gone means that nobody wants this program any more."""

    def __init__(self, lease_s: float) -> None:
        self._parent = os.getppid()
        self._lease_s = lease_s
        self._heard = time.monotonic()

    def wait(self, until: float) -> bool:
        """Wait for the next interval; False when the controller is gone."""
        while True:
            timeout = until - time.monotonic()
            if select.select([0], [], [], max(0.0, timeout))[0]:
                if not os.read(0, 4096):
                    return False
                self._heard = time.monotonic()
            elif os.getppid() != self._parent or time.monotonic() - self._heard > self._lease_s:
                return False
            if timeout <= 0:
                return True

    def listens(self) -> bool:
        """False while the pipe is full: what is not looked at now is seen in the next interval."""
        return bool(select.select([], [1], [], 0)[1])

    def tell(self, lines: List[str]) -> bool:
        """Print; False when nobody takes it."""
        try:
            sys.stdout.write("".join(line + "\n" for line in lines))
            sys.stdout.flush()
        except OSError:
            return False
        return True


def _give_way() -> None:
    """Whoever works on this host goes before who looks at it: also where each session has a share of its own."""
    os.nice(_NICE)
    if os.getsid(0) != os.getpid():  # others would give way with it
        return
    try:
        with open("/proc/self/autogroup", "w", encoding="ascii") as share:
            share.write(str(_NICE))
    except OSError:  # this kernel shares out otherwise
        pass


def main(request: Dict[str, Any]) -> None:
    """Look once per interval until the controller is gone."""
    _give_way()
    watch, routes, controller = Watch(request), Routes(request), Controller(request["lease_s"])
    interval = request["interval_ms"] / 1000.0
    due = time.monotonic()
    while controller.wait(due):
        if controller.listens():
            seen = chain(watch.look(), routes.look())
            if not controller.tell([json.dumps(line) for line in seen]):
                break
        due = max(due + interval, time.monotonic())
    os._exit(0)  # flushing to a controller that is gone would only end in an error message
