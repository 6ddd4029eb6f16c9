"""A program that was sent once is kept compiled on its host while the run is there, and trusted no further."""

import binascii
import marshal
import subprocess
from pathlib import Path

import pytest

from tests.playbooks.harness import Vendor

_SAYS = "def serve(document):\n    return {'results': [{'ok': True, 'message': 'as kept'}]}\n"


def _kept(vendor: Vendor) -> Path:
    (found,) = (vendor.folder / "work").glob("program-*")
    return found


def _put(path: Path, whole: bool = True) -> None:
    """Other code in its place, by which it is seen whether what is kept is what runs."""
    data = marshal.dumps([("gateway", compile(_SAYS, "kept", "exec"))])
    path.write_bytes(binascii.crc32(data if whole else data + b"?").to_bytes(4, "big") + data)


def test_what_arming_has_kept_is_what_runs(vendor: Vendor) -> None:
    _put(_kept(vendor))
    assert vendor.ask("state")["message"] == "as kept"


@pytest.mark.parametrize("mode", [0o770, 0o701])
def test_a_folder_that_others_could_write_to_counts_for_nothing(vendor: Vendor, mode: int) -> None:
    _put(_kept(vendor))
    (vendor.folder / "work").chmod(mode)
    assert vendor.ask("state")["message"] != "as kept"


def test_a_link_to_a_folder_counts_for_nothing(vendor: Vendor) -> None:
    _put(_kept(vendor))
    (vendor.folder / "work").rename(vendor.folder / "elsewhere")
    (vendor.folder / "work").symlink_to("elsewhere")
    assert vendor.ask("state")["message"] != "as kept"


def test_what_is_not_whole_counts_for_nothing(vendor: Vendor) -> None:
    _put(_kept(vendor), whole=False)
    assert vendor.ask("state")["message"].startswith("running")
    _kept(vendor).write_bytes(b"")
    assert vendor.ask("state")["message"].startswith("running")


def test_another_text_and_another_python_have_their_own(vendor: Vendor) -> None:
    kept = _kept(vendor)
    version = subprocess.run(
        [vendor.python, "-c", "import sys; print('%s-%x' % (sys.implementation.name, sys.hexversion))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert kept.name.startswith(f"program-{version}-")
    _put(kept)
    kept.rename(kept.with_name(kept.name[:-1] + ("0" if kept.name[-1] != "0" else "1")))
    assert vendor.ask("state")["message"].startswith("running")


def test_a_preview_keeps_nothing_and_cleaning_takes_it_away(vendor: Vendor) -> None:
    assert vendor.ask("cleanup")["ok"]
    assert vendor.ask("preflight", check=True)["outcome"] == "would_change"
    assert vendor.ask("state")["ok"]
    assert not (vendor.folder / "work").exists()
    assert vendor.ask("preflight")["ok"]
    assert _kept(vendor).stat().st_mode & 0o077 in (0, 0o044)
    assert vendor.ask("cleanup")["residue"] == []
    assert not (vendor.folder / "work").exists()


def test_only_arming_keeps_it(vendor: Vendor) -> None:
    _kept(vendor).unlink()
    assert vendor.ask("state")["ok"]
    assert list((vendor.folder / "work").glob("program-*")) == []
