"""What drillctl uses of pytest-testinfra 10.2."""

from typing import Any

from testinfra.host import Host

def get_host(hostspec: str, **kwargs: Any) -> Host: ...
