"""Asks a running bird over its control socket."""

import re
import socket
from pathlib import Path

_WITHIN_S = 1.0
_FIELDS = ("address", "device", "state")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")


def sessions(control: Path) -> list[dict[str, str]]:
    """Bird's BFD sessions as {address, device, state}; empty while bird does not answer."""
    try:
        rows = [line.split() for line in _ask(control, "show bfd sessions")]
    except OSError:
        return []
    return [dict(zip(_FIELDS, row, strict=False)) for row in rows if _ADDRESS.fullmatch(row[0] if row else "")]


def waiting(control: Path) -> list[str]:
    """BGP sessions that are not established yet."""
    rows = [line.split() for line in _ask(control, "show protocols")]
    return [row[0] for row in rows if row[1:2] == ["BGP"] and row[-1] != "Established"]


def _ask(control: Path, command: str) -> list[str]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_WITHIN_S)
        connection.connect(str(control))
        connection.sendall(f"{command}\n".encode())
        with connection.makefile(encoding="utf-8", errors="replace") as answer:
            answer.readline()  # greeting
            lines: list[str] = []
            for line in answer:
                if line.startswith(("0", "8", "9")) and line[4:5] in (" ", "\n"):  # done, or an error
                    return lines
                lines.append(line[5:] if line[:4].isdigit() else line)
    return []
