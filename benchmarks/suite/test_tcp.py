"""Sockets that are listened on, and a route to the exchange."""

from typing import Any


def test_orders_are_listened_for(gateway: Any, host: Any) -> None:
    assert any(item.endswith(":8016") for item in host.socket("tcp://8016").get_listening_sockets())


def test_ssh_is_listened_for(gateway: Any, host: Any) -> None:
    assert any(item.endswith(":22") for item in host.socket("tcp://22").get_listening_sockets())


def test_there_is_a_route(gateway: Any, host: Any) -> None:
    assert host.run("ip route get 172.60.101.30").rc == 0
