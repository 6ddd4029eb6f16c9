"""What the on-host scripts are told of a gateway."""

import json

from orchestrator.adapters.gateway_spec import gateway_spec
from orchestrator.loader.site import load_site
from orchestrator.model.topology import Topology
from tests.playbooks.harness import ROOT


def example() -> Topology:
    return load_site(ROOT / "inventory" / "example").topology


def test_every_gateway_of_the_example_is_plain_data_with_nothing_left_to_fill_in() -> None:
    topology = example()
    for gateway in topology.gateways:
        text = json.dumps(gateway_spec(topology, gateway))
        assert "{number}" not in text
        assert "{id}" not in text
        assert gateway.number in text


def test_the_release_time_is_the_longest_of_any_front_that_could_hold_the_session() -> None:
    topology = example()
    gateway = topology.gateway["nq-trade-1"]
    fronts = tuple(
        front.model_copy(update={"session_timeout_s": 33.0}) if front.id == "beijing-trading" else front
        for front in topology.fronts
    )
    assert gateway_spec(topology, gateway)["release_s"] == topology.site.session_timeout_s
    assert gateway_spec(topology.model_copy(update={"fronts": fronts}), gateway)["release_s"] == 33.0


def test_one_unknown_release_time_makes_it_unknown() -> None:
    topology = example()
    site = topology.site.model_copy(update={"session_timeout_s": None})
    assert gateway_spec(topology.model_copy(update={"site": site}), topology.gateways[0])["release_s"] is None
