"""Who is told of a run without asking: channels (`notify.yml`), and notices on their way to them."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from orchestrator.model.base import AtLeastOne, Frozen, Id, Title
from orchestrator.model.drill import Mode


class NoticeKind(StrEnum):
    """What is worth telling of a run, of the schedule and of the inventory."""

    OPENED = "opened"
    FAULT_ON = "fault-on"
    SWITCHED = "switched"
    WAITING = "waiting"  # a person has to decide, or an incident is stopped and held
    LATE = "late"  # a step was not done within its deadline
    PROMOTED = "promoted"  # a drill became an incident
    OUTAGE = "outage"  # in trading hours: near the limit from which it is to be reported, or past it
    ABORTED = "aborted"  # by a person, a stop condition or an error; or it did not begin
    ALARM = "alarm"  # D+1 or D+2 has passed, and milestones are open
    RESTORED = "restored"  # and proved
    CLOSED = "closed"  # with the verdict
    SCHEDULED = "scheduled"  # an entry of the schedule comes, or its rehearsal could not begin by itself
    MISSED = "missed"  # an entry was missed, or a drill is overdue
    AUDIT = "audit"  # an unattended audit has found something new
    SECOND_ROOM = "second-room"  # the copy in the second room does not keep up with a run
    UNATTENDED = "unattended"  # a run has lost its orchestrator, or waits for a person for too long
    TEST = "test"  # `drillctl notify --test`


class ChannelKind(StrEnum):
    """How a notice gets to people."""

    APPRISE = "apprise"  # WeCom, DingTalk, Feishu and whatever else Apprise knows
    WEBHOOK = "webhook"  # signed JSON to a program of the firm
    MAIL = "mail"
    OUTBOX_FOLDER = "outbox-folder"  # files that something else carries, for controllers without Internet


class Channel(Frozen):
    """One place that is told. What holds a token or a key stands in a file outside the site's folder."""

    id: Id
    kind: ChannelKind
    url: Annotated[str | None, Field(description="webhook: where it goes, if the address holds no secret")] = None
    url_file: Annotated[str | None, Field(description="apprise, webhook: a file that holds the address alone")] = None
    secret_file: Annotated[str | None, Field(description="webhook: a file with the key that signs")] = None
    to: Annotated[str | None, Field(description="mail: an address; outbox-folder: a folder")] = None
    server: Annotated[str | None, Field(description="mail: the SMTP server, host:port")] = None
    sender: Annotated[str | None, Field(description="mail: the sender's address")] = None
    events: Annotated[tuple[NoticeKind, ...], AtLeastOne, Field(description="What it is told of")] = tuple(NoticeKind)
    modes: Annotated[tuple[Mode, ...], AtLeastOne, Field(description="Of which runs")] = tuple(Mode)

    def wants(self, notice: "Notice") -> bool:
        """A test goes to everybody; an audit is of no run, and so of no mode."""
        if notice.kind is NoticeKind.TEST:
            return True
        return notice.kind in self.events and (notice.kind is NoticeKind.AUDIT or notice.mode in self.modes)


class NotifySettings(Frozen):
    """`notify.yml` of a site; without the file nobody is told."""

    channels: tuple[Channel, ...] = ()
    attempts: Annotated[int, Field(ge=1, le=100, description="Our choice: 10 attempts, the last after 3 hours")] = 10
    deadline_s: Annotated[float, Field(gt=0, le=120, description="Of one attempt; our choice: 15 s")] = 15.0


class Notice(Frozen):
    """A short message in two languages. The same `id` twice is the same message: receivers drop the second."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=200)]
    kind: NoticeKind
    site: str
    run: str
    drill: str
    mode: Mode
    at: float
    title: Title
    text: Title


class Delivery(Frozen):
    """How far a notice is on one channel. Times are seconds since the epoch."""

    attempts: int = 0
    next_at: float = 0.0
    done_at: float | None = None
    problem: str = ""


class Parcel(Frozen):
    """A notice with its deliveries: one file of the outbox."""

    format: Literal[1] = 1
    notice: Notice
    deliveries: dict[str, Delivery] = {}
