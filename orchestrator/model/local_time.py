"""Times as people write them in a site's files: local, without an offset. The site's zone makes moments of them."""

import re
from datetime import date, datetime, time
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator

_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?")


def _local_time(value: object) -> object:
    """YAML 1.1 reads 15:30 without quotes as the number 930, which pydantic would take for a quarter past midnight."""
    if isinstance(value, time) and value.tzinfo is None:
        return value
    if isinstance(value, str) and _TIME.fullmatch(value):
        return time.fromisoformat(value)
    raise ValueError(f'expected a time of day in quotes, as "09:15", found {value!r}')


def _local_moment(value: object) -> object:
    if isinstance(value, datetime) and value.tzinfo is None:
        return value
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        try:
            return datetime.fromisoformat(value)
        except ValueError as error:
            raise ValueError(f"expected a day that exists, found {value!r}") from error
    shown = str(value) if isinstance(value, date) else repr(value)
    raise ValueError(f"expected a day and a time in the site's zone, as 2026-12-05 08:30, found {shown}")


LocalTime = Annotated[time, BeforeValidator(_local_time)]
LocalMoment = Annotated[datetime, BeforeValidator(_local_moment)]


def moment(local: datetime, zone: str) -> float:
    """Seconds since the epoch of a local time. Where a zone has an hour twice, its first one."""
    return local.replace(tzinfo=ZoneInfo(zone)).timestamp()


def local(at: float, zone: str) -> datetime:
    """The site's local time of a moment, without its offset."""
    return datetime.fromtimestamp(at, ZoneInfo(zone)).replace(tzinfo=None)
