from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

class Cell:
    value: str | float | None
    data_type: str

class Properties:
    created: datetime

class Worksheet:
    title: str
    def iter_rows(self) -> Iterator[tuple[Cell, ...]]: ...
    def append(self, iterable: Iterable[object]) -> None: ...

class Workbook:
    properties: Properties
    worksheets: list[Worksheet]
    def __getitem__(self, name: str) -> Worksheet: ...
    def save(self, filename: Path) -> None: ...
    def close(self) -> None: ...

def load_workbook(filename: BinaryIO, read_only: bool = False, *, data_only: bool = False) -> Workbook: ...
