"""What every model shares: frozen, extra fields forbidden, bilingual titles."""

from collections.abc import Sized
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Frozen(BaseModel):
    """Base of all models: immutable, and an unknown field is an error, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Title(Frozen):
    """A text a person reads, in Chinese and in English."""

    zh: Annotated[str, Field(min_length=1)]
    en: Annotated[str, Field(min_length=1)]

    def __str__(self) -> str:
        return self.en


def _not_empty[S: Sized | None](value: S) -> S:
    if value is not None and not value:
        raise ValueError("expected at least one, found none")
    return value


def is_empty(value: object) -> bool:
    """For `exclude_if`: what is none is left out of what is stored."""
    return not value


# In place of `min_length` where a wrong item must not be told twice, as itself and as one too few.
AtLeastOne = AfterValidator(_not_empty)
Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=48)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
