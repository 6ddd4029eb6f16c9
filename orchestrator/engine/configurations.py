"""The redacted configurations of a snapshot: `configurations/<gateway>/<when>.txt` in the run's folder.

They are on the disk before the journal has their digests. A snapshot that is taken again writes over the one before.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from orchestrator.errors import StepFailed
from orchestrator.evidence.disk import replace

FOLDER = "configurations"


def keep(folder: Path, when: str, texts: Mapping[str, str]) -> dict[str, str]:
    """Write them; gateway → sha256 of its text. StepFailed: the disk does not take them."""
    try:
        for gateway, text in texts.items():
            (folder / FOLDER / gateway).mkdir(parents=True, exist_ok=True)
            replace(folder / FOLDER / gateway / f"{when}.txt", text.encode())
    except OSError as error:
        raise StepFailed(f"expected to keep the configurations in {folder / FOLDER}, found: {error}") from error
    return {gateway: hashlib.sha256(text.encode()).hexdigest() for gateway, text in texts.items()}
