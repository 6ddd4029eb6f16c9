"""What to type on CE routers: static paths, looks at routes, and the fence of a host that nobody reaches. Pure.

Only Linux routers have commands: on any other, the vendor's own are used, and the page says what must be true then.
"""

from orchestrator.model.plan import PathChange
from orchestrator.model.topology import Host, Topology
from orchestrator.report.runbook_gateway import command
from orchestrator.report.runbook_model import Command, Desk

LINUX = "linux"


def next_hop(topology: Topology, router: str, line: str) -> str:
    """Where a router sends what is to go over a line: its far side, or the linked router that has it."""
    chosen = topology.line[line]
    link = None if chosen.router == router else topology.link_between(router, chosen.router)
    return str(link.address_of(chosen.router) if link else chosen.remote_address)


def is_driven(topology: Topology, router: str) -> bool:
    return topology.router[router].driver == LINUX


def move_path(desk: Desk, change: PathChange, *, back: bool) -> list[Command]:
    """The static route to a centre over another line; protocol and metric stay, so that none is added beside it."""
    old, new = (next_hop(desk.topology, change.router, line) for line in (change.line_before, change.line_after))
    if back:
        old, new = new, old
    network = str(desk.topology.centre[change.centre].network)
    values = {"network": network, "old": old, "new": new}
    if not is_driven(desk.topology, change.router):
        return [_said(desk, "path_by_hand", values, seen=(new,))]
    shown = f"ip route show exact {network}"
    moved = "\n".join(
        [
            f"KEPT=$({shown} | head -n 1 | grep -oE '(proto|metric) [a-z0-9]+' | tr '\\n' ' ')",
            f"ip route replace {network} via {new} $KEPT",
            shown,
        ]
    )
    return [
        _said(desk, "path_before", values, text=shown, seen=(f"via {old}",)),
        _said(desk, "path_move", values, text=moved, seen=(f"via {new}",)),
    ]


def host_route(desk: Desk, change: PathChange, *, back: bool) -> list[Command]:
    """One address alone over the satellite; the route to its centre is left as it is."""
    hop, network = next_hop(desk.topology, change.router, change.line_after), f"{change.address}/32"
    values = {"network": network, "hop": hop}
    key, by_hand = ("host_route_off", "host_route_off_by_hand") if back else ("host_route_on", "host_route_on_by_hand")
    if not is_driven(desk.topology, change.router):
        return [_said(desk, by_hand, values, seen=(hop,))]
    act = f"ip route del {network} via {hop}" if back else f"ip route add {network} via {hop}"
    text = f"{act}\nip route show exact {network}; echo END"
    return [_said(desk, key, values, text=text, seen=("END",) if back else (f"via {hop}", "END"))]


def route_look(desk: Desk, router: str, address: str, line: str, within_s: float) -> Command:
    """Which way a router sends what goes to a front."""
    hop = next_hop(desk.topology, router, line)
    title = desk.texts.of(desk.topology.line[line].title)
    values = {"line": title, "hop": hop, "address": address}
    if not is_driven(desk.topology, router):
        return _said(desk, "route_by_hand", values, seen=(hop,))
    text = f"ip route get {address}"
    return _said(desk, "route", values, text=text, seen=(f"via {hop}",), repeat_s=within_s)


def table_of(host: str) -> str:
    """Begins as the product's own tables do, so that its next snapshot shows it."""
    return f"drillctl_fence_{host.replace('-', '_')}_byhand"


def cut_off(desk: Desk, host: Host, seconds: int | None) -> list[Command]:
    """Nothing goes between the host and the exchanges' centres, in either direction, before any connection is known."""
    table = table_of(host.id)
    own = f"{{ {host.site_address}, {host.management_address} }}"
    there = "{ " + ", ".join(str(centre.network) for centre in desk.topology.centres) + " }"
    rules = [
        f"nft add table inet {table}",
        f"nft 'add chain inet {table} passes {{ type filter hook forward priority -300; policy accept; }}'",
        f"nft 'add rule inet {table} passes ip saddr {own} ip daddr {there} counter drop'",
        f"nft 'add rule inet {table} passes ip saddr {there} ip daddr {own} counter drop'",
    ]
    listing = f"nft list table inet {table}"
    seen = ("hook forward", "counter packets", "drop", "counter packets", "drop")
    wait = f"date +%T; sleep {seconds}; date +%T; {listing}" if seconds is not None else ""
    return [
        command(desk, "no_flowtable", "nft list flowtables && echo END", seen=("END",), only=True),
        command(desk, "fence_up", "\n".join(rules)),
        command(desk, "fence_stands", listing, seen=seen),
        _said(desk, "fence_wait" if wait else "release_unknown", {"seconds": seconds}, text=wait, seen=seen),
    ]


def let_in(desk: Desk, host: Host) -> list[Command]:
    """The fence is down when no table of ours is left."""
    text = f"nft delete table inet {table_of(host.id)}\nnft list tables | grep drillctl_fence; echo rc=$?"
    return [command(desk, "fence_down", text, seen=("rc=1",), only=True)]


def _said(
    desk: Desk,
    key: str,
    values: dict[str, object] | dict[str, str] | dict[str, int | None],
    *,
    text: str = "",
    seen: tuple[str, ...] = (),
    repeat_s: float = 0,
) -> Command:
    why, otherwise = desk.texts(f"why.{key}", **values), desk.texts(f"otherwise.{key}", **values)
    return Command(why, text, seen if text or "by_hand" in key else (), repeat_s=repeat_s, otherwise=otherwise)
