"""One server for each site: whoever holds the lock of the state folder. It is free again with the holder's end,
however that ends.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from orchestrator.errors import Refused

LOCK: Final = "serve.lock"


@contextmanager
def only_server(state: Path, site: str) -> Iterator[None]:
    """Refused SERVING: another one is at work."""
    state.mkdir(parents=True, exist_ok=True)
    with (state / LOCK).open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise Refused(
                "SERVING",
                f"expected no other `drillctl serve` for site {site}, found process {file.read().strip() or 'unknown'} "
                f"at it ({state / LOCK}); end that one first, or let it serve",
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
