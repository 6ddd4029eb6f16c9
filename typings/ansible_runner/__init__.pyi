"""What the adapters use of ansible-runner 2.4, which ships no type information."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TextIO

class RunnerConfig:
    artifact_dir: str
    command: list[str]
    private_data_dir: str

class Runner:
    config: RunnerConfig
    errored: bool
    rc: int | None
    status: str
    @property
    def events(self) -> Iterable[dict[str, Any]]: ...
    @property
    def stats(self) -> dict[str, dict[str, int]] | None: ...
    @property
    def stderr(self) -> TextIO: ...
    @property
    def stdout(self) -> TextIO: ...

def run(
    *,
    private_data_dir: str | Path,
    playbook: str | Path | None = ...,
    inventory: str | Path | Mapping[str, Any] | list[str] | None = ...,
    limit: str | None = ...,
    extravars: Mapping[str, Any] | None = ...,
    envvars: Mapping[str, str] | None = ...,
    settings: Mapping[str, Any] | None = ...,
    cmdline: str | None = ...,
    forks: int | None = ...,
    ident: str | None = ...,
    project_dir: str | Path | None = ...,
    roles_path: str | Path | None = ...,
    timeout: int | None = ...,
    quiet: bool = ...,
    json_mode: bool = ...,
    suppress_env_files: bool = ...,
    rotate_artifacts: int = ...,
    verbosity: int | None = ...,
    cancel_callback: Callable[[], bool] | None = ...,
    event_handler: Callable[[dict[str, Any]], bool | None] | None = ...,
    finished_callback: Callable[[Runner], None] | None = ...,
    status_handler: Callable[..., None] | None = ...,
) -> Runner: ...
