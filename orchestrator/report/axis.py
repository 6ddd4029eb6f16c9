"""A time axis: seconds since the epoch → pixels, with ticks at round local times."""

from dataclasses import dataclass
from math import ceil

from orchestrator.report.moments import Moments
from orchestrator.report.svg import Drawing

_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
_TICKS = 8  # our choice: at most so many, or the labels touch


@dataclass(frozen=True)
class Axis:
    first: float
    last: float
    left: float
    right: float

    def x(self, at: float) -> float:
        """Pixel of a moment, kept inside the axis."""
        share = (at - self.first) / (self.last - self.first)
        return self.left + min(max(share, 0), 1) * (self.right - self.left)

    def ticks(self) -> list[float]:
        span = self.last - self.first
        step = next((step for step in _STEPS_S if span / step <= _TICKS), 86400 * ceil(span / 86400 / _TICKS))
        begin = ceil(self.first / step)
        return [index * step for index in range(begin, int(self.last // step) + 1)]

    def draw(self, drawing: Drawing, moments: Moments, top: float, bottom: float) -> None:
        """Grid lines, with their times underneath."""
        fine = self.last - self.first <= _TICKS
        for tick in self.ticks():
            x = self.x(tick)
            drawing.line(x, top, x, bottom, "grid")
            label = f"{moments.local(tick):%H:%M:%S.%f}"[: 10 if fine else 8]
            drawing.text(x, bottom + 14, label, "tick middle")
