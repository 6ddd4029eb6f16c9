"""A cold standby in the inventory: what makes it one, and what is refused with file, line and field."""

from pathlib import Path

import pytest

from orchestrator.errors import DefinitionError
from orchestrator.loader.site import load_site
from tests.loader.test_bad_input import edit, message, site

__all__ = ["site"]

START = "  - id: nq-trade-1-cold\n"


def change(site: Path, old: str, new: str) -> int:
    """Change the cold standby's own entry; returns the line."""
    file = site / "topology.yml"
    head, standby = file.read_text(encoding="utf-8").split(START)
    assert old in standby
    file.write_text(head + START + standby.replace(old, new, 1), encoding="utf-8")
    return (head + START + standby[: standby.index(old)]).count("\n") + 1


def test_the_example_has_one_in_the_other_room(site: Path) -> None:
    topology = load_site(site).topology
    (standby,) = topology.cold_standbys("nq-trade-1")
    assert (standby.number, standby.enabled) == (topology.gateway["nq-trade-1"].number, False)
    assert topology.host[standby.host].room != topology.host[topology.gateway["nq-trade-1"].host].room


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("role: standby", "role: primary", "role: expected standby, found primary"),
        ("host: gw-b2", "host: gw-a1", "host: expected another host than that of nq-trade-1, found gw-a1"),
        (
            "standby_for: nq-trade-1",
            "standby_for: nq-trade-9",
            "standby_for: expected a known gateway (",
        ),
        (
            "servers: [futian-trading, southern-trading]",
            "servers: [futian-trading, southern-market]",
            "servers.1: expected a front for trading (standard), found southern-market for market-data-tcp (standard)",
        ),
    ],
)
def test_what_a_cold_standby_must_be(site: Path, old: str, new: str, said: str) -> None:
    line = change(site, old, new)
    assert f"topology.yml:{line}: gateways.14.{said}" in message(site)


def test_it_has_the_number_of_the_gateway_it_stands_in_for(site: Path) -> None:
    edit(site / "topology.yml", "gateway_number: W100200", "gateway_number: W100209")
    edit(site / "topology.yml", "    certificates: [nq-trade-1-file]\n    certificate: nq-trade-1-file\n", "")
    line = change(site, "number: W100200", "number: W100209")
    assert f"topology.yml:{line}: gateways.14.number: expected W100200 as nq-trade-1, found W100209" in message(site)


def test_it_is_of_the_same_class(site: Path) -> None:
    file = site / "topology.yml"
    change(site, "servers: [futian-trading, southern-trading]", "servers: [futian-market, southern-market]")
    line = change(site, "class: trading", "class: market-data-tcp")
    said = "class: expected trading as nq-trade-1, found market-data-tcp"
    assert f"{file}:{line}: gateways.14.{said}" in message(site)


def test_an_enabled_gateway_of_the_same_number_is_refused_standby_or_not(site: Path) -> None:
    line = change(site, "enabled: false", "enabled: true")
    with pytest.raises(DefinitionError, match="expected false on a cold standby, found true") as caught:
        load_site(site)
    text = str(caught.value)
    assert f"topology.yml:{line}: gateways.14.enabled: " in text
    assert "gateways.14.number: expected a gateway number of its own (SSCC-2.5), found W100200" in text
    assert "gateways.14.certificate: expected a certificate that no other active gateway uses (SSE-2.2c)" in text


def test_a_disabled_gateway_says_whose_number_it_shares(site: Path) -> None:
    change(site, "    standby_for: nq-trade-1\n", "")
    text = message(site)
    assert "gateways.14.number: expected standby_for: nq-trade-1, or a gateway number of its own (SSCC-2.5)" in text


def test_a_cold_standby_of_a_cold_standby_is_refused(site: Path) -> None:
    file = site / "topology.yml"
    text = file.read_text(encoding="utf-8")
    second = text[text.index(START) :].replace("nq-trade-1-cold", "nq-trade-1-colder").replace("gw-b2", "gw-b3")
    file.write_text(text + second.replace("standby_for: nq-trade-1\n", "standby_for: nq-trade-1-cold\n"))
    assert "gateways.15.standby_for: expected a gateway that is no cold standby itself, found nq-trade-1-cold" in (
        message(site)
    )


def test_a_certificate_of_another_number_is_refused(site: Path) -> None:
    change(site, "certificates: [nq-trade-1-file]", "certificates: [nq-trade-1-file, nq-trade-2-file]")
    assert "gateways.14.certificates.1: expected a certificate of gateway number W100200" in message(site)


@pytest.mark.parametrize(("kind", "host"), [("ekey", "gw-a1"), ("file", "gw-b1")])
def test_a_certificate_that_is_on_another_host_is_refused(site: Path, kind: str, host: str) -> None:
    """An EKey is a physical token: it is on the standby's host or it is not there."""
    file = site / "topology.yml"
    entry = "  - {id: nq-trade-1-two, kind: KIND, host: HOST, gateway_number: W100200, "
    entry += "valid_from: 2025-03-01, valid_to: 2028-03-01}\n"
    edit(file, "certificates:\n", "certificates:\n" + entry.replace("KIND", kind).replace("HOST", host))
    line = change(site, "certificates: [nq-trade-1-file]", "certificates: [nq-trade-1-file, nq-trade-1-two]")
    said = f"expected a certificate that is on host gw-b2, found {kind} nq-trade-1-two on {host}"
    assert f"topology.yml:{line}: gateways.14.certificates.1: {said}" in message(site)


def test_an_ekey_that_is_plugged_into_the_standbys_host_is_its_own(site: Path) -> None:
    entry = "  - {id: nq-trade-1-ekey, kind: ekey, host: gw-b2, gateway_number: W100200, "
    entry += "valid_from: 2025-03-01, valid_to: 2028-03-01}\n"
    edit(site / "topology.yml", "certificates:\n", "certificates:\n" + entry)
    change(site, "certificates: [nq-trade-1-file]", "certificates: [nq-trade-1-file, nq-trade-1-ekey]")
    assert "nq-trade-1-ekey" in load_site(site).topology.gateway["nq-trade-1-cold"].certificates


def test_it_names_the_certificate_of_its_own_configuration(site: Path) -> None:
    change(site, "    certificate: nq-trade-1-file\n", "")
    assert "gateways.14.certificates: expected certificate: the one that the standby's own" in message(site)


def test_disable_and_enable_of_a_profile_come_together(site: Path) -> None:
    edit(site / "profiles.yml", "    stop: [/opt/nqtrade", "    disable: [/opt/x]\n    stop: [/opt/nqtrade")
    assert "expected disable and enable together, found one of them" in message(site)
