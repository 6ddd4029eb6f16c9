"""vendor_certificate.py over the sample files of every format: only the name changes, and it changes back."""

import importlib
from typing import Any

import pytest

from orchestrator.loader.site import load_site
from orchestrator.model.topology import CertificateSpot, ConfigFile, ListFormat
from orchestrator.twin.vendor_sample import filled_config, sample
from tests.support.sites import ROOT


def _modules() -> tuple[Any, Any]:
    """As they run on a host, where their neighbours are plain modules."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "playbooks/onhost"))
        return importlib.import_module("vendor_file"), importlib.import_module("vendor_certificate")


vendor_file, vendor_certificate = _modules()
read_certificate, write_certificate = vendor_certificate.read_certificate, vendor_certificate.write_certificate

GATEWAY = load_site(ROOT / "inventory/example").topology.gateway["sse-td-1"]
LISTED = ["172.60.101.30:7043", "172.50.101.30:7043"]


def _ini(section: str, encoding: str) -> ConfigFile:
    spot = CertificateSpot(section=section, key="cert")
    return ConfigFile(path="/f", format=ListFormat.INI, section="s", key="k", certificate=spot, encoding=encoding)


FORMS = [
    _ini("登录", "gbk"),
    _ini("s", "utf-8"),
    ConfigFile(path="/f", format=ListFormat.PROPERTIES, key="k", certificate=CertificateSpot(key="{id}.cert")),
    ConfigFile(
        path="/f",
        format=ListFormat.XML,
        element="G/Up",
        item="S",
        encoding="gbk",
        certificate=CertificateSpot(element="G/Local", attribute="cert"),
    ),
    ConfigFile(
        path="/f",
        format=ListFormat.XML,
        element="G/Up",
        item="S",
        certificate=CertificateSpot(element="G/Key", attribute="id"),
    ),
    ConfigFile(path="/f", format=ListFormat.JSON, pointer="/a/servers", certificate=CertificateSpot(pointer="/a/cert")),
    ConfigFile(path="/f", format=ListFormat.JSON, pointer="/a/servers", certificate=CertificateSpot(pointer="/b/c/d")),
    ConfigFile(path="/f", format=ListFormat.JSON, pointer="/list", certificate=CertificateSpot(pointer="/cert")),
    ConfigFile(
        path="/f", format=ListFormat.DELIMITED, begin="B", end="E", certificate=CertificateSpot(prefix="certificate|")
    ),
]


@pytest.mark.parametrize("config", FORMS, ids=lambda item: f"{item.format}-{item.encoding}-{item.pointer or ''}")
def test_only_the_name_changes_and_it_changes_back(config: ConfigFile) -> None:
    spec = filled_config(config, GATEWAY).model_dump(mode="json")
    data = sample(config, GATEWAY, LISTED, "ekey:old-1")
    assert read_certificate(data, spec) == "ekey:old-1"
    new = write_certificate(data, spec, "/opt/cert/new.pfx")
    assert new == data.replace(b"ekey:old-1", b"/opt/cert/new.pfx")
    assert vendor_file.read_endpoints(new, spec) == LISTED
    assert write_certificate(new, spec, "ekey:old-1") == data
    assert write_certificate(data, spec, "ekey:old-1") is data


def refused(data: bytes, name: str = "new", **spot: Any) -> str:
    spec = {"format": "ini", "encoding": "utf-8", "certificate": {"section": "A", "key": "cert", **spot}}
    with pytest.raises(ValueError, match="expected") as caught:
        write_certificate(data, spec, name)
    return str(caught.value)


def test_what_is_not_there_once_is_not_touched_and_no_value_is_told() -> None:
    assert "found none" in refused(b"[B]\ncert=secret\n")
    assert refused(b"[A]\ncert=secret\ncert=secret\n").endswith("found 2")
    assert "secret" not in refused(b"[A]\ncert='secret\n")
    assert "another sign" in refused(b"[A]\ncert=old\n", name="new\npin=1")


def test_a_remark_and_quotes_stay() -> None:
    spec = {"format": "ini", "encoding": "utf-8", "certificate": {"section": "A", "key": "cert"}}
    assert write_certificate(b'[A]\r\ncert = "old" ; x\r\n', spec, "new") == b'[A]\r\ncert = "new" ; x\r\n'
    assert write_certificate(b"[A]\ncert=old  ; x\n", spec, "new") == b"[A]\ncert=new  ; x\n"
