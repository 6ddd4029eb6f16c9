"""Statements that people have signed, as they lie in a folder: each beside its signature."""

import json
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from orchestrator.evidence import ssh_signatures
from orchestrator.model.approval import Signed, Statement, namespace

SIGNATURE = ".sig"  # behind the name of what it signs


def read_signed(path: Path, allowed: Path, at: datetime | None = None) -> Signed | None:
    """A statement with what its signature is worth `at` a time, or now. None: no statement at all."""
    try:
        data = path.read_bytes()
        statement = Statement.model_validate(json.loads(data))
    except (OSError, ValueError, ValidationError):
        return None
    problem = ""
    signature = path.with_name(f"{path.name}{SIGNATURE}")
    if statement.canonical() != data:
        problem = "expected the canonical bytes that are signed, found others"
    elif not signature.is_file():
        problem = f"expected a signature {signature.name}, found none"
    else:
        problem = ssh_signatures.check(
            data, signature.read_bytes(), statement.by, allowed, namespace(statement.kind), at
        ).problem
    return Signed(statement=statement, file=path.name, problem=problem)
