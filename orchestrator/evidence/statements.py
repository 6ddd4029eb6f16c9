"""Statements that people have signed, as they lie in a folder: each beside its signature."""

import json
from pathlib import Path

from pydantic import ValidationError

from orchestrator.evidence import ssh_signatures
from orchestrator.model.approval import Signed, Statement

SIGNATURE = ".sig"  # behind the name of what it signs


def read_signed(path: Path, allowed: Path) -> Signed | None:
    """A statement with what its signature is worth. None: no statement at all."""
    data = path.read_bytes()
    try:
        statement = Statement.model_validate(json.loads(data))
    except (ValueError, ValidationError):
        return None
    problem = ""
    signature = path.with_name(f"{path.name}{SIGNATURE}")
    if statement.canonical() != data:
        problem = "expected the canonical bytes that are signed, found others"
    elif not signature.is_file():
        problem = f"expected a signature {signature.name}, found none"
    else:
        problem = ssh_signatures.check(data, signature.read_bytes(), statement.by, allowed).problem
    return Signed(statement=statement, file=path.name, problem=problem)
