"""Real HTTP servers on loopback that take notices: one that verifies signatures, as a receiver should."""

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_OLDEST_S = 300  # a receiver's own choice


@dataclass
class Receiver:
    """What came, and how it was answered. `status`: what it answers to what is rightly signed."""

    port: int = 0
    key: str = ""
    now: float = 0.0
    status: int = 200
    location: str = ""
    taken: list[dict[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    seen: list[dict[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/drills"

    def judge(self, headers: dict[str, str], body: bytes) -> int:
        """As docs/how-to/notify-people.md tells a receiver to."""
        self.seen.append(headers)
        if self.key:
            stamp = headers.get("x-drillctl-timestamp", "")
            right = hmac.new(self.key.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
            if not hmac.compare_digest(headers.get("x-drillctl-signature", ""), f"sha256={right}"):
                self.refused.append("signature")
                return 401
            if abs(self.now - int(stamp)) > _OLDEST_S:
                self.refused.append("age")
                return 401
        if 200 <= self.status < 300:
            self.taken.append(json.loads(body))
        return self.status


@contextmanager
def receiver(**setup: Any) -> Iterator[Receiver]:
    """Up with the block."""
    found = Receiver(**setup)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status = found.judge({name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(status)
            if found.location:
                self.send_header("Location", found.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            """Whoever follows a redirect comes with GET."""
            found.seen.append({"method": "GET"})
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_told: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        found.port = server.server_address[1]
        worker = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        worker.start()
        try:
            yield found
        finally:
            server.shutdown()
            worker.join()
