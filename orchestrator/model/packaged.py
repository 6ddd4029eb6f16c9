"""Data files that ship with the product."""

from functools import cache
from importlib.resources import files
from typing import Any

import yaml

# Parsing in C takes a tenth of the time; where PyYAML was built without, the same comes out later.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def packaged_yaml(package: str, name: str) -> Any:
    """The document `name` in the package `orchestrator.<package>`. Read once: whoever changes it copies it first."""
    text = files(f"orchestrator.{package}").joinpath(name).read_text(encoding="utf-8")
    return yaml.load(text, _LOADER)  # noqa: S506 - a safe loader
