"""Times and durations as a report prints them: the site's time zone, named, and seconds with their unit."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Moments:
    """Times of one run. `start` decides which day needs no date beside the time."""

    timezone: str
    start: float
    missing: str
    unit: str

    def local(self, at: float) -> datetime:
        """In the site's time zone, rounded (not cut) to the millisecond."""
        return (_EPOCH + timedelta(milliseconds=round(at * 1000))).astimezone(ZoneInfo(self.timezone))

    @property
    def zone(self) -> str:
        """Name of the zone with its offset on the day of the run."""
        offset = self.local(self.start).strftime("%z")
        return f"{self.timezone} UTC{offset[:3]}:{offset[3:]}"

    def full(self, at: float | None) -> str:
        """Date and time to the second."""
        return self.missing if at is None else self.local(at).strftime("%Y-%m-%d %H:%M:%S")

    def w3c(self, at: float) -> str:
        """Date and time to the second with its offset, as a document's metadata has it."""
        return self.local(at).replace(microsecond=0).isoformat()

    def stamp(self, at: float | None) -> str:
        """Time of day to the millisecond, with its date where that is not the day of the start."""
        if at is None:
            return self.missing
        moment = self.local(at)
        time = moment.isoformat(sep=" ", timespec="milliseconds")[11:23]
        return time if moment.date() == self.local(self.start).date() else f"{moment:%m-%d} {time}"

    def seconds(self, duration_s: float | None) -> str:
        """A duration in seconds to the millisecond, with its unit."""
        return self.missing if duration_s is None else f"{duration_s:.3f} {self.unit}"

    def resolution(self, resolution_s: float, stamped: str) -> str:
        """± of a measured duration; `stamped` is the word for a time that the gateway stamped itself."""
        return f"±{resolution_s:.3f} {self.unit}" if resolution_s else stamped
