"""One pack, one ZIP, the same bytes on every machine; nothing is overwritten, nothing unsealed leaves."""

import os
import shutil
import subprocess
import time
from hashlib import sha256
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import pytest

from orchestrator.errors import DefinitionError, Refused
from orchestrator.evidence.export import export
from orchestrator.evidence.manifest import files

RUN = "20260314T093000-single-centre-failure-0001"


def test_the_same_pack_gives_the_same_bytes_wherever_and_whenever(pack: Path, tmp_path: Path) -> None:
    first = export(pack, RUN, tmp_path / "one.zip")
    other = tmp_path / "elsewhere"
    shutil.copytree(pack, other)
    for path in sorted(other.rglob("*"), reverse=True):
        os.utime(path, (0, time.time()))
        path.chmod(0o700)
    assert export(other, RUN, tmp_path / "two.zip") == first
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    assert sha256((tmp_path / "one.zip").read_bytes()).hexdigest() == first


def test_the_zip_holds_exactly_the_pack_sorted_stored_and_without_dates(pack: Path, tmp_path: Path) -> None:
    export(pack, RUN, tmp_path / "one.zip")
    with ZipFile(tmp_path / "one.zip") as archive:
        entries = archive.infolist()
        assert [entry.filename for entry in entries] == [f"{RUN}/{name}" for name in files(pack)]
        assert {(entry.compress_type, entry.date_time, entry.external_attr) for entry in entries} == {
            (ZIP_STORED, (1980, 1, 1, 0, 0, 0), 0o644 << 16)
        }
        assert all(archive.read(f"{RUN}/{name}") == (pack / name).read_bytes() for name in files(pack))


def test_what_is_unpacked_again_is_what_sha256sum_expects(pack: Path, tmp_path: Path) -> None:
    export(pack, RUN, tmp_path / "one.zip")
    with ZipFile(tmp_path / "one.zip") as archive:
        archive.extractall(tmp_path / "out")
    command = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    subprocess.run(command, cwd=tmp_path / "out" / RUN, check=True)


def test_a_file_that_is_there_is_not_overwritten(pack: Path, tmp_path: Path) -> None:
    target = tmp_path / "one.zip"
    target.write_text("mine")
    with pytest.raises(DefinitionError, match="it is not overwritten"):
        export(pack, RUN, target)
    assert target.read_text() == "mine"
    with pytest.raises(DefinitionError, match="expected the folder"):
        export(pack, RUN, tmp_path / "nowhere" / "one.zip")


def test_a_pack_that_is_not_sealed_does_not_leave(pack: Path, tmp_path: Path) -> None:
    (pack / "SHA256SUMS").unlink()
    with pytest.raises(Refused, match="NOT_SEALED"):
        export(pack, RUN, tmp_path / "one.zip")
    assert list(tmp_path.glob("*.zip*")) == []


def test_a_pack_that_was_changed_does_not_leave_and_the_file_is_named(pack: Path, tmp_path: Path) -> None:
    for harm, name in ((lambda: (pack / "run.json").write_text("{}"), "run.json"), (pack.joinpath, "")):
        harm()
        with pytest.raises(Refused, match=rf"PACK_CHANGED: .*{name}"):
            export(pack, RUN, tmp_path / "one.zip")
    (pack / "added.txt").write_text("more")
    with pytest.raises(Refused, match=r"added\.txt: expected the pack as it was sealed"):
        export(pack, RUN, tmp_path / "one.zip")
    (pack / "added.txt").unlink()
    (pack / "a-link").symlink_to(pack / "run.json")
    with pytest.raises(Refused, match="found a link"):
        export(pack, RUN, tmp_path / "one.zip")
    assert [path.name for path in tmp_path.iterdir() if "zip" in path.name] == []
