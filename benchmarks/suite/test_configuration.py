"""The vendor's file: there, its service's own, with a list of servers."""

from typing import Any


def test_the_file_is_there(gateway: Any, host: Any) -> None:
    assert host.file(f"/opt/nqtrade/{gateway.id}/etc/gateway.ini").is_file


def test_the_file_is_its_services_own(gateway: Any, host: Any) -> None:
    assert host.file(f"/opt/nqtrade/{gateway.id}/etc/gateway.ini").user == "ops"


def test_the_file_has_a_list(gateway: Any, host: Any) -> None:
    assert host.file(f"/opt/nqtrade/{gateway.id}/etc/gateway.ini").contains("^Server1")
