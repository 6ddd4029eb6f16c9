from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from weasyprint.urls import URLFetcher

class Font:
    family: str
    missing: Mapping[int, int]
    to_unicode: Mapping[int, str]

class Document:
    fonts: Mapping[str, Font]
    def write_pdf(
        self, target: None = ..., zoom: float = ..., *, pdf_variant: str = ..., attachments: Sequence[Attachment] | None = ...
    ) -> bytes: ...

class HTML:
    def __init__(self, *, string: str, url_fetcher: URLFetcher = ...) -> None: ...
    def render(self, *, pdf_variant: str = ...) -> Document: ...

class Attachment:
    def __init__(
        self,
        *,
        string: bytes,
        name: str,
        description: str,
        created: datetime,
        modified: datetime,
        relationship: str,
    ) -> None: ...
