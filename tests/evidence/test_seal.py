"""Sealing: what can be done now is done, what cannot is said and added later, and nothing sealed is changed."""

import json
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from orchestrator.adapters.timestamping import HttpStamper
from orchestrator.errors import DefinitionError, Refused
from orchestrator.evidence import manifest
from orchestrator.evidence.export import export
from orchestrator.evidence.keys import Keys, make_local_keys
from orchestrator.evidence.openssl import openssl
from orchestrator.evidence.seal import EVIDENCE, SIGNATURE, SM2, STAMP, SUMS, complete, import_signature, state
from orchestrator.evidence.sign import sign_detached
from orchestrator.evidence.sm import sign_sm2
from orchestrator.evidence.stamp import InternalStamper, check_stamp, query, stamped, stamped_at
from orchestrator.evidence.unpack import unpacked
from orchestrator.evidence.verify import verify_pack
from tests.evidence.authorities import NoStamper, StamperAt
from tests.evidence.packs import Archive, Office, digest_of_file, run_name, sealed, started_at
from tests.evidence.verifying import by_product, verified
from tests.support.command import drillctl

LATER = timedelta(seconds=45)


def external(office: Office) -> Keys:
    return Keys(office.firm.certificate, None, office.firm.chain, sm2=office.sm2)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return make_local_keys(tmp_path_factory.mktemp("state") / "keys", "Example", datetime.now(UTC))


# -- lists ------------------------------------------------------------------------------------------------------------


def test_a_list_is_what_sha256sum_reads(honest: Archive) -> None:
    content = (honest.pack(0) / SUMS).read_bytes()
    assert manifest.as_text(manifest.parsed(content)).encode() == content


@pytest.mark.parametrize("name", ["../a", "a//b", "/a", "a b", "", ".", "a/./b", "é", "a\n", "a/"])
def test_odd_names_are_no_names(name: str) -> None:
    assert not manifest.is_name(name)


def test_what_is_odd_is_never_listed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/hostname")
    with pytest.raises(Refused, match=r"UNFIT_FILE: .*link: expected a file or a folder, found a link"):
        manifest.listing(tmp_path)


# -- sealing ----------------------------------------------------------------------------------------------------------


def test_a_seal_says_what_it_is(honest: Archive) -> None:
    pack = honest.pack(0)
    found = state(pack)
    assert found.sums_sha256 == digest_of_file(pack / SUMS)
    assert found.evidence_sha256 == digest_of_file(pack / EVIDENCE)
    assert (found.signer, found.pending) == (honest.office.keys.fingerprint, ())
    assert found.stamped_at == (started_at(0) + LATER).isoformat()


def test_what_is_sealed_is_never_sealed_again(pack: Path, office: Office) -> None:
    from orchestrator.evidence.seal import seal  # noqa: PLC0415

    with pytest.raises(Refused, match="SEALED"):
        seal(pack, office.keys, None)


def test_a_certificate_that_is_not_the_pack_s_does_not_seal_it(pack: Path, office: Office) -> None:
    from orchestrator.evidence.seal import seal  # noqa: PLC0415

    for name in (SUMS, SIGNATURE, STAMP):
        (pack / name).unlink()
    with pytest.raises(Refused, match="OTHER_SIGNER"):
        seal(pack, office.stranger.keys, None)
    assert not (pack / SUMS).exists()


def test_without_an_authority_that_answers_the_pack_is_sealed_and_stamped_later(pack: Path, office: Office) -> None:
    made = sealed(pack, office.keys, NoStamper(), office.tsa_file)
    assert (made.pending, made.stamped_at, made.signer) == (("stamp",), None, office.keys.fingerprint)
    before = {name: digest_of_file(pack / name) for name in manifest.files(pack)}
    with pytest.raises(Refused, match="NO_STAMP"):
        complete(pack, NoStamper())
    done = complete(pack, office.stamper(started_at(1) + LATER))
    assert (done.pending, done.sums_sha256) == ((), made.sums_sha256)
    assert {name: digest_of_file(pack / name) for name in before} == before
    verified(pack)


def test_a_stamp_is_added_once(pack: Path, office: Office) -> None:
    first = (pack / STAMP).read_bytes()
    complete(pack, office.stamper(started_at(2)))
    assert (pack / STAMP).read_bytes() == first


def test_a_pack_that_names_no_authority_takes_no_stamp(pack: Path, office: Office) -> None:
    sealed(pack, office.keys, office.stamper(started_at(1) + LATER), None)
    assert not (pack / STAMP).exists()
    with pytest.raises(Refused, match="NO_TSA"):
        complete(pack, office.stamper(started_at(1) + LATER))


def test_a_stamp_of_an_authority_that_the_pack_does_not_name_is_refused(pack: Path, office: Office) -> None:
    sealed(pack, office.keys, None, office.tsa_file)
    with pytest.raises(Refused, match="BAD_STAMP"):
        complete(pack, StamperAt(office.own_tsa, started_at(1) + LATER))
    assert not (pack / STAMP).exists()


def test_a_reply_to_another_request_is_refused(pack: Path, office: Office) -> None:
    """The nonce: an old reply over the same bytes is not taken for a new one."""
    data = (pack / SIGNATURE).read_bytes()
    old = office.stamper(started_at(1)).stamp(query(data))

    class Replay:
        def stamp(self, query: bytes) -> bytes:
            assert query
            return old

    with pytest.raises(Refused, match="BAD_STAMP"):
        stamped(Replay(), data, office.tsa_file)


def test_a_pack_without_a_key_is_listed_and_waits(pack: Path) -> None:
    made = sealed(pack, None, None)
    assert (made.signer, made.pending) == (None, ("signature", "stamp"))
    assert by_product(pack).names(f"{SIGNATURE}: expected a signature of {SUMS}, found none")


# -- signed elsewhere -------------------------------------------------------------------------------------------------


def test_a_signature_that_was_made_elsewhere_is_imported_and_stamped(
    pack: Path, office: Office, tmp_path: Path
) -> None:
    made = sealed(pack, external(office), office.stamper(started_at(1) + LATER), office.tsa_file)
    assert made.pending == ("signature", "stamp")
    pem = tmp_path / "signature.pem"
    der = sign_detached(office.keys, (pack / SUMS).read_bytes())
    pem.write_bytes(openssl("cms", "-cmsout", "-inform", "DER", "-outform", "PEM", data=der).out)
    assert import_signature(pack, pem).pending == ("stamp",)
    assert complete(pack, office.stamper(started_at(1) + LATER)).pending == ()
    verified(pack, "--signer", office.keys.fingerprint)


@pytest.mark.parametrize("who", ["stranger", "colleague"])
def test_a_signature_by_somebody_else_is_not_imported(pack: Path, office: Office, tmp_path: Path, who: str) -> None:
    sealed(pack, external(office), None, office.tsa_file)
    (tmp_path / "signature").write_bytes(sign_detached(getattr(office, who).keys, (pack / SUMS).read_bytes()))
    with pytest.raises(Refused, match=r"BAD_SIGNATURE: expected a signature by certificates/signer\.pem"):
        import_signature(pack, tmp_path / "signature")
    assert not (pack / SIGNATURE).exists()


def test_a_signature_of_something_else_is_not_imported(pack: Path, office: Office, tmp_path: Path) -> None:
    sealed(pack, external(office), None, office.tsa_file)
    (tmp_path / "signature").write_bytes(sign_detached(office.keys, b"something else"))
    with pytest.raises(Refused, match="BAD_SIGNATURE: expected a signature of"):
        import_signature(pack, tmp_path / "signature")


def test_a_signature_is_imported_once(pack: Path, office: Office, tmp_path: Path) -> None:
    (tmp_path / "signature").write_bytes(sign_detached(office.keys, (pack / SUMS).read_bytes()))
    with pytest.raises(Refused, match="SEALED"):
        import_signature(pack, tmp_path / "signature")


def test_an_sm2_signature_that_was_made_elsewhere_is_imported(pack: Path, office: Office, tmp_path: Path) -> None:
    sealed(pack, external(office), None, office.tsa_file)
    signature = (pack / SM2).read_bytes()
    (pack / SM2).unlink()
    assert "sm2" in state(pack).pending
    (tmp_path / "wrong").write_bytes(sign_sm2(office.sm2, b"something else"))
    with pytest.raises(Refused, match="BAD_SIGNATURE"):
        import_signature(pack, tmp_path / "wrong", sm2=True)
    (tmp_path / "right").write_bytes(signature)
    assert "sm2" not in import_signature(pack, tmp_path / "right", sm2=True).pending


# -- stamps -----------------------------------------------------------------------------------------------------------


def test_the_internal_authority_stamps_with_this_machine_s_clock(pack: Path, local: Keys) -> None:
    """The story is of 2026: a machine whose clock stands before that would be told so."""
    assert local.tsa
    before = datetime.now(UTC).replace(microsecond=0)
    made = sealed(pack, local, InternalStamper(local.tsa))
    assert made.stamped_at
    assert before <= datetime.fromisoformat(made.stamped_at) <= datetime.now(UTC)
    told = by_product(pack)
    assert [note for note in told.notes if "(internal: the firm's own clock)" in note]
    assert [note for note in told.notes if "is a local one for rehearsals (internal)" in note]


def test_a_stamp_is_of_these_bytes(office: Office) -> None:
    reply = office.stamper(started_at(0)).stamp(query(b"these"))
    assert stamped_at(reply) == started_at(0)
    authority = office.tsa.bundle
    assert check_stamp(reply, b"these", authority, started_at(0)).ok
    assert not check_stamp(reply, b"those", authority, started_at(0)).ok


class Authority(BaseHTTPRequestHandler):
    """Answers as RFC 3161, 3.4 has it; `kind` is what it says that it answers."""

    stamper: StamperAt
    kind = "application/timestamp-reply"

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.headers["Content-Type"] == "application/timestamp-query"
        reply = self.stamper.stamp(asked)
        self.send_response(200)
        self.send_header("Content-Type", self.kind)
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing."""


@contextmanager
def serving(stamper: StamperAt, kind: str = Authority.kind) -> Iterator[str]:
    handler = type("Handler", (Authority,), {"stamper": stamper, "kind": kind})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/tsa"
        finally:
            server.shutdown()
            thread.join()


def test_an_authority_is_asked_over_http(pack: Path, office: Office) -> None:
    with serving(office.stamper(started_at(1) + LATER)) as url:
        assert sealed(pack, office.keys, HttpStamper(url), office.tsa_file).pending == ()
    verified(pack, "--tsa", str(office.tsa_file))


def test_an_answer_that_is_no_stamp_is_none(office: Office) -> None:
    with serving(office.stamper(started_at(1)), "text/html") as url, pytest.raises(Refused, match="NO_STAMP"):
        HttpStamper(url).stamp(query(b"x"))


class Elsewhere(BaseHTTPRequestHandler):
    """Sends whoever asks to another address, where an authority answers."""

    to = ""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(302)
        self.send_header("Location", self.to)
        self.end_headers()

    do_GET = do_POST  # noqa: N815 - the base class names it so

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing."""


def test_nobody_sends_us_to_another_address(office: Office) -> None:
    with serving(office.stamper(started_at(1))) as other:
        elsewhere = type("Handler", (Elsewhere,), {"to": other})
        with HTTPServer(("127.0.0.1", 0), elsewhere) as server:
            thread = threading.Thread(target=server.handle_request)
            thread.start()
            with pytest.raises(Refused, match=r"NO_STAMP: .* 302"):
                HttpStamper(f"http://127.0.0.1:{server.server_port}/tsa").stamp(query(b"x"))
            thread.join()


def test_an_authority_that_is_not_there_is_said_by_name() -> None:
    with HTTPServer(("127.0.0.1", 0), Authority) as server:
        url = f"http://127.0.0.1:{server.server_port}/tsa"
    with pytest.raises(Refused, match=r"NO_STAMP: expected an answer of http://127\.0\.0\.1"):
        HttpStamper(url).stamp(query(b"x"))


def test_only_http_is_asked() -> None:
    with pytest.raises(DefinitionError, match="expected http"):
        HttpStamper("file:///etc/passwd")


# -- the command line -------------------------------------------------------------------------------------------------


def test_verify_says_each_fault_in_a_line_and_exits_with_1(archive: Archive, tmp_path: Path) -> None:
    run = archive.folder / run_name(1)
    good = drillctl("evidence", "verify", str(run), state=tmp_path)
    assert (good.code, good.out.splitlines()[-1]) == (0, f"verified: {run}"), good.out
    (run / "pack" / "versions.json").write_text("{ }\n")
    bad = drillctl("evidence", "verify", str(run), state=tmp_path)
    assert bad.code == 1
    assert "versions.json: changed since it was listed in SHA256SUMS" in bad.out.splitlines()
    told = drillctl("evidence", "verify", str(archive.folder), "--json", state=tmp_path)
    assert (told.code, told.document["verified"]) == (1, False)
    assert {"file", "reason"} == set(told.document["faults"][0])


@pytest.mark.parametrize("options", [("--signer", "abc"), ("--anchor", "7"), ("--tsa", "/nowhere")])
def test_verify_refuses_what_it_cannot_read(honest: Archive, tmp_path: Path, options: tuple[str, str]) -> None:
    said = drillctl("evidence", "verify", str(honest.pack(0)), *options, state=tmp_path)
    assert (said.code, options[0] in said.err) == (2, True)


def test_an_exported_pack_verifies_as_it_is(honest: Archive, tmp_path: Path) -> None:
    export(honest.pack(0), run_name(0), tmp_path / "pack.zip")
    with unpacked(tmp_path / "pack.zip") as folder:
        assert verify_pack(folder, honest.office.keys.fingerprint) == []
    assert drillctl("evidence", "verify", str(tmp_path / "pack.zip"), state=tmp_path).code == 0


@pytest.mark.parametrize("name", ["../x", "run/../../x", "/x", "run/a b"])
def test_an_exported_pack_with_odd_names_is_not_laid_out(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "pack.zip", "w") as archive:
        archive.writestr(name, "x")
    with pytest.raises(DefinitionError, match="expected plain files"), unpacked(tmp_path / "pack.zip"):
        pass


def test_an_exported_pack_holds_each_name_once(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "pack.zip", "w") as archive:
        archive.writestr("run/run.json", "{}")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("run/run.json", "[]")
    with pytest.raises(DefinitionError, match="each once"), unpacked(tmp_path / "pack.zip"):
        pass


def test_stamp_and_import_tell_the_ledger(archive: Archive, office: Office, tmp_path: Path) -> None:
    """A rehearsal that was sealed offline is stamped by the local authority, and the archive still verifies."""
    made = drillctl("evidence", "keygen", "--json", state=tmp_path)
    folder = Path(made.document["folder"])
    local = Keys(folder / "signer.pem", None, folder / "ca.pem")
    authority = tmp_path / "tsa.pem"
    authority.write_bytes((folder / "tsa.pem").read_bytes() + (folder / "ca.pem").read_bytes())
    last = archive.clerk.lines.pop()
    kept = sealed(archive.pack(2), local, None, authority)
    archive.clerk.add(datetime.fromisoformat(last["at"]), "pack.sealed", {**last["data"], **_told(kept)})
    archive.write()
    signature = tmp_path / "signature"
    content = (archive.pack(2) / SUMS).read_bytes()
    signature.write_bytes(sign_detached(Keys(local.certificate, str(folder / "signer.key"), local.chain), content))
    said = drillctl("evidence", "import", run_name(2), str(signature), "--json", state=tmp_path)
    assert said.code == 0, said.err
    assert (said.document["signer"], said.document["pending"]) == (local.fingerprint, [])
    again = drillctl("evidence", "stamp", run_name(2), "--json", state=tmp_path)
    assert (again.code, again.document["stamped_at"]) == (0, said.document["stamped_at"])
    assert [line["kind"] for line in archive.lines()][-2:] == ["pack.sealed", "pack.stamped"]
    given = ("--signer", local.fingerprint, "--signer", office.keys.fingerprint)
    assert drillctl("evidence", "verify", str(archive.folder), *given, state=tmp_path).code == 0


def _told(made: object) -> dict[str, object]:
    names = ("sums_sha256", "evidence_sha256", "signer", "stamped_at")
    return json.loads(json.dumps({name: getattr(made, name) for name in names}))  # type: ignore[no-any-return]
