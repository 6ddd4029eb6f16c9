"""What drillctl uses of fabric 3.2."""

from typing import Any

from paramiko import Channel, SSHClient, SSHConfig

class Config:
    def __init__(self, *, ssh_config: SSHConfig | None = None) -> None: ...

class Connection:
    client: SSHClient
    host: str
    gateway: Any
    def __init__(
        self,
        host: str,
        user: str | None = None,
        port: int | None = None,
        connect_timeout: int | None = None,
        config: Config | None = None,
        connect_kwargs: dict[str, Any] | None = None,
    ) -> None: ...
    def open(self) -> Any: ...
    def open_gateway(self) -> Any: ...
    def close(self) -> None: ...
    def create_session(self) -> Channel: ...
    def _set(self, **values: Any) -> None: ...
    def __getattr__(self, name: str) -> Any: ...
