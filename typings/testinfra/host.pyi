from typing import Any

from testinfra.backend.base import BaseBackend, CommandResult

class Host:
    backend: BaseBackend
    def run(self, command: str, *args: str, **kwargs: Any) -> CommandResult: ...
