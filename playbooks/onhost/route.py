"""The static route of a Linux CE router towards one network: read it, move it, prove it. One round trip.

Runs on routers: Python 3.6 or later, standard library only; piped to the interpreter, never installed.
`serve` takes {"requests": [...]} and returns {"results": [...]}; fields: docs/reference/on-host.md.
A route that a routing daemon has made is left alone: the daemon would put it back.
"""

import shutil
import subprocess
import sys
import time
from typing import Any, Callable, Dict, Optional, Tuple

import permit
from permit import Failure, Refusal

_IP_S = 5.0  # our choice: one `ip` command
_OURS = ("", "static", "boot")  # protocols of routes that a person or a script has set
_KEPT = ("proto", "metric")
_CHANGING = ("path",)


def serve(document: Dict[str, Any]) -> Dict[str, Any]:
    """Carry out all requests of one call, one after the other."""
    return {"results": [run(request) for request in document["requests"]]}


def run(request: Dict[str, Any]) -> Dict[str, Any]:
    """Carry out one request. Never raises: whatever happens becomes the result."""
    request = {"name": request.get("network", "router").replace("/", "-"), **request}
    result: Dict[str, Any] = {"op": request["op"], "changed": False, "touched": False}
    result["stamps"] = {"begin": [time.time(), time.monotonic()]}
    try:
        outcome, message = _OPERATIONS[request["op"]](request, result)
    except Refusal as error:
        outcome, message = "refused", str(error)
    except (Failure, ValueError, OSError) as error:
        untouched = request["op"] in _CHANGING and not result["touched"]
        outcome, message = ("refused" if untouched else "failed"), str(error)
    except Exception as error:  # noqa: BLE001 - the result must go back whatever happened
        outcome, message = "failed", f"unexpected {type(error).__name__}: {error}"
    result.update(ok=outcome in ("succeeded", "would_change", "skipped"), outcome=outcome, message=message)
    result["stamps"]["end"] = [time.time(), time.monotonic()]
    return result


def current(network: str) -> Optional[Dict[str, str]]:
    """{via, dev, proto, metric} of the route to exactly this network that is used (lowest metric), or None."""
    lines = _ip("route", "show", "exact", network).splitlines()
    found = [_route(line) for line in lines if line.strip()]
    return min(found, key=lambda route: int(route.get("metric", 0)), default=None)


def _route(line: str) -> Dict[str, str]:
    words = line.split()[1:]
    return {key: words[index + 1] for index, key in enumerate(words[:-1]) if key in ("via", "dev", *_KEPT)}


def _ip(*words: str) -> str:
    command = ["ip", *words]
    try:
        done = subprocess.run(  # noqa: UP022 - Python 3.6 has no capture_output
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,  # noqa: UP021 - Python 3.6 has no text
            timeout=_IP_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Failure(f"expected {' '.join(command)} to end within {_IP_S:.0f} s, found it running") from error
    if done.returncode:
        raise Failure(f"expected {' '.join(command)} to succeed, found: {done.stderr.strip()}")
    return done.stdout


def _state(request: Dict[str, Any], result: Dict[str, Any]) -> Tuple[str, str]:
    """Next hop towards each network asked for, and what of ours is on the router."""
    routes = {network: current(network) for network in request["networks"]}
    result.update(
        routes=routes,
        residue=permit.residue(permit.work_folder(request)),
        clock=[time.time(), time.monotonic()],
        python=list(sys.version_info[:3]),
    )
    return "succeeded", f"{len(routes)} networks"


def _preflight(request: Dict[str, Any], result: Dict[str, Any]) -> Tuple[str, str]:
    """The command that a later change needs; then the run's token is put on the router."""
    result.update(clock=[time.time(), time.monotonic()], python=list(sys.version_info[:3]))
    if shutil.which("ip") is None:
        raise Refusal("expected a command ip, found none")
    if request.get("check"):
        return "would_change", "ready; the run's token would be put on the router"
    permit.install_token(request)
    return "succeeded", "ready"


def _cleanup(request: Dict[str, Any], result: Dict[str, Any]) -> Tuple[str, str]:
    if not request.get("check"):
        result["changed"] = permit.remove_work_folder(request)
    result["residue"] = permit.residue(permit.work_folder(request))
    return "succeeded", "nothing of ours is left"


def _path(request: Dict[str, Any], result: Dict[str, Any]) -> Tuple[str, str]:
    """Send the network over another next hop; `via` null removes the route."""
    may = None if request.get("check") else permit.Permit(request)
    if may:
        may.require("the request")
    network, via = request["network"], request["via"]
    found = current(network)
    previous = found.get("via") if found else None
    result.update(previous=previous, new=via, diff={"before": [str(previous)], "after": [str(via)]})
    if previous == via:
        return "succeeded", f"nothing to do: {network} goes via {via}"
    _refuse_what_is_not_ours(request, found, previous)
    if may is None:
        return "would_change", f"{network} via {previous} would become via {via}"
    try:
        may.begin()
        _change(network, via, found, may, result)
    finally:
        may.end()
    return "succeeded", f"{network} goes via {via}"


def _refuse_what_is_not_ours(request: Dict[str, Any], found: Optional[Dict[str, str]], previous: Optional[str]) -> None:
    if found and found.get("proto", "") not in _OURS:
        raise Refusal(f"expected a static route to {request['network']}, found one of {found['proto']}")
    expected = request.get("expected_via", previous)
    if expected != previous:
        raise Refusal(f"changed meanwhile: expected {request['network']} via {expected}, found via {previous}")


def _change(
    network: str, via: Optional[str], found: Optional[Dict[str, str]], may: permit.Permit, result: Dict[str, Any]
) -> None:
    kept = [word for key in _KEPT if found and key in found for word in (key, found[key])]
    may.require("changing the route")
    may.touched = result["touched"] = result["changed"] = True
    if via is None:
        _ip("route", "del", network, *kept)
    else:
        _ip("route", "replace", network, "via", via, *kept)
    result["stamps"]["written"] = [time.time(), time.monotonic()]
    now = current(network)
    if (now.get("via") if now else None) != via:
        raise Failure(f"expected {network} via {via} after the change, found {now}")


_Operation = Callable[[Dict[str, Any], Dict[str, Any]], Tuple[str, str]]
_OPERATIONS: Dict[str, _Operation] = {"state": _state, "preflight": _preflight, "cleanup": _cleanup, "path": _path}
