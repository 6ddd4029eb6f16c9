"""A network fence on a Linux CE router: nothing goes between one host and the exchanges' centres. One round trip.

Runs on routers: Python 3.6 or later, standard library and `nft` only. For a host that nobody can reach any more, so
that its number may log in elsewhere (SSCC-2.5). It is no fault: it has no dead-man and stays until `unfence`,
whatever becomes of the run. A fence swallows the farewell, so `fence` ends only when the fronts' release time has
passed since it was proved to stand. Fields: docs/reference/on-host.md.
"""

import hashlib
import re
import time
from typing import Any, Dict, List, Optional, Tuple

import attempts
import route
from permit import Failure, Permit, Refusal
from route import Job

_MARGIN_S = 3.0  # our choice: least time that must be left beside the release time
_COUNTER = re.compile(r"counter packets (\d+) bytes \d+")
_HEAD = "type filter hook forward"


def serve(document: Dict[str, Any]) -> Dict[str, Any]:
    """Carry out all requests of one call, one after the other."""
    requests = [{"name": _name(request), **request} for request in document["requests"]]
    return route.serve_with({"requests": requests}, _OPERATIONS)


def _name(request: Dict[str, Any]) -> str:
    return "fence-" + request["host"] if "host" in request else "router"


def table_of(request: Dict[str, Any]) -> str:
    """One table per run and host: no run takes another's fence down. A failback names the run whose fence it is."""
    run = hashlib.sha256((request.get("fenced_by") or request["run"]).encode()).hexdigest()[:8]
    return route.FENCE + request["host"].replace("-", "_") + "_" + run


def rules_of(request: Dict[str, Any]) -> List[str]:
    """Both directions between the host's addresses and the centres' networks, as `nft list` writes them."""
    pairs = [(address, network) for address in request["addresses"] for network in request["networks"]]
    ways = [way for address, network in pairs for way in ((address, network), (network, address))]
    return [f"ip saddr {source} ip daddr {target} counter drop" for source, target in ways]


def _fence(job: Job) -> Tuple[str, str]:
    """Put it up in one transaction, prove it, and wait until the fronts have forgotten who is behind it."""
    request, release_s = job.request, float(job.request["release_s"])
    may = _begin(job)
    if may is None:
        return "would_change", f"{request['host']} would be cut off from {', '.join(request['networks'])}"
    if may.left_s() < release_s + _MARGIN_S:
        raise Refusal(f"expected {release_s + _MARGIN_S:.0f} s until the deadline, found {may.left_s():.1f} s")
    _require_no_shortcut()
    if not _stands(request):
        may.require("putting the fence up")
        may.touched = job.result["touched"] = job.result["changed"] = True
        route.command(["nft", "-f", "-"], _script(request))
    at_proof = _prove(request)
    job.result["stamps"]["proved"] = [time.time(), time.monotonic()]
    job.result.update(way="network", table=table_of(request), dropped_at_proof=at_proof)
    job.result["waited_s"] = _wait(may, release_s)
    job.result.update(dropped=_prove(request), released=True)
    job.result["stamps"]["released"] = [time.time(), time.monotonic()]
    return "succeeded", f"{request['host']} is cut off, and what it held is free"


def _begin(job: Job) -> Optional[Permit]:
    """The permit, begun; None for a preview."""
    if job.request.get("check"):
        return None
    may = route.take(job)
    attempts.begin(job.request, may)
    return may


def _require_no_shortcut() -> None:
    """A flowtable carries packets of known connections past every chain: a fence would not stop them."""
    lines = [line.strip() for line in route.command(["nft", "list", "flowtables"]).splitlines()]
    found = [line.split()[1] for line in lines if line.startswith("flowtable ")]
    if found:
        raise Refusal(f"expected no flowtable on the router, found {found[0]}: packets would pass the fence by")


def _script(request: Dict[str, Any]) -> str:
    table, rules = table_of(request), "\n".join(rules_of(request))
    return f"""\
add table inet {table}
delete table inet {table}
table inet {table} {{
chain passes {{
{_HEAD} priority -300; policy accept;
{rules}
}}
}}
"""


def _stands(request: Dict[str, Any]) -> bool:
    return "nft table " + table_of(request) in route.fences() and not _missing(_listing(request), request)


def _listing(request: Dict[str, Any]) -> str:
    return route.command(["nft", "list", "table", "inet", table_of(request)])


def _missing(listing: str, request: Dict[str, Any]) -> List[str]:
    """What keeps the table from being the whole fence."""
    lines = {" ".join(_COUNTER.sub("counter", line).split()) for line in listing.splitlines()}
    hooked = any(line.startswith(_HEAD) for line in lines) and not any("dormant" in line for line in lines)
    return ([] if hooked else [_HEAD]) + [rule for rule in rules_of(request) if rule not in lines]


def _prove(request: Dict[str, Any]) -> int:
    """Read it back. Returns how many packets it has stopped so far."""
    listing = _listing(request)
    missing = _missing(listing, request)
    if missing:
        raise Failure(f"expected the whole fence in table {table_of(request)}, found it without: {missing[0]}")
    return sum(int(count) for count in _COUNTER.findall(listing))


def _wait(may: Permit, release_s: float) -> float:
    """From its proof on nothing has passed; so long after that every front has forgotten the host."""
    begin = time.monotonic()

    def over() -> bool:
        may.require("waiting for the release")
        return time.monotonic() - begin >= release_s

    may.wait(over, release_s + 1, "waiting for the release")
    return round(time.monotonic() - begin, 3)


def _unfence(job: Job) -> Tuple[str, str]:
    """Take it down, and see that it is gone."""
    table = table_of(job.request)
    may = _begin(job)
    if may is None:
        return "would_change", f"table {table} would be removed"
    if "nft table " + table not in route.fences():
        return "succeeded", "nothing to do: no fence stands"
    job.result["dropped"] = sum(int(count) for count in _COUNTER.findall(_listing(job.request)))
    may.require("taking the fence down")
    may.touched = job.result["touched"] = job.result["changed"] = True
    route.command(["nft", "delete", "table", "inet", table])
    if "nft table " + table in route.fences():
        raise Failure(f"expected no table {table} after its removal, found it")
    return "succeeded", "the fence is down"


def _standing(job: Job) -> Tuple[str, str]:
    """Look only: whether the whole fence stands, and what became of an earlier attempt."""
    job.result.update(attempts.past(job.request, [job.request["name"]], lambda: False))
    job.result["stands"] = _stands(job.request)
    return "succeeded", "it stands" if job.result["stands"] else "it does not stand"


def _preflight(job: Job) -> Tuple[str, str]:
    return route.preflight(job, ("ip", "nft"))


_OPERATIONS: Dict[str, route.Operation] = {
    **route.OPERATIONS,
    "preflight": _preflight,
    "fence": _fence,
    "unfence": _unfence,
    "standing": _standing,
}
