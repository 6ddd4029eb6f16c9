"""Every wrong inventory or definition gets one clear line that names file, line and field."""

import shutil
from pathlib import Path

import pytest

from orchestrator.errors import DefinitionError
from orchestrator.loader.drill import load_drill
from orchestrator.loader.site import load_site
from tests.support.sites import ROOT


@pytest.fixture
def site(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "inventory", tmp_path / "inventory")
    return tmp_path / "inventory" / "example"


def edit(file: Path, old: str, new: str) -> int:
    """Replace the first `old`; returns the line it stood in."""
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1


def message(site: Path) -> str:
    with pytest.raises(DefinitionError) as caught:
        load_site(site)
    assert len(caught.value.problems) == 1, str(caught.value)
    return str(caught.value)


def test_the_example_is_right(site: Path) -> None:
    assert len(load_site(site).topology.gateways) == 15


def test_an_unknown_field(site: Path) -> None:
    line = (
        edit(site / "topology.yml", "    kind: satellite-one-way\n", "    kind: satellite-one-way\n    colour: red\n")
        + 1
    )
    assert f"topology.yml:{line}: lines.6.colour: expected no such field" in message(site)


def test_an_address_outside_its_network(site: Path) -> None:
    line = edit(site / "topology.yml", "site_address: 198.19.1.11", "site_address: 198.19.9.11")
    assert (
        f"topology.yml:{line}: hosts.0.site_address: expected an address inside 198.19.1.0/24 "
        "(room room-a), found 198.19.9.11" in message(site)
    )


def test_a_front_outside_its_centre(site: Path) -> None:
    line = edit(site.parent / "catalogue/sscc.yml", "172.70.101.30", "172.71.101.30")
    text = message(site)
    assert (
        f"sscc.yml:{line}: fronts.4.address: expected an address inside 172.70.101.0/24 (centre "
        "beijing), found 172.71.101.30" in text
    )


def test_a_duplicate_number(site: Path) -> None:
    file = site / "topology.yml"
    edit(file, "gateway_number: W100301", "gateway_number: W100300")
    line = edit(file, "    number: W100301", "    number: W100300")
    text = message(site)
    assert (
        f"topology.yml:{line}: gateways.3.number: expected a gateway number of its own (SSCC-2.5), found W100300"
        in text
    )
    assert "nq-trade-3" in text


def test_a_certificate_of_two_active_gateways(site: Path) -> None:
    file = site / "topology.yml"
    text = (
        file.read_text(encoding="utf-8")
        .replace("number: W100201", "number: W100200")
        .replace("[nq-trade-2-file]", "[nq-trade-1-file]")
    )
    file.write_text(text.replace("certificate: nq-trade-2-file", "certificate: nq-trade-1-file"), encoding="utf-8")
    with pytest.raises(
        DefinitionError,
        match=r"expected a certificate that no other active gateway uses \(SSE-2.2c\), found nq-trade-1-file",
    ):
        load_site(site)


def test_a_satellite_line_to_beijing(site: Path) -> None:
    line = edit(site / "topology.yml", "carries: [southern, futian]", "carries: [southern, beijing]")
    with pytest.raises(DefinitionError) as caught:
        load_site(site)
    expected = (
        "expected no satellite line towards beijing: satellite users cannot reach the remote DR centre (SSCC-A.2.1)"
    )
    assert f"topology.yml:{line}: lines.7.carries.1: {expected}" in str(caught.value)


def test_an_unknown_centre(site: Path) -> None:
    line = edit(site / "topology.yml", "    into: futian", "    into: futain")
    assert (
        f"topology.yml:{line}: lines.0.into: expected a known centre (beijing, futian, "
        "southern, sse-one, sse-two), found 'futain'" in message(site)
    )


def test_a_duplicate_key(site: Path) -> None:
    line = edit(site / "topology.yml", "  name: example\n", "  name: example\n  name: other\n") + 1
    assert f"topology.yml:{line}: name: expected each key once, found it again (first in line {line - 1})" in message(
        site
    )


def test_broken_yaml(site: Path) -> None:
    edit(site / "topology.yml", "catalogue: [sscc]", "catalogue: [sscc")
    assert "topology.yml:" in message(site)


def test_a_profile_without_what_its_format_needs(site: Path) -> None:
    edit(site / "profiles.yml", "    section: MainStation\n", "")
    text = message(site)
    assert "profiles.yml:" in text
    assert "format ini needs section" in text


def test_a_host_that_ansible_does_not_know(site: Path) -> None:
    edit(site / "hosts.yml", "        gw-a1: {ansible_host: 198.18.1.11}\n", "")
    assert "hosts.yml:" in message(site)


def test_a_host_with_another_address_for_ansible(site: Path) -> None:
    line = edit(site / "hosts.yml", "198.18.1.11", "198.18.1.99")
    assert (
        f"hosts.yml:{line}: all.children.gateway_hosts.hosts.gw-a1.ansible_host: expected "
        "198.18.1.11 as in topology.yml, found 198.18.1.99" in message(site)
    )


def test_a_missing_catalogue(site: Path) -> None:
    line = edit(site / "topology.yml", "catalogue: [sscc]", "catalogue: [sscc, cffex]")
    assert f"topology.yml:{line}: catalogue.1: expected a catalogue" in message(site)


def test_a_drill_with_an_unknown_response(tmp_path: Path) -> None:
    shutil.copy(ROOT / "drills/single-centre-failure.yml", tmp_path)
    line = edit(tmp_path / "single-centre-failure.yml", "rehearsal: repoint", "rehearsal: guess")
    with pytest.raises(DefinitionError, match=rf"single-centre-failure.yml:{line}: responses.rehearsal: .*'guess'"):
        load_drill(tmp_path, "single-centre-failure")


def test_a_drill_that_uses_a_parameter_it_does_not_declare(tmp_path: Path) -> None:
    shutil.copy(ROOT / "drills/single-centre-failure.yml", tmp_path)
    edit(tmp_path / "single-centre-failure.yml", "[$centre]", "[$center]")
    with pytest.raises(
        DefinitionError, match=r"expected fault.centres to use a declared parameter \(centre\), found \$center"
    ):
        load_drill(tmp_path, "single-centre-failure")


def test_a_drill_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=r"expected a drill \(none\), found 'no-such'"):
        load_drill(tmp_path, "no-such")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("      into: futian\n", "a field indented deeper than the one above it"),
        ("   into: futian\n", "a line indented otherwise than its neighbours"),
        ("\tinto: futian\n", "a tab; indent with blanks"),
        ("    into futian\n", "a line that is no field"),
    ],
    ids=["deeper", "shallower", "tab", "no colon"],
)
def test_wrong_indentation_is_said_in_words_of_whoever_wrote_it(site: Path, wrong: str, said: str) -> None:
    line = edit(site / "topology.yml", "    into: futian\n", wrong)
    text = message(site)
    assert f"expected valid YAML, found {said}" in text
    assert any(f"topology.yml:{near}:" in text for near in (line, line + 1))


def test_a_value_of_another_kind(site: Path) -> None:
    line = edit(site / "topology.yml", "bandwidth_mbps: 10", "bandwidth_mbps: fast")
    assert message(site).endswith(f"topology.yml:{line}: lines.0.bandwidth_mbps: expected a valid number, found 'fast'")


def test_catalogues_that_are_no_list(site: Path) -> None:
    line = edit(site / "topology.yml", "catalogue: [sscc]", "catalogue: sscc")
    assert f"topology.yml:{line}: catalogue: expected a list, as [sscc], found 'sscc'" in message(site)


@pytest.mark.parametrize("text", ["all: [1]\n", "all:\n  hosts: 3\n", "all:\n  hosts:\n    gw-a1: here\n"])
def test_an_ansible_inventory_of_another_form(site: Path, text: str) -> None:
    (site / "hosts.yml").write_text(text, encoding="utf-8")
    assert "expected a mapping of fields, found" in message(site)
