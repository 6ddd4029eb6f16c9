"""The gateway's process: one, and the one that its pid file names."""

from typing import Any


def test_one_process_runs(gateway: Any, host: Any) -> None:
    assert [item.args for item in host.process.filter(user="ops") if "nqtraded --gateway" in item.args]


def test_the_pid_file_names_it(gateway: Any, host: Any) -> None:
    assert int(host.file(f"/opt/nqtrade/{gateway.id}/run/gateway-{gateway.id}.pid").content_string)
