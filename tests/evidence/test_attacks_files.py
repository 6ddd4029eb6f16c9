"""What somebody without a key may do to a pack. Each is caught by both verifiers, each with words of its own."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.evidence.verifying import caught

VERSIONS, SAMPLES, SUMS, EVIDENCE = "versions.json", "samples/samples.jsonl", "SHA256SUMS", "EVIDENCE.sha256"


def change_a_byte(pack: Path) -> None:
    content = bytearray((pack / SAMPLES).read_bytes())
    content[len(content) // 2] ^= 1
    (pack / SAMPLES).write_bytes(content)


def empty(pack: Path) -> None:
    (pack / SAMPLES).write_bytes(b"")


def remove(pack: Path) -> None:
    (pack / VERSIONS).unlink()


def add(pack: Path) -> None:
    (pack / "checks").mkdir()
    (pack / "checks" / "verifying.junit.xml").write_text("<testsuites/>")


def add_beside_the_reports(pack: Path) -> None:
    (pack / "report" / "report.fr.html").write_text("<p>")


def rename(pack: Path) -> None:
    (pack / VERSIONS).rename(pack / "version.json")


def link_a_file(pack: Path) -> None:
    shutil.move(pack / VERSIONS, pack.parent / "elsewhere.json")
    (pack / VERSIONS).symlink_to("../elsewhere.json")


def link_a_folder(pack: Path) -> None:
    shutil.move(pack / "samples", pack.parent / "samples")
    (pack / "samples").symlink_to("../samples")


def convert(pack: Path) -> None:
    path = pack / "plan" / "definition.yml"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


def convert_the_list(pack: Path) -> None:
    (pack / SUMS).write_bytes((pack / SUMS).read_bytes().replace(b"\n", b"\r\n"))


def without_line(pack: Path, name: str, file: str) -> None:
    lines = (pack / name).read_text().splitlines(keepends=True)
    (pack / name).write_text("".join(line for line in lines if file not in line))


def drop_a_line(pack: Path) -> None:
    without_line(pack, SUMS, VERSIONS)


def drop_a_file_and_its_line(pack: Path) -> None:
    without_line(pack, SUMS, VERSIONS)
    (pack / VERSIONS).unlink()


def drop_a_line_of_the_evidence(pack: Path) -> None:
    without_line(pack, EVIDENCE, VERSIONS)


def drop_the_list_of_evidence(pack: Path) -> None:
    (pack / EVIDENCE).unlink()


def drop_the_list(pack: Path) -> None:
    (pack / SUMS).unlink()


def list_twice(pack: Path) -> None:
    lines = (pack / SUMS).read_text().splitlines(keepends=True)
    (pack / SUMS).write_text("".join([*lines[:3], lines[2], *lines[3:]]))


def list_elsewhere(pack: Path) -> None:
    with (pack / SUMS).open("a") as file:
        file.write(f"{'0' * 64}  ../../elsewhere\n")


def cut_the_list(pack: Path) -> None:
    (pack / SUMS).write_bytes((pack / SUMS).read_bytes()[:-9])


def odd_name(pack: Path) -> None:
    (pack / "a\nb").write_text("")


def pipe(pack: Path) -> None:
    os.mkfifo(pack / "pipe")


def empty_folder(pack: Path) -> None:
    (pack / "people").mkdir()


def no_reports(pack: Path) -> None:
    (pack / "report" / "report.zh.pdf").unlink()


def no_signature(pack: Path) -> None:
    (pack / "SHA256SUMS.p7s").unlink()
    (pack / "SHA256SUMS.p7s.tsr").unlink()


def append_to_a_pdf(pack: Path) -> None:
    with (pack / "report" / "report.zh.pdf").open("ab") as file:
        file.write(b"%%EOF\n")


ATTACKS: list[tuple[Callable[[Path], None], tuple[str, ...]]] = [
    (change_a_byte, (f"{SAMPLES}: changed since it was listed in SHA256SUMS",)),
    (empty, (f"{SAMPLES}: changed since it was listed in EVIDENCE.sha256",)),
    (remove, (f"{VERSIONS}: listed in SHA256SUMS, not in the pack",)),
    (add, ("checks/verifying.junit.xml: in the pack, not listed in SHA256SUMS",)),
    (add_beside_the_reports, ("report/report.fr.html: in the pack, not listed in SHA256SUMS",)),
    (rename, ("version.json: in the pack, not listed",)),
    (link_a_file, (f"{VERSIONS}: expected a file or a folder, found a link",)),
    (link_a_folder, ("samples: expected a file or a folder, found a link",)),
    (convert, ("plan/definition.yml: changed", "its line ends were converted to CRLF")),
    (convert_the_list, ("SHA256SUMS: expected lines that end with LF, found CR",)),
    (drop_a_line, (f"{VERSIONS}: in the pack, not listed in SHA256SUMS",)),
    (drop_a_file_and_its_line, ("SHA256SUMS.p7s: expected a signature of this SHA256SUMS, found another",)),
    (drop_a_line_of_the_evidence, (f"{VERSIONS}: in the pack, not listed in EVIDENCE.sha256",)),
    (drop_the_list_of_evidence, ("EVIDENCE.sha256: expected the list of the pack's files, found none",)),
    (drop_the_list, ("SHA256SUMS: expected the list of the pack's files, found none",)),
    (list_twice, ("SHA256SUMS: line 4: expected names in order and each once",)),
    (list_elsewhere, ("SHA256SUMS: line", "expected a digest, two blanks and a name")),
    (cut_the_list, ("SHA256SUMS: expected whole lines, found the last one without its end",)),
    (odd_name, ("expected a name of A-Z a-z 0-9 . _ - only",)),
    (pipe, ("pipe: expected a file or a folder, found something else",)),
    (empty_folder, ("people: expected a folder with files, found it empty",)),
    (no_reports, ("report/report.zh.pdf: expected in every pack, found none",)),
    (no_signature, ("SHA256SUMS.p7s: expected a signature of SHA256SUMS, found none",)),
    (append_to_a_pdf, ("report/report.zh.pdf: expected its signature to cover the whole file, found more",)),
]


@pytest.mark.parametrize(("attack", "words"), ATTACKS, ids=lambda item: getattr(item, "__name__", ""))
def test_nobody_changes_a_pack_unseen(pack: Path, attack: Callable[[Path], None], words: tuple[str, ...]) -> None:
    attack(pack)
    caught(pack, *words)
