"""The private root filesystem of one simulated host: the machine's, with everything written kept in memory.

Nothing here changes a file of the machine: all of it happens in the host's own mount namespace.
"""

import os
import stat
from pathlib import Path

from orchestrator.twin.mounts import mount

_ACCOUNTS = ("passwd", "shadow", "group", "gshadow")
_FIRST_UID = 2000  # our choice: above the machine's own users in most installations
_OWN_FILESYSTEMS = ("usr", "etc", "opt", "var", "home", "srv")  # may be mounted apart from /
_HOMES = {"root": "0700", "home": "0755"}
_DEVICES = {"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9}  # minors of major 1
_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}


def make_root(space: Path) -> Path:
    """Lay a writable copy of / over the machine's on a new tmpfs at `space`; returns the new root."""
    mount("twin", space, "tmpfs", "mode=0755,size=1g")
    root = space / "root"
    root.mkdir()
    _overlay(Path("/"), root, space / "layer-root")
    for name in _OWN_FILESYSTEMS:
        if os.path.ismount(Path("/") / name):
            _overlay(Path("/") / name, root / name, space / f"layer-{name}")
    for name, mode in _HOMES.items():  # what a person of the machine runs at log-in is no business of a host
        mount("twin", root / name, "tmpfs", f"mode={mode}")
    return root


def mount_private(root: Path) -> None:
    """/proc, /sys, /dev, /run and the temporary folders of this host alone."""
    mount("proc", root / "proc", "proc")
    mount("sysfs", root / "sys", "sysfs")
    for name in ("run", "tmp", "var/tmp", "dev"):
        mount("twin", root / name, "tmpfs", "mode=0755" if name in ("run", "dev") else "mode=1777")
    _devices(root / "dev")
    (root / "run/sshd").mkdir()
    (root / "run/bird").mkdir()
    (root / "run/lock").mkdir(mode=0o1777)


def add_user(root: Path, name: str) -> tuple[int, int]:
    """Make sure that the user exists, may log in by key, and has a home; returns uid and gid."""
    tables = {table: _rows(root / "etc" / table) for table in _ACCOUNTS}
    known = next((row for row in tables["passwd"] if row[0] == name), None)
    if known is None:
        number = str(_free_number(tables))
        known = [name, "x", number, number, name, f"/home/{name}", "/bin/bash"]
        tables["passwd"].append(known)
        tables["group"].append([name, "x", number, ""])
        tables["gshadow"].append([name, "!", "", ""])
    known[6] = "/bin/bash"
    tables["shadow"] = [row for row in tables["shadow"] if row[0] != name]
    tables["shadow"].append([name, "*", "19000", "0", "99999", "7", "", "", ""])  # "!" would be a locked account
    for table, rows in tables.items():
        _write_rows(root / "etc" / table, rows)
    uid, gid = int(known[2]), int(known[3])
    home = root / known[5].lstrip("/")
    home.mkdir(mode=0o755, parents=True, exist_ok=True)
    os.chown(home, uid, gid)
    return uid, gid


def set_identity(root: Path, name: str, address: str, timezone: str) -> None:
    """Host name, time zone, and a resolver that has nobody to ask."""
    etc = root / "etc"
    _replace(etc / "hostname", f"{name}\n")
    _replace(etc / "hosts", f"127.0.0.1 localhost\n{address} {name}\n")
    _replace(etc / "resolv.conf", "")
    zone = Path("/usr/share/zoneinfo") / timezone
    if (root / zone.relative_to("/")).is_file():
        (etc / "localtime").unlink(missing_ok=True)
        (etc / "localtime").symlink_to(zone)
        _replace(etc / "timezone", f"{timezone}\n")


def _overlay(lower: Path, target: Path, layer: Path) -> None:
    upper, work = layer / "upper", layer / "work"
    for folder in (layer, upper, work):
        folder.mkdir()
    mount("twin", target, "overlay", f"lowerdir={lower},upperdir={upper},workdir={work}")


def _devices(dev: Path) -> None:
    for name, minor in _DEVICES.items():
        _device(dev / name, 1, minor)
    _device(dev / "tty", 5, 0)
    for name, target in _LINKS.items():
        (dev / name).symlink_to(target)
    (dev / "pts").mkdir()
    (dev / "shm").mkdir(mode=0o1777)
    mount("devpts", dev / "pts", "devpts", "newinstance,ptmxmode=0666,mode=0620")


def _device(path: Path, major: int, minor: int) -> None:
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(major, minor))
    path.chmod(0o666)  # mknod obeys the umask


def _rows(path: Path) -> list[list[str]]:
    return [line.split(":") for line in path.read_text().splitlines()] if path.exists() else []


def _write_rows(path: Path, rows: list[list[str]]) -> None:
    """In place: the file keeps the owner and mode that the machine gave it."""
    path.write_text("".join(":".join(row) + "\n" for row in rows))


def _free_number(tables: dict[str, list[list[str]]]) -> int:
    taken = {field for table in ("passwd", "group") for row in tables[table] for field in row[2:4]}
    return next(number for number in range(_FIRST_UID, 60000) if str(number) not in taken)


def _replace(path: Path, text: str) -> None:
    """A new file, never through a link into a folder of the machine."""
    path.unlink(missing_ok=True)
    path.write_text(text)
