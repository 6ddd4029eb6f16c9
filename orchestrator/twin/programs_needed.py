"""What a twin needs of the machine. Missing things are refused by name before anything is made."""

import ctypes
import os
import shutil

from orchestrator.errors import Refused
from orchestrator.twin.nft import LIBRARY

SEARCHED = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/bin"))
_PROGRAMS = {  # program: Debian's package
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "bird": "bird2",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
}
HOST_PYTHON = "/usr/bin/python3"


def find_program(name: str) -> str:
    """Full path of a program, also of those for the administrator. FileNotFoundError if it is missing."""
    found = shutil.which(name, path=SEARCHED)
    if found is None:
        raise FileNotFoundError(f"{name} (package {_PROGRAMS.get(name, name)})")
    return found


def ensure_possible(searched: str = SEARCHED) -> None:
    """Raises Refused NOT_ROOT or PACKAGE_MISSING. `searched` is where programs are looked for, as in PATH."""
    if os.geteuid() != 0:
        raise Refused(
            "NOT_ROOT", "expected root, which makes the twin's namespaces, found an ordinary user; run again with sudo"
        )
    missing = sorted(set(_missing(searched)))
    if missing:
        raise Refused(
            "PACKAGE_MISSING",
            f"expected the packages of a twin, found no {', '.join(missing)}; apt-get install {' '.join(missing)}",
        )


def _missing(searched: str) -> list[str]:
    packages = [package for name, package in _PROGRAMS.items() if shutil.which(name, path=searched) is None]
    if not os.access(HOST_PYTHON, os.X_OK):
        packages.append("python3")
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        packages.append("nftables")
    return packages
