"""Waiting for measured conditions: every gateway up, routes as before, everything as before."""

from collections.abc import Callable, Collection

from orchestrator.engine import expect
from orchestrator.errors import StepFailed
from orchestrator.measure import GREENS_IN_A_ROW, front_of
from orchestrator.model.event import Outcome, RouteSample, Sample
from orchestrator.model.plan import GatewayChange, Plan, Step
from orchestrator.model.topology import Topology
from orchestrator.planner.steps import SILENT
from orchestrator.ports import Measurement, Observations, Snapshot, TargetResult

_BY_THEMSELVES = ("own_failover", "own_return")  # what does not come by itself is then assisted
_ANEW_S = 3600.0  # our choice: one wait of the sampler; a longer one is taken up anew
_SETTLE_S = 10.0  # our choice: how long the sampler may take to have seen everything once
_QUIET_S = (
    5.0  # our choice: a host that was silent when it was to be switched, and for so long since, is not waited for
)
_LAST_LOOK_S = 5.0  # our choice: three samples take 1.5 s; one that was late is forgiven


class Waits:
    """Conditions on the newest samples. `cut` says when waiting is to end early; it may raise."""

    def __init__(self, plan: Plan, topology: Topology, cut: Callable[[], bool]) -> None:
        self._topology, self._cut = topology, cut
        self.now: Callable[[], Plan] = lambda: plan  # as it is read now, which a promotion changes
        self.measurement: Measurement | None = None
        self.before: Callable[[], Snapshot] = lambda: Snapshot({}, {})
        self.left_behind: Callable[[], Collection[str]] = tuple  # gateways whose hosts were silent in the switch
        self.fault_on: Callable[[], bool] = lambda: False
        self.lifted_at: Callable[[], float] = lambda: 0.0

    @property
    def _plan(self) -> Plan:
        return self.now()

    def latest(self) -> dict[str, Sample]:
        return dict(self.measurement.latest()) if self.measurement else {}

    def latest_routes(self) -> dict[str, RouteSample]:
        return dict(self.measurement.latest_routes()) if self.measurement else {}

    def seen(self) -> Observations | None:
        """Everything up to now; None: nothing measures yet."""
        return self.measurement.observations() if self.measurement else None

    def settle_sampler(self) -> None:
        """Snapshots, checks and conditions need at least one sample of every enabled gateway and every router."""
        measurement = self.measurement
        if measurement is None:
            return
        gone = self._plan.fault.hosts if self.fault_on() else ()
        gateways = {change.gateway for change in self._seen() if change.host not in gone}
        routers = {router.id for router in self._topology.routers if router.driver == "linux"}
        measurement.wait_for(
            lambda: (
                self._cut() or (gateways <= set(measurement.latest()) and routers <= set(measurement.latest_routes()))
            ),
            _SETTLE_S,
        )

    def wait(self, step: Step) -> list[TargetResult]:
        """Until the step's condition held several times in a row; who keeps it from being met otherwise."""
        if not step.targets:
            return []
        arguments = step.targets[0].arguments
        until, timeout_s = str(arguments["until"]), float(arguments.get("wait_s", step.deadline_s))
        named = [target.name for target in step.targets]
        condition = {
            "own_failover": self._all_up,
            "settled": self._all_but_lost_up,
            "routes_as_before": self._routes_back,
            "as_before": self._all_back,
            "own_return": self._all_back,
            "silent": lambda: not self._not_silent(),
            "kept_out": lambda: not self._not_kept_out(named),
        }[until]
        met = self._in_a_row(condition, timeout_s)
        if self._cut():
            return [TargetResult(target.name, Outcome.SKIPPED, "an abort was asked for") for target in step.targets]
        if met and until == "settled" and (lost := self._lagging(until)):
            reason = f"its host was silent in the switch and for {_QUIET_S:g} s since: it is not waited for"
            return [TargetResult(name, Outcome.FAILED, reason) for name in lost]
        if met or until in _BY_THEMSELVES:
            return [TargetResult(target.name, Outcome.SUCCEEDED) for target in step.targets]
        lagging = (self._not_kept_out(named) if until == "kept_out" else []) or self._lagging(until) or named
        return [TargetResult(name, Outcome.FAILED, f"not reached within {timeout_s:g} s") for name in lagging]

    def answered(self, has_come: Callable[[], bool]) -> None:
        """Until a person has answered, or it is over; an abort ends it. It may take days."""
        while not (self._cut() or has_come()):
            if self.measurement is None:
                raise StepFailed("expected the sampler to be at work while a person is waited for, found none")
            self.measurement.wait_for(lambda: self._cut() or has_come(), _ANEW_S)

    def unlike_before(self) -> list[str]:
        """What is no longer as the baseline had it, a moment before the fault is made: one sentence for each gateway
        or router, none where all is as it was. Minutes may lie between the two (SSCC-2.2: a drill endangers nothing).
        """
        if self._in_a_row(lambda: self._all_back() and self._routes_back(), _LAST_LOOK_S):
            return []
        latest, routes = self.latest(), self.latest_routes()
        moved = [
            f"{name}: expected its lines as before, found others"
            for name, lines in sorted(self.before().routers.items())
            if not expect.routes_are(routes, {name: lines})
        ]
        gone = [self._unlike(item, latest.get(item.gateway)) for item in self._seen() if not self._is_back(item)]
        return [*gone, *moved] or ["expected three samples in a row, found none that are new"]

    def _unlike(self, change: GatewayChange, sample: Sample | None) -> str:
        home, _ = expect.home_of(self._plan, change)
        expected = home.front if home else "not running"
        return f"{change.gateway}: expected {expected}, found {front_of(self._topology, sample) or 'no log-in'}"

    def come_to_rest(self, timeout_s: float) -> None:
        """After a fault was lifted: until every gateway works again, or it is over."""
        self._in_a_row(self._all_up, timeout_s)

    def hold(self, hold_s: float) -> None:
        """Hold the switched state; the sampler sees what happens meanwhile."""
        if self.measurement:
            self.measurement.wait_for(self._cut, hold_s)

    def _in_a_row(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """True as soon as the condition held at GREENS_IN_A_ROW different moments of sampling in a row."""
        if self.measurement is None:
            return False
        seen: list[float] = []

        def held() -> bool:
            if self._cut():
                return True
            newest = max((sample.at for sample in self.latest().values()), default=0.0)
            if not condition():
                seen.clear()
            elif not seen or newest - seen[-1] >= self._topology.site.sample_interval_ms / 1000 * 0.9:
                seen.append(newest)
            return len(seen) >= GREENS_IN_A_ROW

        return self.measurement.wait_for(held, timeout_s)

    def _seen(self) -> list[GatewayChange]:
        """What is sampled: what people do by hand they confirm themselves."""
        return [change for change in self._plan.gateways if change.hands is None]

    def _expected_up(self) -> list[GatewayChange]:
        return [change for change in self._seen() if not change.action.stays_down]

    def _all_up(self) -> bool:
        latest = self.latest()
        return all(
            expect.is_up(self._plan, self._topology, item, latest.get(item.gateway)) for item in self._expected_up()
        )

    def _all_but_lost_up(self) -> bool:
        """Who is lost keeps nobody from being verified."""
        return set(self._lagging("settled")) <= self._lost()

    def _lost(self) -> set[str]:
        """Left behind by the switch, and nothing heard of them for longer than of others."""
        heard, offset_s = self.latest(), self.before().clock_offset_s
        at = {name: sample.at - offset_s.get(sample.host, 0.0) for name, sample in heard.items()}
        newest = max(at.values(), default=0.0)
        return {name for name in self.left_behind() if name not in at or newest - at[name] > _QUIET_S}

    def _all_back(self) -> bool:
        return all(self._is_back(item) for item in self._seen())

    def _is_back(self, change: GatewayChange) -> bool:
        return expect.is_as_before(self._plan, self._topology, change, self.latest().get(change.gateway))

    def _not_kept_out(self, gateways: list[str]) -> list[str]:
        """Those not seen logged out since the fault was lifted: a thawed gateway may show stale words at first."""
        latest, offset_s = self.latest(), self.before().clock_offset_s
        return [
            name
            for name in gateways
            if name not in latest
            or latest[name].logged_in is not False
            or latest[name].at - offset_s.get(latest[name].host, 0.0) <= self.lifted_at()
        ]

    def _not_silent(self) -> list[str]:
        """Those that nobody answers any more and that are still seen at a front, or not seen at all."""
        latest = self.latest()
        silent = [item.gateway for item in self._seen() if item.action in SILENT]
        return [name for name in silent if name not in latest or latest[name].logged_in is not False]

    def _routes_back(self) -> bool:
        return self.measurement is not None and expect.routes_are(
            self.measurement.latest_routes(), self.before().routers
        )

    def _lagging(self, until: str) -> list[str]:
        """Who keeps a condition from being met, for the message."""
        latest = self.latest()
        if until == "silent":
            return self._not_silent()
        if until == "routes_as_before":
            return sorted(self.before().routers)
        back = until == "as_before"
        return [
            item.gateway
            for item in (self._seen() if back else self._expected_up())
            if not (
                expect.is_as_before(self._plan, self._topology, item, latest.get(item.gateway))
                if back
                else expect.is_up(self._plan, self._topology, item, latest.get(item.gateway))
            )
        ]
