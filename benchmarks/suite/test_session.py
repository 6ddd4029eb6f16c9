"""The gateway's connection."""

from typing import Any


def test_there_is_a_session(gateway: Any, host: Any) -> None:
    assert ":7043" in host.run("ss -tnH state established").stdout
