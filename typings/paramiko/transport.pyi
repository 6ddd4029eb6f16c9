from collections.abc import Sequence
from typing import Any

class SecurityOptions:
    kex: Sequence[str]

class Transport:
    def __init__(self, sock: Any, **options: Any) -> None: ...
    def get_security_options(self) -> SecurityOptions: ...
