"""A printed runbook as somebody reads it who has nothing else: its commands and answers, typed into a shell."""

import secrets
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser

AGAIN_S = 0.2  # how soon an operator types a command again


@dataclass
class Printed:
    """One command with the answer that the page promises."""

    repeat_s: float
    only: bool
    lines: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def wrong(self, answer: str) -> str:
        """What of the promise the answer does not keep; empty: nothing."""
        if self.only and answer.strip() != " ".join(self.seen):
            return f"expected only {self.seen}"
        at = 0
        for text in self.seen:
            at = answer.find(text, at)
            if at < 0:
                return f"expected {text!r}"
            at += len(text)
        return next((f"expected no {text!r}" for text in self.absent if text in answer), "")


class Reader(HTMLParser):
    """Blocks of the page by their id: the command to log in, and what to type there."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.blocks: dict[str, list[Printed]] = {}
        self.logins: dict[str, str] = {}
        self._block = ""
        self._in: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        words = (values.get("class") or "").split()
        if "block" in words:
            self._block = values.get("id") or ""
            self.blocks[self._block] = []
        if "command" in words:
            only = values.get("data-only") == "1"
            self.blocks[self._block].append(Printed(float(values.get("data-repeat") or 0), only))
        if "line" in words:
            self._command.lines.append("")
        if tag not in ("meta", "br"):
            self._in.append(" ".join([tag, *words]))

    def handle_endtag(self, tag: str) -> None:
        while self._in and self._in.pop().split()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        here = self._in[-1] if self._in else ""
        if here == "code seen":
            self._command.seen.append(data)
        elif here == "code absent":
            self._command.absent.append(data)
        elif here == "code" and self._in[-2:-1] == ["p login"]:
            self.logins[self._block] = data
        elif here in ("span w", "div line"):
            self._command.lines[-1] += data

    @property
    def _command(self) -> Printed:
        return self.blocks[self._block][-1]


class Window:
    """A shell on a host: what is typed, and what it answers on the screen."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def type(self, text: str, within_s: float = 60) -> str:
        assert self._process.stdin
        assert self._process.stdout
        mark = f"prompt-{secrets.token_hex(6)}"
        self._process.stdin.write(f"{text}\necho {mark}\n".encode())
        self._process.stdin.flush()
        answer, end = b"", time.monotonic() + within_s
        while f"{mark}\n".encode() not in answer:
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, end - time.monotonic()))
            more = self._process.stdout.read1() if ready else b""  # type: ignore[attr-defined] # it is buffered
            assert more, f"expected an answer to {text!r} within {within_s} s, found {answer!r}"
            answer += more
        return answer.decode("utf-8", "replace").replace(mark, "").strip("\n")

    def follow(self, command: Printed) -> str:
        """Type it, again where the page says so, until the promised answer is there."""
        end = time.monotonic() + command.repeat_s
        answer = self.type(command.text)
        while command.wrong(answer):
            assert time.monotonic() < end, f"{command.wrong(answer)}, found {answer!r} to {command.text!r}"
            time.sleep(AGAIN_S)
            answer = self.type(command.text)
        return answer


@contextmanager
def window(argv: list[str]) -> Iterator[Window]:
    """`argv`: the ssh command of the page, in the namespace where its address answers."""
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            yield Window(process)
        finally:
            process.kill()
