"""A group of verbs that loads a verb's module when that verb is called: what one verb stands on, no other waits for."""

import importlib
from collections.abc import Iterator, Mapping, MutableMapping
from types import MappingProxyType
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group


class _Loaded(MutableMapping[str, Any]):
    """name → command. `places`: name → "module:attribute", a function or a group of its own."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = dict(places)
        self._commands: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._commands:
            self._commands[name] = _command(name, self._places[name])
        return self._commands[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._commands[name] = command
        self._places.setdefault(name, "")

    def __delitem__(self, name: str) -> None:
        del self._places[name]
        self._commands.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, name: object) -> bool:
        return name in self._places


def _command(name: str, place: str) -> Any:
    module, _, attribute = place.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    if isinstance(found, typer.Typer):
        group = get_group(found)
        group.name = name
        return group
    alone = typer.Typer(rich_markup_mode="rich", pretty_exceptions_enable=False, add_completion=False)
    alone.command(name)(found)
    return get_command(alone)


def group_of(places: Mapping[str, str], helps: Mapping[str, str] = MappingProxyType({})) -> type[TyperGroup]:
    """A class for `typer.Typer(cls=…)` with these verbs, in this order. `helps`: what the list says of each."""

    class Verbs(TyperGroup):
        def __init__(self, **attributes: Any) -> None:
            super().__init__(**attributes)
            self.commands = _Loaded(places)
            self._listing = False

        def format_help(self, ctx: Any, formatter: Any) -> None:
            self._listing = True
            try:
                super().format_help(ctx, formatter)
            finally:
                self._listing = False

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            if self._listing and cmd_name in helps:
                return TyperCommand(cmd_name, help=helps[cmd_name])
            return super().get_command(ctx, cmd_name)

        def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - as the library has it
            return list(self.commands)

    return Verbs
