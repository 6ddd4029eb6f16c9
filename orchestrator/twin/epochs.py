"""Whose a run is: an orchestrator that lost its run to a newer one makes and lifts no fault of it any more."""

from orchestrator.errors import Refused


class Epochs:
    """The highest epoch of each run that was heard of here."""

    def __init__(self) -> None:
        self._highest: dict[str, int] = {}

    def admit(self, run: str | None, epoch: int | None) -> None:
        """Refused EPOCH for one that is no longer the run's. Who is of no run is always admitted."""
        if run is None or epoch is None:
            return
        highest = self._highest.get(run, epoch)
        if epoch < highest:
            raise Refused(
                "EPOCH",
                f"expected epoch {highest} of run {run}, found {epoch}: another orchestrator has taken the run over",
            )
        self._highest[run] = epoch
