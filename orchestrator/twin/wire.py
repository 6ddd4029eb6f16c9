"""Framing of the exchanges' public binary formats (SSE IS122 and IS120, SZSE Binary 1.32): bytes to messages, pure.

It runs on both sides: in the twin's fronts, and in the simulated gateways. It stands alone.

Public: headers, message types, the bodies of Logon and Logout, the checksum. Our choice, because no public format
says it: a certificate is presented as a fingerprint of 16 hexadecimal digits, and with it goes the instance (16
digits drawn for each start of a gateway process), by which the twin tells one process from another. TDGW and MDGW
carry both in TargetCompID, SZSE carries the fingerprint as Password and the instance as TargetCompID. The protocol
stands in PrtclVersion or DefaultApplVerID. Also our choice: MDGW's bodies are TDGW's, market data is one message
that holds a sequence number, times and dates that nobody reads are 0. Text is padded with spaces.
"""

import hashlib
import struct
from typing import ClassVar, NamedTuple

CHECKSUM = struct.Struct(">I")
LARGEST_BODY = 4096  # our choice: a longer one means that we lost our place in the stream


class WireError(ValueError):
    """The bytes are not of this format, or a value does not fit its field. The connection is of no use any more."""


class Logon(NamedTuple):
    """Log in with a gateway number. `certificate` is a fingerprint, `instance` names the process."""

    number: str
    heartbeat_s: int
    certificate: str = ""
    instance: str = ""
    protocol: str = "standard"


class Logout(NamedTuple):
    """End of a session, its confirmation, or a refusal of a logon."""

    status: int
    text: str = ""


class Heartbeat(NamedTuple):
    """Still there."""


class MarketData(NamedTuple):
    """Our choice of the smallest market data that shows a gap."""

    sequence: int


class Other(NamedTuple):
    """A message of a type that neither side of the twin uses."""

    kind: str


Message = Logon | Logout | Heartbeat | MarketData | Other


def fingerprint(certificate: str) -> str:
    """The 16 hexadecimal digits by which a certificate is presented."""
    return hashlib.sha256(certificate.encode()).hexdigest()[:16]


def checksum(data: bytes) -> int:
    """Sum of all bytes modulo 256."""
    return sum(data) % 256


def _text(value: str, width: int) -> bytes:
    """Pad with spaces. A number that is cut would be another number, so too long is an error."""
    data = value.encode()
    if len(data) > width:
        raise WireError(f"expected at most {width} bytes of text, found {len(data)}: {value}")
    return data.ljust(width)


def _plain(data: bytes) -> str:
    return data.decode(errors="replace").rstrip(" \0")


class Framing:
    """One direction-less codec of one connection: `encode` what goes out, `feed` what comes in.

    A subclass gives the header, the message types and the bodies of one public format.
    """

    header: ClassVar[struct.Struct]
    logout_body: ClassVar[struct.Struct]
    sequence_body: ClassVar[struct.Struct] = struct.Struct(">Q")
    types: ClassVar[dict[type[Message], int | bytes]]

    def __init__(self) -> None:
        self._incoming = bytearray()
        self._sent = 0

    def encode(self, message: Message) -> bytes:
        """The bytes of one message, with header and checksum."""
        kind = self.types.get(type(message))
        if kind is None:
            raise WireError(f"{type(self).__name__} has no {type(message).__name__}")
        body = self._body(message)
        self._sent += 1
        data = self._head(kind, len(body)) + body
        return data + CHECKSUM.pack(checksum(data))

    def feed(self, data: bytes) -> list[Message]:
        """Take bytes in, give back the messages that are complete."""
        self._incoming += data
        found: list[Message] = []
        while len(self._incoming) >= self.header.size:
            kind, length = self._headed(bytes(self._incoming[: self.header.size]))
            if length > LARGEST_BODY:
                raise WireError(f"expected a body of at most {LARGEST_BODY} bytes, found {length}")
            end = self.header.size + length
            if len(self._incoming) < end + CHECKSUM.size:
                break
            frame = bytes(self._incoming[: end + CHECKSUM.size])
            del self._incoming[: len(frame)]
            found.append(self._message(kind, frame[: self.header.size], frame[self.header.size : end], frame[end:]))
        return found

    def _message(self, kind: int | bytes, head: bytes, body: bytes, tail: bytes) -> Message:
        expected = checksum(head + body)
        if CHECKSUM.unpack(tail)[0] != expected:
            raise WireError(f"expected checksum {expected}, found {CHECKSUM.unpack(tail)[0]}")
        try:
            return self._read(kind, body)
        except struct.error as error:
            raise WireError(f"message {kind!r}: {error}") from error

    def _read(self, kind: int | bytes, body: bytes) -> Message:
        if kind == self.types[Logon]:
            return self._logon(body)
        if kind == self.types[Logout]:
            status, text = self.logout_body.unpack(body)
            return Logout(status, _plain(text))
        if kind == self.types[Heartbeat]:
            return Heartbeat()
        if kind == self.types.get(MarketData):
            return MarketData(*self.sequence_body.unpack(body))
        return Other(kind.decode(errors="replace") if isinstance(kind, bytes) else str(kind))

    def _body(self, message: Message) -> bytes:
        if isinstance(message, Logon):
            return self._logon_body(message)
        if isinstance(message, Logout):
            width = self.logout_body.size - 4
            return self.logout_body.pack(message.status, _text(message.text, width))
        if isinstance(message, MarketData):
            return self.sequence_body.pack(message.sequence)
        return b""

    def _head(self, kind: int | bytes, length: int) -> bytes:
        raise NotImplementedError

    def _headed(self, data: bytes) -> tuple[int | bytes, int]:
        raise NotImplementedError

    def _logon_body(self, message: Logon) -> bytes:
        raise NotImplementedError

    def _logon(self, body: bytes) -> Logon:
        raise NotImplementedError


class Szse(Framing):
    """SZSE's binary format; NEEQ's and BSE's gateways are taken to speak like it."""

    header = struct.Struct(">II")
    logout_body = struct.Struct(">i200s")
    types: ClassVar[dict[type[Message], int | bytes]] = {Logon: 1, Logout: 2, Heartbeat: 3, MarketData: 9001}
    logon_body = struct.Struct(">20s20si16s32s")

    def _head(self, kind: int | bytes, length: int) -> bytes:
        return self.header.pack(kind, length)

    def _headed(self, data: bytes) -> tuple[int | bytes, int]:
        kind, length = self.header.unpack(data)
        return kind, length

    def _logon_body(self, message: Logon) -> bytes:
        return self.logon_body.pack(
            _text(message.number, 20),
            _text(message.instance, 20),
            message.heartbeat_s,
            _text(message.certificate, 16),
            _text(message.protocol, 32),
        )

    def _logon(self, body: bytes) -> Logon:
        number, instance, heartbeat_s, certificate, protocol = self.logon_body.unpack(body)
        return Logon(_plain(number), heartbeat_s, _plain(certificate), _plain(instance), _plain(protocol))


class Tdgw(Framing):
    """SSE's trading gateway format. Its header numbers the messages."""

    header = struct.Struct(">IQI")
    logout_body = struct.Struct(">I64s")
    types: ClassVar[dict[type[Message], int | bytes]] = {Logon: 40, Logout: 41, Heartbeat: 33}
    logon_body = struct.Struct(">32s32sH8sII")

    def _head(self, kind: int | bytes, length: int) -> bytes:
        return self.header.pack(kind, self._sent, length)

    def _headed(self, data: bytes) -> tuple[int | bytes, int]:
        kind, _, length = self.header.unpack(data)
        return kind, length

    def _logon_body(self, message: Logon) -> bytes:
        return self.logon_body.pack(*_sse_logon(message), 0, 0)

    def _logon(self, body: bytes) -> Logon:
        return _sse_logon_read(*self.logon_body.unpack(body)[:4])


class Mdgw(Framing):
    """SSE's market-data gateway format: types of four characters, and a sending time."""

    header = struct.Struct(">4sQQI")
    logout_body = struct.Struct(">I64s")
    types: ClassVar[dict[type[Message], int | bytes]] = {
        Logon: b"S001",
        Logout: b"S002",
        Heartbeat: b"S003",
        MarketData: b"X001",
    }
    logon_body = struct.Struct(">32s32sH8s")

    def _head(self, kind: int | bytes, length: int) -> bytes:
        return self.header.pack(kind, 0, self._sent, length)

    def _headed(self, data: bytes) -> tuple[int | bytes, int]:
        kind, _, _, length = self.header.unpack(data)
        return kind, length

    def _logon_body(self, message: Logon) -> bytes:
        return self.logon_body.pack(*_sse_logon(message))

    def _logon(self, body: bytes) -> Logon:
        return _sse_logon_read(*self.logon_body.unpack(body))


def _sse_logon(message: Logon) -> tuple[bytes, bytes, int, bytes]:
    target = _text(message.certificate, 16) + _text(message.instance, 16)
    return _text(message.number, 32), target, message.heartbeat_s, _text(message.protocol, 8)


def _sse_logon_read(number: bytes, target: bytes, heartbeat_s: int, protocol: bytes) -> Logon:
    return Logon(_plain(number), heartbeat_s, _plain(target[:16]), _plain(target[16:]), _plain(protocol))


def framing(service: str) -> Framing:
    """The format in which a front of this service (a gateway class) speaks."""
    return {"tdgw": Tdgw, "mdgw": Mdgw}.get(service, Szse)()
