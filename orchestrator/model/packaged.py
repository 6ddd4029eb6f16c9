"""Data files that ship with the product."""

from functools import cache
from importlib.resources import files
from typing import Any


@cache
def packaged_yaml(package: str, name: str) -> Any:
    """The document `name` in the package `orchestrator.<package>`. Read once: whoever changes it copies it first."""
    import yaml  # noqa: PLC0415 - what needs no such file waits for no parser

    text = files(f"orchestrator.{package}").joinpath(name).read_text(encoding="utf-8")
    # Parsing in C takes a tenth of the time; where PyYAML was built without, the same comes out later.
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - a safe loader
