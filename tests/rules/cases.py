"""Edits of the example site that an audit rule must find, or must decline to judge."""

from collections.abc import Callable
from ipaddress import IPv4Address

from orchestrator.model.audit import Severity
from orchestrator.model.topology import CentreRole, LineKind, Routing, Topology
from tests.rules.edit import changed, with_, without

Edit = Callable[[Topology], Topology]

# Rule, edit, severity, and words that the finding must say.
VIOLATIONS: dict[str, tuple[str, Edit, Severity, str]] = {
    "a list without the other centre": (
        "both-centres-listed",
        lambda t: changed(t, "gateways", "nq-trade-1", servers=("futian-trading",)),
        Severity.ERROR,
        "nq-trade-1",
    ),
    "a DR centre in the place of the other centre": (
        "both-centres-listed",
        lambda t: changed(t, "gateways", "nq-trade-1", servers=("futian-trading", "beijing-trading")),
        Severity.ERROR,
        "Southern",
    ),
    "an even number that starts at Southern": (
        "server-order",
        lambda t: changed(t, "gateways", "nq-trade-1", servers=("southern-trading", "futian-trading")),
        Severity.WARNING,
        "W100200",
    ),
    "no primary TCP market data": (
        "tcp-market-data-primary",
        lambda t: changed(t, "gateways", "nq-md-1", enabled=False),
        Severity.ERROR,
        "TCP",
    ),
    "no multicast to back TCP up": (
        "tcp-market-data-primary",
        lambda t: without(t, "gateways", "nq-mc-1", "nq-mc-2"),
        Severity.ERROR,
        "multicast",
    ),
    "no satellite receiver": (
        "one-way-satellite",
        lambda t: without(t, "lines", "sat-receive"),
        Severity.ERROR,
        "satellite",
    ),
    "a satellite receiver that nobody listens to": (
        "one-way-satellite",
        lambda t: changed(t, "gateways", "nq-mc-1", servers=("futian-multicast", "southern-multicast")),
        Severity.ERROR,
        "sat-receive",
    ),
    "a hot standby with its primary's number": (
        "one-login-per-number",
        lambda t: changed(t, "gateways", "nq-trade-2", number="W100200"),
        Severity.ERROR,
        "nq-trade-1, nq-trade-2",
    ),
    "all lines of one carrier": (
        "lines-into-both-centres",
        lambda t: with_(t, lines=tuple(line.model_copy(update={"carrier": "telecom"}) for line in t.lines)),
        Severity.ERROR,
        "China Telecom",
    ),
    "no line into Southern": (
        "lines-into-both-centres",
        lambda t: without(t, "lines", "uni-southern", "tel-southern"),
        Severity.ERROR,
        "Southern",
    ),
    "a room that depends on one carrier": (
        "carrier-may-fail",
        lambda t: changed(t, "routers", "ce-b", paths={"futian": ("tel-futian",), "southern": ("tel-southern",)}),
        Severity.ERROR,
        "China Telecom",
    ),
    "a room with no way to a production centre": (
        "carrier-may-fail",
        lambda t: changed(t, "routers", "ce-b", routing=Routing.STATIC, paths={}),
        Severity.ERROR,
        "ce-b",
    ),
    "a line below 2 Mbps": (
        "bandwidth",
        lambda t: changed(t, "lines", "tel-futian", bandwidth_mbps=1.9),
        Severity.ERROR,
        "1.9",
    ),
    "a switched port": (
        "routed-port",
        lambda t: changed(t, "lines", "uni-southern", routed_port=False),
        Severity.ERROR,
        "uni-southern",
    ),
    "a satellite line towards Beijing": (
        "dr-lines",
        lambda t: changed(t, "lines", "sat-two-way", carries=("southern", "beijing")),
        Severity.ERROR,
        "sat-two-way",
    ),
    "a line towards Beijing outside the value-added network": (
        "dr-lines",
        lambda t: changed(t, "lines", "tel-futian", value_added_network=False),
        Severity.ERROR,
        "tel-futian",
    ),
    "no line that outlives both centres": (
        "dr-line-survives",
        lambda t: with_(t, lines=tuple(line.model_copy(update={"survives_loss_of": ("futian",)}) for line in t.lines)),
        Severity.WARNING,
        "Beijing",
    ),
    "a Beijing address outside its network": (
        "dr-addresses",
        lambda t: changed(t, "fronts", "beijing-trading", address=IPv4Address("172.70.102.30")),
        Severity.ERROR,
        "172.70.102.30",
    ),
    "a Beijing port that is another one": (
        "dr-endpoints",
        lambda t: changed(t, "fronts", "beijing-trading", port=7044),
        Severity.ERROR,
        "172.70.101.30:7043",
    ),
    "a trading gateway alone": (
        "tdgw-pair",
        lambda t: changed(t, "gateways", "sse-td-1", pair=None),
        Severity.ERROR,
        "sse-td-1",
    ),
    "a pair on one host": (
        "tdgw-pair",
        lambda t: changed(t, "gateways", "sse-td-2", host="gw-a5"),
        Severity.ERROR,
        "gw-a5",
    ),
    "a pair in one room": (
        "tdgw-pair-rooms",
        lambda t: changed(t, "gateways", "sse-td-2", host="gw-a4"),
        Severity.WARNING,
        "Zhangjiang",
    ),
    "one certificate at two gateways": (
        "certificate-once",
        lambda t: changed(t, "gateways", "sse-td-2", certificate="sse-td-1-ekey"),
        Severity.ERROR,
        "sse-td-1, sse-td-2",
    ),
    "a trading gateway without a file certificate": (
        "tdgw-two-certificates",
        lambda t: changed(t, "gateways", "sse-td-1", certificates=("sse-td-1-ekey",)),
        Severity.ADVICE,
        "file certificate",
    ),
    "a user without any EKey": (
        "both-certificate-kinds",
        lambda t: with_(
            t, certificates=tuple(c.model_copy(update={"kind": "file", "host": None}) for c in t.certificates)
        ),
        Severity.ADVICE,
        "EKey",
    ),
}

# Rule and edit.
NOT_JUDGED: dict[str, tuple[str, Edit]] = {
    "Southern's settlement server is not known": (
        "both-centres-listed",
        lambda t: without(
            changed(t, "gateways", "nq-ccnet-1", servers=("futian-settlement",)), "fronts", "southern-settlement"
        ),
    ),
    "which centre comes first is not known": (
        "server-order",
        lambda t: with_(t, centres=tuple(centre.model_copy(update={"parity": None}) for centre in t.centres)),
    ),
    "a gateway number without a digit": (
        "server-order",
        lambda t: changed(t, "gateways", "nq-trade-1", number="WXYZ"),
    ),
    "the satellite's source is not known": (
        "one-way-satellite",
        lambda t: without(
            changed(t, "gateways", "nq-mc-1", servers=("futian-multicast",)), "fronts", "satellite-multicast"
        ),
    ),
    "one production centre only": (
        "lines-into-both-centres",
        lambda t: changed(t, "centres", "southern", role=CentreRole.DISASTER_RECOVERY),
    ),
    "no line says that it reaches Beijing": (
        "dr-lines",
        lambda t: with_(t, lines=tuple(line.model_copy(update={"carries": (line.into,)}) for line in t.lines)),
    ),
    "no line says what it outlives": (
        "dr-line-survives",
        lambda t: with_(t, lines=tuple(line.model_copy(update={"survives_loss_of": None}) for line in t.lines)),
    ),
    "no market-data gateway at all": (
        "tcp-market-data-primary",
        lambda t: without(t, "gateways", "nq-md-1", "nq-md-2", "nq-mc-1", "nq-mc-2"),
    ),
    "no terrestrial line at all": (
        "bandwidth",
        lambda t: with_(t, lines=tuple(line for line in t.lines if line.kind is not LineKind.TERRESTRIAL)),
    ),
    "trading fronts of the SSE without a gateway": (
        "tdgw-pair",
        lambda t: without(t, "gateways", "sse-td-1", "sse-td-2"),
    ),
    "no certificate of an SSE gateway": (
        "both-certificate-kinds",
        lambda t: with_(t, gateways=tuple(item.model_copy(update={"certificates": ()}) for item in t.gateways)),
    ),
    "the DR address of settlement is not entered": (
        "dr-endpoints",
        lambda t: without(t, "fronts", "beijing-settlement-gm"),
    ),
    "the certificate in use is not entered": (
        "certificate-once",
        lambda t: changed(t, "gateways", "sse-td-1", certificate=None),
    ),
}
