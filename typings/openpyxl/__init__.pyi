from collections.abc import Iterator
from datetime import datetime
from typing import BinaryIO

class Cell:
    value: str | float | None
    data_type: str

class Properties:
    created: datetime

class Worksheet:
    title: str
    def iter_rows(self) -> Iterator[tuple[Cell, ...]]: ...

class Workbook:
    properties: Properties
    worksheets: list[Worksheet]
    def __getitem__(self, name: str) -> Worksheet: ...

def load_workbook(filename: BinaryIO) -> Workbook: ...
