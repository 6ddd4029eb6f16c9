"""What was said once and is not said again: one empty file each in a folder of the state folder."""

from dataclasses import dataclass
from pathlib import Path

from orchestrator.evidence.disk import folder_to_disk


@dataclass(frozen=True)
class Marks:
    """The folder. It is made with the first mark."""

    folder: Path

    def has(self, name: str) -> bool:
        return (self.folder / name).exists()

    def put(self, name: str) -> None:
        """On the disk when this returns; again is the same."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.folder / name).touch()
        folder_to_disk(self.folder)
