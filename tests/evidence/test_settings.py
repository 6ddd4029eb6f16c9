"""`evidence.yml`: what is wrong in it is said with file, line and field, and never with a PIN."""

from pathlib import Path

import pytest

from orchestrator.errors import DefinitionError
from orchestrator.loader.evidence import load_evidence
from orchestrator.model.evidence import EvidenceSettings

WHOLE = """\
signing: {certificate: certs/firm.pem, key: certs/firm.key, chain: certs/chain.pem}
stamping: {url: "http://tsa.example/tsr", certificates: certs/tsa.pem}
sm2: true
retention_days: 1830
finding_due_days: 20
secrets: [../secrets.txt]
anchors:
  - {id: disk, kind: directory, to: ../heads}
  - id: archive
    kind: sftp
    to: drills@archive.example:2222/heads
    key: certs/archive_key
    host_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJkv5cJJd1MzdrYSHnYnEfHnTHHDhR3uQwvSzlSVbAcM
  - {id: mail, kind: mail, to: head@regulator.example, server: "mail.example:25", sender: drills@firm.example}
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    (folder / "certs").mkdir(parents=True)
    for name in ("firm.pem", "firm.key", "chain.pem", "tsa.pem"):
        (folder / "certs" / name).write_text("x")
    (tmp_path / "secrets.txt").write_text("s\n")
    return folder


def _said(site: Path, text: str) -> str:
    (site / "evidence.yml").write_text(text, encoding="utf-8")
    with pytest.raises(DefinitionError) as error:
        load_evidence(site)
    return str(error.value).replace(str(site), "SITE")


def test_a_site_without_the_file_has_the_defaults(site: Path) -> None:
    assert load_evidence(site) == EvidenceSettings()
    assert load_evidence(site).retention_days == 1830


def test_a_whole_file_is_read_and_its_paths_start_at_the_site(site: Path) -> None:
    (site / "evidence.yml").write_text(WHOLE)
    found = load_evidence(site)
    assert found.signing is not None
    assert found.signing.key == str(site / "certs" / "firm.key")
    assert found.secrets == (str(site / "../secrets.txt"),)
    assert [anchor.id for anchor in found.anchors] == ["disk", "archive", "mail"]
    assert found.anchors[0].to == str(site / "../heads")
    assert found.anchors[1].key == str(site / "certs" / "archive_key")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("retention_days: 1830", "retention_days: 399", "SITE/evidence.yml:4: retention_days: expected greater than"),
        ("sm2: true", "sm3: true", "SITE/evidence.yml:3: sm3: expected no such field"),
        ("sm2: true", "sm2: maybe", "SITE/evidence.yml:3: sm2: expected a valid boolean"),
        (
            "certs/firm.pem",
            "certs/none.pem",
            "SITE/evidence.yml:1: signing.certificate: expected a file, found none at",
        ),
        (", key: certs/firm.key", "", "signing.key: expected a key, or external: true, found none"),
        ("key: certs/firm.key", "key: certs/firm.key, external: true", "expected no key where it is signed elsewhere"),
        ("http://tsa.example/tsr", "tsa.example", "SITE/evidence.yml:2: stamping.url: expected http://HOST/"),
        ("http://tsa.example/tsr", "http://me:word@tsa.example", "stamping.url: expected http://HOST/"),
        ("id: archive", "id: disk", "SITE/evidence.yml:9: anchors.1.id: expected each id once, found disk again"),
        ("kind: sftp", "kind: ftp", "SITE/evidence.yml:10: anchors.1.kind: expected 'directory', 'sftp' or 'mail'"),
        ("drills@archive.example:2222/heads", "archive.example", "SITE/evidence.yml:11: anchors.1.to: expected user@"),
        ("    key: certs/archive_key\n", "", "anchors.1.key: expected this field for an anchor of kind sftp"),
        ("AAAAC3", "!!!", "SITE/evidence.yml:13: anchors.1.host_key: expected a public key as in known_hosts"),
        ("head@regulator.example", "regulator", "SITE/evidence.yml:14: anchors.2.to: expected a mail address"),
        ('"mail.example:25"', "mail.example:x", "anchors.2.server: expected host:port"),
        ("drills@firm.example", '"a@b\\nBcc: c@d"', "anchors.2.sender: expected a mail address"),
        ("to: ../heads", "to: ../heads, sender: a@b.example", "anchors.0.sender: expected no such field"),
        ("../secrets.txt", "secrets.txt", "SITE/evidence.yml:6: secrets.0: expected a file outside the site's folder"),
        ("sm2: true", "sm2: true\nsm2: false", "SITE/evidence.yml:4: sm2: expected each key once"),
    ],
)
def test_each_mistake_is_said_with_its_line_and_field(site: Path, old: str, new: str, expected: str) -> None:
    assert old in WHOLE
    assert expected in _said(site, WHOLE.replace(old, new))


@pytest.mark.parametrize("part", [";pin-value=123456", "?pin-value=123456", "?module-name=x&pin-value=123456"])
def test_a_pin_is_refused_and_not_repeated(site: Path, part: str) -> None:
    said = _said(site, WHOLE.replace("key: certs/firm.key", f'key: "pkcs11:token=EKey{part}"'))
    assert "expected a pkcs11: URI that names no PIN" in said
    assert "123456" not in said


def test_a_pkcs11_uri_without_a_pin_is_taken_as_it_is(site: Path) -> None:
    uri = "pkcs11:token=EKey;object=firm?module-path=/usr/lib/ekey.so&pin-source=file:/etc/drillctl/pin"
    (site / "evidence.yml").write_text(WHOLE.replace("key: certs/firm.key", f'key: "{uri}"'))
    signing = load_evidence(site).signing
    assert signing is not None
    assert signing.key == uri
