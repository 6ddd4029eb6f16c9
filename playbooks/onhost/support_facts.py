"""What a host and its gateways are, and how they are just now: system, clock, versions, processes, sessions.

Runs on gateway hosts: Python 3.6 or later, standard library only. Changes nothing. The only program that it starts is
the one by which the site's profile says the version of the gateway's software.
"""

import os
import platform
import re
import signal
import subprocess
import time
from typing import Any, Dict, Optional

import processes
import support_texts

_VERSION_S = 5  # our choice: a program that says its version does so at once
_MOST_SAID = 4096  # characters of it; our choice


def host(request: Dict[str, Any]) -> Dict[str, Any]:
    """Free space is that of the disks that the gateways log on."""
    kernel = os.uname()
    folders = sorted({os.path.dirname(gateway["log"]) for gateway in request["gateways"]})
    return {
        "hostname": kernel.nodename,
        "kernel": f"{kernel.sysname} {kernel.release} {kernel.machine}",
        "system": _system(),
        "python": platform.python_version(),
        "timezone": _timezone(),
        "utc_offset_s": int(time.localtime().tm_gmtoff or 0),
        "up_s": _first_number("/proc/uptime"),
        "load": [round(value, 2) for value in os.getloadavg()],
        "free_bytes": {folder: _free(folder) for folder in folders if os.path.isdir(folder)},
    }


def _system() -> str:
    text = _text("/etc/os-release")
    match = re.search(r"^PRETTY_NAME=\"?([^\"\n]*)", text, re.MULTILINE)
    return match.group(1) if match else "unknown"


def _timezone() -> str:
    """As the host is set up; empty where nothing says so."""
    target = os.path.realpath("/etc/localtime")
    return target.partition("/zoneinfo/")[2] or _text("/etc/timezone").strip()


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _first_number(path: str) -> Optional[float]:
    words = _text(path).split()
    return float(words[0]) if words else None


def _free(folder: str) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def gateway(asked: Dict[str, Any]) -> Dict[str, Any]:
    """`sessions`: far ends of its connections; None: this user may not see them."""
    pids = processes.find(asked["process"])
    held = processes.inodes(pids)
    mine = [item for item in processes.connections() if held and item.inode in held]
    return {
        "processes": [{"pid": pid, "since": _since(pid)} for pid in pids],
        "sessions": None if held is None else sorted(item.remote for item in mine if item.established),
        "version": _version(asked),
    }


def _since(pid: int) -> Optional[float]:
    """When it was started, by the host's wall clock of now."""
    try:
        ticks = float(_text(f"/proc/{pid}/stat").rpartition(")")[2].split()[19])
    except IndexError:
        return None
    up_s = _first_number("/proc/uptime") or 0.0
    return time.time() - up_s + ticks / os.sysconf("SC_CLK_TCK")


def _version(asked: Dict[str, Any]) -> Dict[str, Any]:
    """What the site's command says. Without a shell, nothing to read, its whole group ended at the deadline."""
    command = asked["version"]
    if not command:
        return {"said": None, "why_not": "the profile names no command"}
    try:
        running = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
    except OSError as error:
        return {"said": None, "why_not": f"{command[0]}: {error.strerror}"}
    try:
        said, _ = running.communicate(timeout=_VERSION_S)
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
        return {"said": None, "why_not": f"{command[0]}: no answer within {_VERSION_S} s"}
    text = support_texts.redacted(said, bytes.fromhex(asked["key"]))[0].decode("utf-8", "replace").strip()[:_MOST_SAID]
    if running.returncode:
        return {"said": None, "why_not": f"{command[0]}: exit {running.returncode}: {text}"}
    return {"said": text, "why_not": ""}
