"""Real SSH keys of people, and the list of those who may sign."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Signers:
    """Keys lie in a folder, named like their people."""

    folder: Path

    @classmethod
    def made(cls, folder: Path, *people: str) -> "Signers":
        folder.mkdir(parents=True)
        made = cls(folder)
        for person in people:
            made.add(person)
        return made

    @property
    def allowed(self) -> Path:
        return self.folder / "allowed_signers"

    def key(self, person: str) -> Path:
        return self.folder / person

    def add(self, person: str, *, may_sign: bool = True) -> Path:
        """A new key; with `may_sign` it is on the list."""
        key = self.key(person)
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", person, "-f", str(key)]
        subprocess.run(words, check=True, timeout=30, stdin=subprocess.DEVNULL)
        if may_sign:
            with self.allowed.open("a", encoding="utf-8") as file:
                file.write(f'{person} namespaces="drillctl-*" {key.with_suffix(".pub").read_text()}')
        return key
