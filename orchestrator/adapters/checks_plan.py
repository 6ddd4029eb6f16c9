"""Topology and expectations of a phase → the context of its checks. Pure."""

from collections.abc import Sequence
from pathlib import Path

from orchestrator.adapters.checks_context import CheckContext, CheckedGateway, CheckedRouter, ExpectedRoute
from orchestrator.adapters.gateway_spec import gateway_spec
from orchestrator.adapters.route_lines import probe_addresses
from orchestrator.adapters.ssh import SshSettings, ssh_targets
from orchestrator.loader.site import LoadedSite
from orchestrator.model.event import CheckResult
from orchestrator.model.topology import Gateway, LineKind, Router, Topology, certificate_text
from orchestrator.ports import Expectations, GatewayExpectation


def check_context(  # noqa: PLR0913 - everything that a round of checks depends on, each once
    site: LoadedSite,
    ssh: SshSettings,
    onhost: Path,
    phase: str,
    checks: Sequence[str],
    expected: Expectations,
    deadline_s: float,
    *,
    consent_tcp: bool = False,
) -> CheckContext:
    """`consent_tcp`: own TCP connects to listed endpoints are consented (always on a twin)."""
    topology = site.topology
    return CheckContext(
        phase=phase,
        checks=tuple(str(check) for check in checks),
        hosts={
            name: ("ssh", "-T", *ssh.options(), *target.destination, target.command("exec /bin/sh"))
            for name, target in ssh_targets(site, ssh.access).items()
        },
        gateways=tuple(_gateway(topology, item) for item in expected.gateways),
        routers=tuple(_router(topology, item, expected) for item in topology.routers),
        onhost=onhost.absolute(),  # pytest runs in a folder of its own
        consent_tcp=consent_tcp,
        deadline_s=deadline_s,
    )


def _gateway(topology: Topology, expected: GatewayExpectation) -> CheckedGateway:
    gateway = topology.gateway[expected.gateway]
    normal = expected.result is CheckResult.NORMAL and expected.running
    sessions = tuple(topology.front[front].endpoint for front in expected.sessions) if normal else ()
    return CheckedGateway(
        id=gateway.id,
        host=gateway.host,
        spec=gateway_spec(topology, gateway),
        should_run=expected.running,
        endpoints=tuple(topology.front[front].endpoint for front in expected.fronts) or None,
        sessions=sessions,
        logged_in=bool(sessions),
        line=expected.line,
        config_sha256=expected.config_sha256,
        result=expected.result,
        certificate=_certificate(topology, gateway, expected.certificate),
    )


def _certificate(topology: Topology, gateway: Gateway, name: str | None) -> str | None:
    """What has to name it in the vendor's file."""
    profile = topology.profiles[gateway.profile]
    return next((certificate_text(profile, item) for item in topology.certificates if item.id == name), None)


def _router(topology: Topology, router: Router, expected: Expectations) -> CheckedRouter:
    addresses = probe_addresses(topology, router)
    wanted = {**_lines_of_gateways(topology, router, expected), **expected.routers.get(router.id, {})}
    return CheckedRouter(
        id=router.id,
        driver=router.driver,
        routes={
            centre: ExpectedRoute(address=addresses[centre], line=line, hops=_hops(topology, router, line))
            for centre, line in wanted.items()
        },
        lines={
            line.id: str(line.local_address)
            for line in topology.lines
            if line.router == router.id and line.kind is LineKind.TERRESTRIAL
        },
    )


def _lines_of_gateways(topology: Topology, router: Router, expected: Expectations) -> dict[str, str]:
    """A gateway's line is its router's line towards the centre of the first front it may be at."""
    return {
        topology.front[item.sessions[0]].centre: item.line
        for item in expected.gateways
        if item.line and item.sessions and topology.host[topology.gateway[item.gateway].host].router == router.id
    }


def _hops(topology: Topology, router: Router, line: str | None) -> tuple[str, ...]:
    """The next hops that mean this line here; over a link of the firm, the other router must use it in turn."""
    if line is None:
        return ()
    owner = topology.line[line].router
    if owner == router.id:
        return (str(topology.line[line].remote_address),)
    link = topology.link_between(router.id, owner)
    return tuple(str(address) for address in link.network.hosts()) if link else ()
