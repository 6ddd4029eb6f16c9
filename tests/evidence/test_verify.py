"""An honest pack and an honest archive verify, by the product and by the script that needs nothing of it."""

import subprocess
from pathlib import Path

import pytest

from tests.evidence.packs import Archive, Office, head_of, started_at
from tests.evidence.test_attacks_seal import LATER, with_sm2
from tests.evidence.verifying import SCRIPT, by_script, only_tools, verified
from tests.frame.documents import blocks


def test_an_honest_pack_verifies(honest: Archive) -> None:
    verified(honest.pack(1))


def test_an_honest_archive_verifies(honest: Archive) -> None:
    verified(honest.folder, archive=True)


def test_an_honest_archive_verifies_against_signer_authority_and_anchor(honest: Archive) -> None:
    given = ("--signer", honest.office.keys.fingerprint, "--tsa", str(honest.office.tsa_file))
    both = verified(honest.folder, *given, "--anchor", head_of(honest.lines(), 5), archive=True)
    for told in both:
        assert not [note for note in told.notes if "no --" in note]


def test_the_commands_for_doing_it_by_hand_work(pack: Path, office: Office, tmp_path: Path) -> None:
    """Those of the README, one after the other, in the pack's folder."""
    commands = blocks(SCRIPT.with_name("README.md"), "sh")[1]
    at = str(int((started_at(1) + LATER).timestamp()))
    text = "set -e\n" + commands.replace("SECONDS", at).replace("signer.pem -out", f"{tmp_path}/signer.pem -out")
    text = text.replace("-in signer.pem", f"-in {tmp_path}/signer.pem")
    done = subprocess.run(["bash", "-c", text], cwd=with_sm2(pack, office), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert office.keys.fingerprint in done.stdout.replace(":", "").lower()
    verified(pack)


@pytest.mark.parametrize(
    "arguments", [[], ["--signer", "abc", "."], ["--anchor", "7", "."], ["--tsa", "/nowhere", "."], ["a", "b"], ["--x"]]
)
def test_the_script_says_what_it_expects_and_exits_with_2(arguments: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [only_tools() / "bash", SCRIPT, *arguments],
        cwd=tmp_path,
        env={"PATH": str(only_tools())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("verify.sh: ")


def test_the_script_reads_from_any_folder(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(pack.parent)
    assert by_script(Path("pack")).faults == ()
