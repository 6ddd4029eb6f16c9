"""Makes one program out of on-host sources and a request. Runs on the controller; changes nothing.

The program is piped to `python3 -I -S -` on the host: nothing is installed there, and one connection and
one process carry a whole operation. It prints BEGUN as soon as it runs, and one line that begins with MARK, then the
result as JSON.
"""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

BEGUN = "DRILLCTL-BEGUN"
MARK = "DRILLCTL-RESULT "
_FOLDER = Path(__file__).parent / "onhost"
# What each program is made of; a module stands after those that it imports.
_GATEWAY = (
    "vendor_file",
    "vendor_certificate",
    "vendor_redaction",
    "vendor_log",
    "processes",
    "permit",
    "attempts",
    "host_files",
    "fence",
    "ways",
    "gateway",
)
_ROUTE = ("permit", "attempts", "ways", "route")
_MODULES = {
    "gateway": _GATEWAY,
    "standby": (*_GATEWAY, "standby"),
    "route": _ROUTE,
    "barrier": (*_ROUTE, "barrier"),
}
# The handler keeps a closing connection from ending the program half-way. It is a function because an
# ignored signal would be inherited by the gateway that is started, a handler is not. Taking the interpreter down in
# good order would take a fifth of the program's time. The text is ASCII: Python 3.6 takes a long line apart in the
# middle of a character, and then says that it is no UTF-8.
_PROGRAM = """\
print("{begun}", flush=True)
import json, os, signal, sys, types
signal.signal(signal.SIGHUP, lambda *_: None)
staged = sys.modules["staged"] = types.ModuleType("staged")
exec(compile({staged!a}, "staged.py", "exec"), staged.__dict__)
document = json.loads({document!a})
codes = staged.codes({sources}, {digest!r}, document)
answer = json.dumps(staged.load(codes).serve(document))
staged.keep(codes, {digest!r}, document)
try:
    print("{mark}" + answer, flush=True)
except BrokenPipeError:
    pass
os._exit(0)
"""


def program(name: str, document: dict[str, Any]) -> bytes:
    """The text to pipe: `name` is gateway, standby, route or barrier, `document` is what its `serve` takes."""
    sources, digest = _sources(name)
    staged = _source("staged")
    return _PROGRAM.format(
        begun=BEGUN, staged=staged, sources=sources, digest=digest, document=json.dumps(document), mark=MARK
    ).encode()


@cache
def _sources(name: str) -> tuple[str, str]:
    """The modules' sources as a literal, and what names this very text."""
    sources = ascii([(module, _source(module)) for module in _MODULES[name]])
    return sources, hashlib.sha256(sources.encode()).hexdigest()[:16]


@cache
def _source(module: str) -> str:
    return (_FOLDER / f"{module}.py").read_text(encoding="utf-8")


def answer(output: str) -> dict[str, Any] | None:
    """The result in what the program printed; None if it did not get that far."""
    line = next((line for line in reversed(output.splitlines()) if line.startswith(MARK)), None)
    if line is None:
        return None
    found = json.loads(line.removeprefix(MARK))
    return found if isinstance(found, dict) else None
