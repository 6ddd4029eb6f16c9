"""A support bundle: the same content gives the same file, nothing is overwritten, no known secret is in it."""

import gzip
import json
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import pytest

from orchestrator.errors import DefinitionError, Refused
from orchestrator.evidence.support import seal
from orchestrator.model.base import Title
from orchestrator.model.support import (
    FileKind,
    GatheredFile,
    GatheredGateway,
    GatheredHost,
    HostFacts,
    Limits,
    SupportManifest,
)

PLANTED = "correct-horse-battery"
LOG = "hosts/gw-a1/opt/gw/log/gw.log"


def manifest(**changes: object) -> SupportManifest:
    facts = HostFacts(
        hostname="gw-a1",
        system="Debian",
        kernel="Linux",
        python="3.6.8",
        timezone="Asia/Shanghai",
        utc_offset_s=28800,
        up_s=5.0,
        load=(0.5,),
        free_bytes={},
        clock_offset_s=-1.25,
        clock_within_s=0.004,
    )
    hosts = (
        GatheredHost(id="gw-a1", room="room-a", address="198.18.1.11", took_s=0.5, facts=facts),
        GatheredHost(id="gw-b1", room="room-b", address="198.18.2.11", took_s=3.0, could_not_look="timed out"),
    )
    looked = GatheredGateway(
        id="one",
        number="W100200",
        title=Title(zh="交易网关", en="Trading"),
        gateway_class="trading",
        profile="nq",
        verified=False,
        host="gw-a1",
        looked=True,
        version="8.1.3",
        sessions=(),
    )
    unseen = {"id": "two", "number": "W100201", "host": "gw-b1", "looked": False, "version": "", "sessions": None}
    gateways = (looked, looked.model_copy(update=unseen))
    files = (
        GatheredFile(host="gw-a1", path="/opt/gw/log/gw.log", gateway="one", kind=FileKind.LOG, name=LOG, start=99),
        GatheredFile(host="gw-a1", path="/opt/gw/q/*", gateway="one", kind=FileKind.DATA, missing="matches nothing"),
    )
    made = SupportManifest(
        bundle="support-example-20261121T083000",
        made_at="2026-11-21T08:30:00+08:00",
        timezone="Asia/Shanghai",
        site="example",
        title=Title(zh="示例证券", en="Example"),
        inventory_digest="0" * 64,
        simulated=False,
        made_with="drillctl",
        by="li",
        reason="login refused since 08:00",
        limits=Limits(whole=1, host=1, file=1, host_deadline_s=1),
        hosts=hosts,
        gateways=gateways,
        files=files,
    )
    return made.model_copy(update=changes)


def gathered(folder: Path, data: bytes = b"logon refused\n", name: str = LOG) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    return folder


def test_the_same_content_gives_the_same_file(tmp_path: Path) -> None:
    digests = [
        seal(gathered(tmp_path / name), manifest(), [PLANTED], tmp_path / f"{name}.zip") for name in ("one", "two")
    ]
    found = (tmp_path / "one.zip").read_bytes()
    assert digests == [sha256(found).hexdigest()] * 2
    assert (tmp_path / "one.zip").stat().st_mode & 0o777 == 0o600
    assert sorted(item.name for item in tmp_path.iterdir()) == ["one", "one.zip", "two", "two.zip"]


def test_its_sums_name_every_file_and_its_manifest_reads_back(tmp_path: Path) -> None:
    seal(gathered(tmp_path / "in"), manifest(), [], tmp_path / "out.zip")
    with ZipFile(tmp_path / "out.zip") as archive:
        under = f"{manifest().bundle}/"
        names = sorted(name.removeprefix(under) for name in archive.namelist())
        sums = archive.read(f"{under}SHA256SUMS").decode().splitlines()
        assert [line[66:] for line in sums] == [name for name in names if name != "SHA256SUMS"]
        assert all(sha256(archive.read(under + line[66:])).hexdigest() == line[:64] for line in sums)
        assert SupportManifest.model_validate_json(archive.read(f"{under}MANIFEST.json")) == manifest()


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "zh",
            [
                "网关号 W100200  one  交易网关",
                "8.1.3",
                "-1.250 ± 0.004 秒",
                "未能查看：timed out",
                "1 个过大",
                "另有 1 项未取",
            ],
        ),
        (
            "en",
            [
                "Gateway number W100200  one  Trading",
                "8.1.3",
                "-1.250 ± 0.004 s",
                "could not look: timed out",
                "1 of them",
            ],
        ),
    ],
)
def test_the_readme_says_numbers_versions_clocks_and_what_is_not_there(
    tmp_path: Path, language: str, said: list[str]
) -> None:
    seal(gathered(tmp_path / "in"), manifest(), [], tmp_path / "out.zip")
    text = (tmp_path / "in" / f"README.{language}.txt").read_text(encoding="utf-8")
    assert [part for part in said if part not in text] == []
    assert {"zh": "仿真", "en": "simulated"}[language] not in text
    later = manifest(simulated=True)
    seal(gathered(tmp_path / "twin"), later, [], tmp_path / "twin.zip")
    assert {"zh": "仿真", "en": "simulated"}[language] in (tmp_path / "twin" / f"README.{language}.txt").read_text()


@pytest.mark.parametrize("name", [LOG, "hosts/gw-a1/opt/gw/other.gz"])
def test_a_known_secret_is_refused_by_place_and_never_told(tmp_path: Path, name: str) -> None:
    data = f"a line\nlogin with {PLANTED}\n".encode()
    folder = gathered(tmp_path / "in", gzip.compress(data) if name.endswith("gz") else data, name)
    with pytest.raises(Refused, match=r"SECRET_FOUND.* at byte \d+ .*nothing is written") as refusal:
        seal(folder, manifest(), [PLANTED], tmp_path / "out.zip")
    assert ("gw-a1:/opt/gw/log/gw.log" if name == LOG else name) in str(refusal.value)
    assert PLANTED not in str(refusal.value)
    assert [item.name for item in tmp_path.iterdir()] == ["in"]


def test_a_bundle_of_that_name_is_not_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "out.zip"
    target.write_bytes(b"mine")
    with pytest.raises(DefinitionError, match="not overwritten"):
        seal(gathered(tmp_path / "in"), manifest(), [], target)
    assert target.read_bytes() == b"mine"
    assert sorted(item.name for item in tmp_path.iterdir()) == ["in", "out.zip"]


def test_the_manifest_says_of_each_thing_that_is_missing_why(tmp_path: Path) -> None:
    seal(gathered(tmp_path / "in"), manifest(), [], tmp_path / "out.zip")
    found = json.loads((tmp_path / "in/MANIFEST.json").read_text(encoding="utf-8"))
    assert [item["missing"] for item in found["files"] if not item["name"]] == ["matches nothing"]
