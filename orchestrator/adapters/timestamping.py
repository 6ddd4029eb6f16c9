"""A time-stamping authority over HTTP (RFC 3161, 3.4)."""

from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from orchestrator.errors import DefinitionError, Refused

_DEADLINE_S = 10.0  # our choice: sealing goes on without a stamp, which can come later
_LONGEST = 1 << 20  # bytes; our choice: replies hold a few certificates
_ASKED, _ANSWERED = "application/timestamp-query", "application/timestamp-reply"


class _StaysThere(HTTPRedirectHandler):
    """Only the address that the site has named is contacted."""

    def redirect_request(self, *_told: Any) -> None:
        return None


@dataclass(frozen=True)
class HttpStamper:
    """Asks the authority at `url`, through the proxy that the environment names. No redirect is followed."""

    url: str
    deadline_s: float = _DEADLINE_S

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise DefinitionError(f"stamping.url: expected http:// or https://, found {self.url}")

    def stamp(self, query: bytes) -> bytes:
        request = Request(self.url, data=query, headers={"Content-Type": _ASKED}, method="POST")  # noqa: S310 - checked above
        try:
            with build_opener(_StaysThere).open(request, timeout=self.deadline_s) as answer:
                kind = answer.headers.get_content_type()
                reply: bytes = answer.read(_LONGEST)
        except (URLError, HTTPException, OSError) as error:
            raise Refused("NO_STAMP", f"expected an answer of {self.url}, found: {error}") from error
        if kind != _ANSWERED:
            raise Refused("NO_STAMP", f"expected {_ANSWERED} from {self.url}, found {kind}")
        return reply
