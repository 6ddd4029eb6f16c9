"""Rows of what was measured: a line each for people, a dict each for programs."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

_DIGITS = {"ms": 1, "MiB": 0, "%": 1}  # places behind the point; of all others two


@dataclass(frozen=True)
class Row:
    """One number. `limit` None: there is none. `value` None: it did not come to an end."""

    what: str
    value: float | None
    unit: str
    limit: float | None
    source: str

    @property
    def is_over(self) -> bool:
        """Every limit is a most. What did not come to an end keeps none."""
        return self.limit is not None and (self.value is None or self.value > self.limit)

    @property
    def shown(self) -> str:
        return "did not end" if self.value is None else f"{self.value:.{_DIGITS.get(self.unit, 2)}f} {self.unit}"

    @property
    def limit_shown(self) -> str:
        return "" if self.limit is None else f"{'**not kept** ' if self.is_over else ''}{self.limit:g} {self.unit}"

    def line(self, without: str = "") -> str:
        """`without`: what stands above the table already."""
        limit = "" if self.limit is None else f"   {'ABOVE' if self.is_over else 'limit'} {self.limit:g} {self.unit}"
        return f"  {self.what.removeprefix(without):74} {self.shown:>14}{limit}"


def row(what: str, value: float | None, unit: str, source: str, limit: float | None = None) -> Row:
    """Rounded to what is worth a digit; what is not a number did not come to an end."""
    known = value is not None and math.isfinite(value)
    return Row(what, round(value, 4) if known and value is not None else None, unit, limit, source)


def write(file: Path | None, rows: Sequence[Row]) -> None:
    """As a list of dicts, where a file was asked for."""
    if file is not None:
        text = json.dumps([asdict(item) for item in rows], ensure_ascii=False, indent=1, allow_nan=False)
        file.write_text(text + "\n", encoding="utf-8")
