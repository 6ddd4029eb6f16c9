"""Makes one program out of on-host sources and a request. Runs on the controller; changes nothing.

The program is piped to `python3 -I -S -` on the host: nothing is installed there, and one connection and
one process carry a whole operation. It prints one line that begins with MARK, then the result as JSON.
"""

import json
from pathlib import Path
from typing import Any

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
# ignored signal would be inherited by the gateway that is started, a handler is not.
_PROGRAM = """\
import json, signal, sys, types
signal.signal(signal.SIGHUP, lambda *_: None)
for name, source in {sources!r}:
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(source, name + ".py", "exec"), module.__dict__)
answer = json.dumps(module.serve(json.loads({document!r})))
try:
    print("{mark}" + answer, flush=True)
except BrokenPipeError:
    sys.stderr.close()
"""


def program(name: str, document: dict[str, Any]) -> bytes:
    """The text to pipe: `name` is gateway, standby, route or barrier, `document` is what its `serve` takes."""
    sources = [(module, (_FOLDER / f"{module}.py").read_text(encoding="utf-8")) for module in _MODULES[name]]
    return _PROGRAM.format(sources=sources, document=json.dumps(document), mark=MARK).encode()


def answer(output: str) -> dict[str, Any] | None:
    """The result in what the program printed; None if it did not get that far."""
    line = next((line for line in reversed(output.splitlines()) if line.startswith(MARK)), None)
    if line is None:
        return None
    found = json.loads(line.removeprefix(MARK))
    return found if isinstance(found, dict) else None
