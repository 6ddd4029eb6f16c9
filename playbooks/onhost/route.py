"""The static route of a Linux CE router towards one network: read it, move it, prove it. One round trip.

Runs on routers: Python 3.6 or later, standard library only; piped to the interpreter, never installed.
`serve` takes {"requests": [...]} and returns {"results": [...]}; fields: docs/reference/on-host.md.
A route that a routing daemon has made is left alone: the daemon would put it back.
"""

import shutil
import subprocess
import sys
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

import attempts
import permit
import staged
import ways
from permit import Failure, Refusal

_COMMAND_S = 5.0  # our choice: one `ip` or `nft` command
_OURS = ("", "static", "boot")  # protocols of routes that a person or a script has set
_KEPT = ("proto", "metric")
_LOOKING = ("state", "preflight", "cleanup")
FENCE = "drillctl_fence_"  # how the nft table of a network fence begins (barrier.py)


def serve(document: Dict[str, Any]) -> Dict[str, Any]:
    """Carry out all requests of one call, one after the other."""
    return serve_with(document, OPERATIONS)


def serve_with(document: Dict[str, Any], operations: "Dict[str, Operation]") -> Dict[str, Any]:
    """The same for a program that knows other operations too."""
    return {"results": [run(request, operations) for request in document["requests"]]}


class Job:
    """One request on one router, with what is known so far for its result."""

    def __init__(self, request: Dict[str, Any]) -> None:
        self.request = request
        self.permit: Optional[permit.Permit] = None
        self.result: Dict[str, Any] = {"op": request["op"], "changed": False, "touched": False}
        self.result["stamps"] = {"begin": [time.time(), time.monotonic()]}


Operation = Callable[[Job], Tuple[str, str]]


def run(request: Dict[str, Any], operations: Dict[str, Operation]) -> Dict[str, Any]:
    """Carry out one request. Never raises: whatever happens becomes the result."""
    job = Job({"name": _name(request.get("network", "router")), **request})
    try:
        outcome, message = operations[request["op"]](job)
    except Refusal as error:
        outcome, message = "refused", str(error)
    except (Failure, ValueError, OSError) as error:
        untouched = request["op"] not in _LOOKING and not job.result["touched"]
        outcome, message = ("refused" if untouched else "failed"), str(error)
    except Exception as error:  # noqa: BLE001 - the result must go back whatever happened
        outcome, message = "failed", f"unexpected {type(error).__name__}: {error}"
    job.result.update(ok=outcome in ("succeeded", "would_change", "skipped"), outcome=outcome, message=message)
    job.result["stamps"]["end"] = [time.time(), time.monotonic()]
    if job.permit:
        attempts.conclude(job.request, job.permit, job.result)
    return job.result


def _name(network: str) -> str:
    return network.replace("/", "-")


def current(network: str) -> Optional[Dict[str, str]]:
    """{via, dev, proto, metric} of the route to exactly this network that is used (lowest metric), or None."""
    lines = _ip("route", "show", "exact", network).splitlines()
    found = [_route(line) for line in lines if line.strip()]
    return min(found, key=lambda route: int(route.get("metric", 0)), default=None)


def _route(line: str) -> Dict[str, str]:
    words = line.split()[1:]
    return {key: words[index + 1] for index, key in enumerate(words[:-1]) if key in ("via", "dev", *_KEPT)}


def _ip(*words: str) -> str:
    return command(["ip", *words])


def command(words: List[str], data: str = "") -> str:
    """Run it with this on its standard input; what it prints. Failure says what went wrong."""
    try:
        done = subprocess.run(  # noqa: UP022 - Python 3.6 has no capture_output
            words,
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,  # noqa: UP021 - Python 3.6 has no text
            timeout=_COMMAND_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Failure(f"expected {' '.join(words)} to end within {_COMMAND_S:.0f} s, found it running") from error
    if done.returncode:
        raise Failure(f"expected {' '.join(words)} to succeed, found: {done.stderr.strip()}")
    return done.stdout


def fences() -> List[str]:
    """Network fences that stand on this router, whichever run has put them there."""
    if shutil.which("nft") is None:
        return []
    tables = (line.split() for line in command(["nft", "list", "tables"]).splitlines())
    return sorted("nft table " + words[-1] for words in tables if words and words[-1].startswith(FENCE))


def _state(job: Job) -> Tuple[str, str]:
    """Next hop towards each network asked for, what of ours is on the router, and what became of an attempt."""
    networks = job.request["networks"] if "networks" in job.request else [job.request["network"]]
    job.result.update(attempts.past(job.request, [_name(network) for network in networks], lambda: False))
    job.result.update(
        routes={network: current(network) for network in networks},
        hops=ways.hops(job.request.get("addresses", ())),
        residue=permit.residue(staged.work_folder(job.request)) + fences(),
        clock=[time.time(), time.monotonic()],
        python=list(sys.version_info[:3]),
    )
    return "succeeded", f"{len(networks)} networks"


def preflight(job: Job, needed: Tuple[str, ...] = ("ip",)) -> Tuple[str, str]:
    """The commands that a later change needs; then the run's token is put on the router."""
    job.result.update(clock=[time.time(), time.monotonic()], python=list(sys.version_info[:3]))
    missing = [name for name in needed if shutil.which(name) is None]
    if missing:
        raise Refusal(f"expected the commands {', '.join(needed)}, found no {', '.join(missing)}")
    if job.request.get("check"):
        return "would_change", "ready; the run's token would be put on the router"
    permit.install_token(job.request)
    return "succeeded", "ready"


def _cleanup(job: Job) -> Tuple[str, str]:
    if not job.request.get("check"):
        job.result["changed"] = permit.remove_work_folder(job.request)
    job.result["residue"] = permit.residue(staged.work_folder(job.request)) + fences()
    return "succeeded", "the run's files are off the router"


def _path(job: Job) -> Tuple[str, str]:
    """Send the network over another next hop; `via` null removes the route."""
    if not job.request.get("check"):
        attempts.begin(job.request, take(job))
    network, via = job.request["network"], job.request["via"]
    found = current(network)
    previous = found.get("via") if found else None
    job.result.update(previous=previous, new=via, diff={"before": [str(previous)], "after": [str(via)]})
    if previous == via:
        return "succeeded", f"nothing to do: {network} goes via {via}"
    _refuse_what_is_not_ours(job.request, found, previous)
    if job.permit is None:
        return "would_change", f"{network} via {previous} would become via {via}"
    _change(job, job.permit, found)
    return "succeeded", f"{network} goes via {via}"


def take(job: Job) -> permit.Permit:
    """This request's permit, not yet begun."""
    job.permit = permit.Permit(job.request)
    return job.permit


def _refuse_what_is_not_ours(request: Dict[str, Any], found: Optional[Dict[str, str]], previous: Optional[str]) -> None:
    if found and found.get("proto", "") not in _OURS:
        raise Refusal(f"expected a static route to {request['network']}, found one of {found['proto']}")
    expected = request.get("expected_via", previous)
    if expected != previous:
        raise Refusal(f"changed meanwhile: expected {request['network']} via {expected}, found via {previous}")


def _change(job: Job, may: permit.Permit, found: Optional[Dict[str, str]]) -> None:
    network, via = job.request["network"], job.request["via"]
    kept = [word for key in _KEPT if found and key in found for word in (key, found[key])]
    may.require("changing the route")
    may.touched = job.result["touched"] = job.result["changed"] = True
    if via is None:
        _ip("route", "del", network, *kept)
    else:
        _ip("route", "replace", network, "via", via, *kept)
    job.result["stamps"]["written"] = [time.time(), time.monotonic()]
    now = current(network)
    if (now.get("via") if now else None) != via:
        raise Failure(f"expected {network} via {via} after the change, found {now}")


OPERATIONS: Dict[str, Operation] = {"state": _state, "preflight": preflight, "cleanup": _cleanup, "path": _path}
