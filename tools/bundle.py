"""Makes the offline bundle: one tar file from which drillctl is installed on a controller without Internet.

`python tools/bundle.py [--to FOLDER]` takes the packages that requirements.lock pins and that the product itself needs
(not those of the tests only), as wheels for this Python on this platform, and the source as it stands in this checkout.
The same checkout and the same wheels give the same bytes.
"""

import argparse
import hashlib
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import NoReturn

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
OFFLINE = ROOT / "tools" / "offline"
LONGEST_S = 1800  # our choice: a slow line to the package index
BUILDS = ("setuptools",)  # installs the checkout without build isolation
_NOT_SHIPPED = ("tests/", "benchmarks/", "typings/", ".ci/", "dist/")
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?:.*\\\n)*.*", re.MULTILINE)
_DEBIAN = re.compile(r'^PACKAGES="([^"]+)"', re.MULTILINE)


def pins(lock: str) -> dict[str, str]:
    """Name of each package of the lock → its pin with all its hashes, as it stands there."""
    return {canonicalize_name(found["name"]): found.group() for found in _PIN.finditer(lock)}


def needed(first: Iterable[str]) -> set[str]:
    """These requirements and whatever they require on this platform, by what the installed packages say."""
    found: set[str] = set()
    waiting = [Requirement(text) for text in first]
    while waiting:
        item = waiting.pop()
        name = canonicalize_name(item.name)
        wanted = {"", *item.extras}
        known = f"{name}[{','.join(sorted(item.extras))}]"
        if known in found:
            continue
        found.add(known)
        inner = [Requirement(text) for text in _requires(name)]
        waiting += [
            one for one in inner if any(one.marker is None or one.marker.evaluate({"extra": e}) for e in wanted)
        ]
    return {known.partition("[")[0] for known in found}


def _requires(name: str) -> list[str]:
    try:
        return requires(name) or []
    except PackageNotFoundError:
        _fail(f"expected {name} to be installed here as in requirements.lock, found it is not; run `make setup` first")


def chosen_pins() -> str:
    """The pins of the product itself, without those of the tests only."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    known = pins((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    names = needed([*project["dependencies"], *BUILDS])
    lost = sorted(names - known.keys())
    if lost:
        _fail(f"expected {', '.join(lost)} in requirements.lock, found no pin; run `make lock` first")
    return "".join(f"{known[name]}\n" for name in sorted(names))


def source_files() -> list[str]:
    """What belongs to the product, as it stands in the checkout; new files too, unless git ignores them."""
    listed = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    said = subprocess.run(listed, capture_output=True, text=True, check=False, timeout=60)
    if said.returncode:
        _fail(f"expected a git checkout in {ROOT}, found: {said.stderr.strip()}")
    names = {name for name in said.stdout.split("\0") if name and not name.startswith(_NOT_SHIPPED)}
    return sorted(name for name in names if (ROOT / name).is_file())


def debian_packages() -> list[str]:
    """Those that tools/setup installs, the tests' own left out."""
    found = _DEBIAN.search((ROOT / "tools" / "setup").read_text(encoding="utf-8"))
    return sorted(word for word in found[1].split() if word != "\\") if found else []


def build(to: Path) -> Path:
    """The tar file. Everything is made beside it first, so that half a bundle is never there."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    tag = f"cp{sys.version_info[0]}{sys.version_info[1]}-{sysconfig.get_platform().replace('-', '_')}"
    name = f"drillctl-{version}-offline-{tag}"
    to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".bundle-", dir=to) as draft:
        folder = Path(draft) / name
        folder.mkdir()
        _fill(folder, version)
        packed = Path(draft) / f"{name}.tar"
        pack(folder, packed)
        digest = hashlib.sha256(packed.read_bytes()).hexdigest()
        (to / f"{name}.tar.sha256").write_text(f"{digest}  {name}.tar\n", encoding="ascii")
        return packed.replace(to / f"{name}.tar")


def _fill(folder: Path, version: str) -> None:
    (folder / "requirements.txt").write_text(chosen_pins(), encoding="utf-8")
    (folder / "debian-packages.txt").write_text("\n".join([*debian_packages(), ""]), encoding="utf-8")
    (folder / "python-version").write_text(f"{sys.version_info[0]}.{sys.version_info[1]}\n", encoding="ascii")
    shutil.copy2(OFFLINE / "install.sh", folder / "install.sh")
    for file in source_files():
        target = folder / "source" / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / file, target)
    _download(folder)
    _write_readmes(folder, version)
    names = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in names]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def _download(folder: Path) -> None:
    """Wheels only: what is built on a controller needs a compiler and the Internet."""
    words = ["download", "--quiet", "--only-binary", ":all:", "--require-hashes", "--no-deps"]
    where = ["--requirement", str(folder / "requirements.txt"), "--dest", str(folder / "wheels")]
    done = subprocess.run([sys.executable, "-m", "pip", *words, *where], check=False, timeout=LONGEST_S)
    if done.returncode:
        _fail(
            "expected every pin of requirements.lock as a wheel with one of its hashes, found that pip failed (above)"
        )


def _write_readmes(folder: Path, version: str) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    facts = {
        "version": version,
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "platform": f"{platform.system()} {platform.machine()}",
        "wheels": len(list((folder / "wheels").iterdir())),
        "size": megabytes(sum(path.stat().st_size for path in files)),
        "commit": _commit(),
    }
    for language in ("zh", "en"):
        text = (OFFLINE / f"README.{language}.txt").read_text(encoding="utf-8")
        (folder / f"README.{language}.txt").write_text(text.format(**facts), encoding="utf-8")


def _commit() -> str:
    """The commit; `+changes` where the checkout is not exactly that."""
    commit = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    changed = subprocess.run(["git", "-C", str(ROOT), "status", "--porcelain"], capture_output=True, check=True)
    return commit.stdout.strip() + ("+changes" if changed.stdout else "")


def megabytes(size: int) -> str:
    """For people; 1 MB is 1,000,000 bytes."""
    return f"{size / 1e6:.1f} MB"


def pack(folder: Path, packed: Path) -> None:
    """A folder as a tar file without anything of this machine: no times, no owners. Wheels are compressed already."""
    with tarfile.open(packed, "x", format=tarfile.GNU_FORMAT) as archive:
        for path in _in_order(folder):
            entry = archive.gettarinfo(path, str(path.relative_to(folder.parent)))
            entry.uid = entry.gid = entry.mtime = 0
            entry.uname = entry.gname = "root"
            entry.mode = 0o755 if path.is_dir() or entry.mode & 0o100 else 0o644
            if path.is_dir():
                archive.addfile(entry)
                continue
            with path.open("rb") as file:
                archive.addfile(entry, file)


def _in_order(folder: Path) -> Iterator[Path]:
    yield folder
    yield from sorted(folder.rglob("*"))


def _fail(message: str) -> NoReturn:
    sys.stderr.write(f"bundle: {message}\n")
    sys.exit(1)


def main() -> None:
    """Build, then say where it is and how large."""
    asked = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("--to", metavar="FOLDER", type=Path, default=ROOT / "dist", help="default: dist/")
    made = build(asked.parse_args().to.absolute())
    sys.stdout.write(f"{made}  {megabytes(made.stat().st_size)}\n")


if __name__ == "__main__":
    main()
