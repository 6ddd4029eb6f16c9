"""The gateway's own word."""

from typing import Any


def test_it_says_that_it_is_logged_in(gateway: Any, host: Any) -> None:
    assert host.file(f"/opt/nqtrade/{gateway.id}/run/status").contains("^logged_in=yes")
