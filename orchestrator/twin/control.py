"""How a twin's users talk to its daemon: one JSON object per line over the twin's socket, one answer each."""

import json
import socket
from pathlib import Path
from typing import Any

from orchestrator.errors import Refused
from orchestrator.twin.state import SOCKET

_ANSWER_WITHIN_S = 30  # our choice: nothing the daemon does takes as long


def ask(folder: Path, operation: str, **arguments: Any) -> Any:
    """Ask the daemon in `folder`. Refused carries what it refused; NO_TWIN if it does not answer."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_ANSWER_WITHIN_S)
            connection.connect(str(folder / SOCKET))
            connection.sendall(json.dumps({"operation": operation, **arguments}).encode() + b"\n")
            with connection.makefile("rb") as answers:
                answer = json.loads(answers.readline())
    except (OSError, ValueError) as error:
        raise Refused(
            "NO_TWIN",
            f"expected an answer of the twin in {folder}, found {error}; `drillctl twin status` shows what lives",
        ) from error
    if "refused" in answer:
        raise Refused(answer["refused"], answer["message"])
    return answer["result"]
