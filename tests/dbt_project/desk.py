"""A help desk made by chance, with its figures worked out independently of the models: by walking
over every ten minutes of every ticket.

The rules are those of definitions.md, section 4, and the conventions in the descriptions of the
int_support__* models.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from tests.dbt_project.harness import reporting_day

POLICIES = (25, 26)
_METRICS = ("reply_time", "resolution_time", "requester_wait_time", "periodic_update_time")
_PRIORITIES = ("low", "normal", "high")

Row = dict[str, Any]

TICK = timedelta(minutes=10)
# The night to 31 March has 23 hours in Paris; the last day ends at 22:00 UTC.
START = datetime(2024, 3, 26, 22)
EXPORTED = datetime(2024, 4, 5, 20)
AS_OF = datetime(2024, 4, 5, 22)

PLANS = ("free", "SPARK", "degree", "none")
_DONE = ("solved", "closed")
_STATUSES = ("new", "open", "open", "pending", "hold", "solved", "solved", "closed")
_SPELLINGS = {"hold": ("hold", "on-hold", "On-hold"), "open": ("open", "Open ")}

AGENTS = tuple(UUID(int=(9 << 64) + number) for number in range(3))
STRANGER = UUID(int=(8 << 64))


@dataclass
class Requester:
    """Somebody who asks for help.

    Attributes:
        zendesk: the Zendesk user.
        user: the school's user id, null without an account.
        is_linked: Zendesk knows the user id; else the address leads to it.
        signed_up: UTC; null for an account that is older than the exports.
        plans: changes of plan by time.
    """

    zendesk: UUID
    user: UUID | None
    email: UUID
    is_linked: bool
    signed_up: datetime | None
    plans: list[tuple[datetime, str]]

    def plan_at(self, moment: datetime) -> str:
        """The plan, or none without an account."""
        if self.user is None or (self.signed_up is not None and self.signed_up > moment):
            return "none"
        plan = "free"
        for changed_at, changed_to in self.plans:
            if changed_at <= moment:
                plan = changed_to
        return plan


@dataclass
class Ticket:
    """A ticket and what is exported of it.

    Attributes:
        timeline: status changes by time, the first one being the creation; null where no history is
            exported and nothing can be known.
        is_complete: no change is missing from the export.
        today: the status that the ticket itself says.
    """

    number: int
    created: datetime
    requester: Requester | None
    timeline: list[tuple[datetime, str]] | None
    is_complete: bool
    today: str
    updated: datetime
    deleted: datetime | None
    satisfaction: str | None = None
    replies: list[datetime] = field(default_factory=list)
    score: str | None = None
    rated: datetime | None = None

    @property
    def plan(self) -> str:
        """Of the requester at the creation."""
        return self.requester.plan_at(self.created) if self.requester else "none"

    def status_at(self, moment: datetime) -> str | None:
        """The status just before an instant; null if it does not exist then, or is not known."""
        if self.timeline is None or moment <= self.created:
            return None
        if self.deleted is not None and self.deleted < moment:
            return "deleted"
        return [status for at, status in self.timeline if at < moment][-1]

    def steps(self) -> Iterator[tuple[datetime, str | None, str]]:
        """Time, status before and after of each change, the creation being the first."""
        before = None
        for at, status in self.timeline or ():
            yield max(at, self.created), before, status
            before = status

    def solves(self) -> list[datetime]:
        """When it was solved."""
        return [at for at, before, now in self.steps() if now in _DONE and before not in _DONE]

    def reopenings(self) -> list[datetime]:
        """When it came back."""
        return [at for at, before, now in self.steps() if now not in _DONE and before in _DONE]

    def clocks(self) -> Counter[str]:
        """Seconds in each status, by a walk over all ticks; `before` is solved time before the
        last solve."""
        clocks: Counter[str] = Counter()
        last_solve = max(self.solves(), default=self.created)
        end = min(AS_OF, self.deleted or AS_OF)
        moment = self.created
        while moment < end:
            status = self.status_at(moment + timedelta(seconds=1))
            assert status is not None
            clocks[status] += int(TICK.total_seconds())
            if status in _DONE and moment < last_solve:
                clocks["before"] += int(TICK.total_seconds())
            moment += TICK
        return clocks

    @property
    def is_done(self) -> bool:
        """Whether it is solved or closed as of as-of."""
        last = self.timeline[-1][1] if self.timeline else self.today
        return self.deleted is None and last in _DONE

    def waited(self) -> tuple[float, bool] | None:
        """Seconds to the first reply, or to where it is censored; null where nobody knows."""
        if self.replies:
            return (min(self.replies) - self.created).total_seconds(), True
        if self.timeline is None:
            return None
        end = max(self.solves(), default=AS_OF) if self.is_done else AS_OF
        return (end - self.created).total_seconds(), False

    def expected(self) -> Row:
        """Its row of fct_tickets."""
        known = self.timeline is not None
        clocks = self.clocks() if known else Counter[str]()
        solves = self.solves()
        last = self.timeline[-1][1] if self.timeline else self.today
        return {
            "ticket_id": self.number,
            "status": "deleted" if self.deleted else last,
            "plan_at_creation": self.plan,
            "had_account": self.plan != "none",
            "first_reply_seconds": _seconds(self.created, min(self.replies, default=None)),
            "full_resolution_seconds": _seconds(self.created, max(solves, default=None)),
            "new_seconds": clocks["new"] if known else None,
            "open_seconds": clocks["open"] if known else None,
            "pending_seconds": clocks["pending"] if known else None,
            "on_hold_seconds": clocks["hold"] if known else None,
            "solved_before_reopening_seconds": clocks["before"] if known else None,
            "requester_wait_seconds": (
                clocks["new"] + clocks["open"] + clocks["hold"] if known else None
            ),
            "agent_wait_seconds": clocks["pending"] if known else None,
            "solves": len(solves),
            "touches": len(self.replies),
            "is_one_touch": len(self.replies) == len(solves) == 1 and self.is_done,
            "reopens": max(len(solves) - 1, 0),
            "csat": self.score if self.score in ("good", "bad") else None,
            "is_deleted": self.today == "deleted",
            "has_complete_history": self.is_complete,
        }


def _promise(policy: int, version: int, priority: str, metric: str) -> int:
    return 60 * (100 * policy + 1000 * version + 10 * _PRIORITIES.index(priority) + len(metric))


def _seconds(start: datetime, end: datetime | None) -> int | None:
    return None if end is None else int((end - start).total_seconds())


class Desk:
    """All tickets, ratings and calls, with the rows that an export has of them."""

    def __init__(self, seed: int, tickets: int) -> None:
        self._chance = random.Random(seed)
        self._audits = 0
        self._ratings = 0
        self.rows: dict[str, list[Row]] = defaultdict(list)
        self.events: list[Row] = []
        self.requesters = [self._requester(number) for number in range(60)]
        for agent in AGENTS:
            self._add("zendesk_users", zendesk_user_key=agent, role="agent", updated_at=START)
        self.tickets = [self._ticket(number) for number in range(1, tickets + 1)]
        self.calls = [self._call(number) for number in range(1, tickets // 3)]
        # What came later draws from a chance of its own, so that the tickets stay what they were.
        self._chance = random.Random(seed + 1)
        self._promises: dict[tuple[int, str, int], list[Row]] = defaultdict(list)
        self._priorities: dict[int, list[tuple[datetime, str, str]]] = {}
        self._service_levels()
        self._surroundings()

    # Service levels.

    def _service_levels(self) -> None:
        chance = self._chance
        for policy in POLICIES:
            for version, since in enumerate((START, START + 500 * TICK)):
                targets = [
                    {
                        "priority": priority,
                        "metric": metric,
                        "target_seconds": _promise(policy, version, priority, metric),
                        "is_business_time": False,
                    }
                    for priority in _PRIORITIES
                    for metric in ("first_reply_time", "next_reply_time", "total_resolution_time")
                ]
                self._add(
                    "zendesk_sla_policies",
                    policy_id=policy,
                    title=f"Policy {policy}",
                    targets=targets,
                    updated_at=since,
                )
        today = {}
        for ticket in self.tickets:
            today[ticket.number] = self._prioritize(ticket)
            for metric in chance.sample(_METRICS, chance.randrange(3)):
                for instance in range(1, chance.randrange(1, 3) + 1):
                    self._clock(ticket, metric, instance)
        for row in self.rows["zendesk_tickets"]:
            row["priority"] = today[row["ticket_id"]]

    def _prioritize(self, ticket: Ticket) -> str:
        """Change the priority now and then; the one of today."""
        chance, now = self._chance, self._chance.choice(_PRIORITIES)
        self._priorities[ticket.number] = []
        for at in sorted(self._moment(ticket.created) for _ in range(chance.randrange(3))):
            before, now = now, chance.choice([one for one in _PRIORITIES if one != now])
            self._priorities[ticket.number].append((at, before, now))
            self._audits += 1
            self._add(
                "zendesk_ticket_events",
                audit_id=self._audits,
                position=1,
                ticket_id=ticket.number,
                created_at=at,
                event_type="Change",
                field_name="priority",
                previous_value=before,
                value=now,
            )
        return now

    def _clock(self, ticket: Ticket, metric: str, instance: int) -> None:
        chance = self._chance
        kinds = ["activate", *chance.choices(("apply_sla", "breach", "fulfill", "activate"), k=5)]
        moments = [ticket.created, *(self._moment(ticket.created) for _ in kinds[1:])]
        for at, kind in zip(sorted(moments), kinds, strict=True):
            said = kind == "apply_sla" and chance.random() < 0.7
            event: Row = {
                "metric_event_id": len(self.rows["zendesk_metric_events"]) + 1,
                "ticket_id": ticket.number,
                "metric": metric,
                "instance": instance,
                "event_type": kind,
                "happened_at": at,
                "is_deleted": kind == "breach" and chance.random() < 0.3,
                "policy_id": (
                    chance.choice((*POLICIES, *POLICIES, None)) if kind == "apply_sla" else None
                ),
                "target_seconds": 60 * chance.randrange(1, 90) if said else None,
            }
            self._promises[ticket.number, metric, instance].append(event)
            self._add("zendesk_metric_events", **event)
            if event["is_deleted"]:
                # A page from before the breach was taken back.
                self._add("zendesk_metric_events", **event | {"is_deleted": False})

    def expected_promises(self) -> Iterator[Row]:
        """The rows of int_support__sla_targets, by following each clock through its events."""
        kept = {ticket.number for ticket in self.tickets if ticket.today != "deleted"}
        today = {row["ticket_id"]: row["priority"] for row in self.rows["zendesk_tickets"]}
        for (number, metric, instance), events in self._promises.items():
            if number not in kept or metric == "periodic_update_time":
                continue
            breached, fulfilled = None, None
            for event in events:
                if event["event_type"] == "fulfill":
                    fulfilled = event["happened_at"]
                elif event["event_type"] == "activate":
                    fulfilled = None
                elif event["event_type"] == "breach" and not event["is_deleted"]:
                    breached = breached or event["happened_at"]
            result, judged = "running", AS_OF
            if breached is not None and (fulfilled is None or breached <= fulfilled):
                result, judged = "breached", breached
            elif fulfilled is not None:
                result, judged = "met", fulfilled
            applied = [
                event
                for event in events
                if event["event_type"] == "apply_sla" and event["happened_at"] <= judged
            ]
            if not applied or applied[-1]["policy_id"] is None:
                continue
            changes = self._priorities[number]
            priority = changes[0][1] if changes else today[number]
            for at, _, now in changes:
                priority = now if at <= judged else priority
            policy_metric = {
                ("reply_time", True): "first_reply_time",
                ("reply_time", False): "next_reply_time",
                ("resolution_time", True): "total_resolution_time",
                ("resolution_time", False): "total_resolution_time",
            }.get((metric, instance == 1))
            policy = applied[-1]["policy_id"]
            target = applied[-1]["target_seconds"]
            if target is None and policy_metric is not None:
                version = int(judged >= START + 500 * TICK)
                target = _promise(policy, version, priority, policy_metric)
            first = "first_reply" if instance == 1 else "next_reply"
            yield {
                "ticket_id": number,
                "metric": metric,
                "instance": instance,
                "target": first if metric == "reply_time" else "resolution",
                "policy_id": policy,
                "policy": f"Policy {policy}",
                "priority": priority,
                "target_seconds": target,
                "result": result,
            }

    def _surroundings(self) -> None:
        """Legs of calls, organizations, business hours: for pages of them to be read again."""
        for call in self.rows["zendesk_calls"]:
            if call["completion_status"] == "completed":
                for part in (20, 40):
                    self._add(
                        "zendesk_call_legs",
                        leg_id=100 * call["call_id"] + part,
                        call_id=call["call_id"],
                        leg_type="agent",
                        completion_status="completed",
                        talk_seconds=part,
                        created_at=call["created_at"],
                        updated_at=call["updated_at"],
                    )
        for number in range(1, 60):
            self._add(
                "zendesk_organizations", organization_id=number, updated_at=START + number * TICK
            )
            self._add(
                "zendesk_holidays",
                holiday_id=number,
                schedule_id=1 + number % 2,
                starts_on=START.date() + timedelta(days=number),
                ends_on=START.date() + timedelta(days=number),
            )
            self._add(
                "zendesk_schedules",
                schedule_id=1 + number % 2,
                time_zone=("Europe/Paris", "Asia/Tokyo")[number % 3 % 2],
                intervals=[{"start_minute": number, "end_minute": 9000 + number}],
                created_at=START + number % 2 * TICK,
                updated_at=START + number // 4 * 20 * TICK,
            )
        for row in self.rows["zendesk_tickets"]:
            row["organization_id"] = row["ticket_id"] % 80
        for number, row in enumerate(self.rows["zendesk_users"]):
            row["language"] = ("fr", "en")[number % 2]

    # Who asks.

    def _requester(self, number: int) -> Requester:
        chance = self._chance
        has_account = chance.random() < 0.8
        requester = Requester(
            zendesk=UUID(int=(1 << 64) + number),
            user=UUID(int=(2 << 64) + number) if has_account else None,
            email=UUID(int=(3 << 64) + number),
            is_linked=has_account and chance.random() < 0.5,
            signed_up=self._moment(START) if chance.random() < 0.5 else None,
            plans=[],
        )
        if not has_account:
            requester.signed_up = None
        elif not requester.is_linked and requester.signed_up is None:
            # The address leads to the account by an event that tells both.
            self._event("visited", START, requester)
        if requester.signed_up is not None:
            self._event("joined", requester.signed_up, requester)
        if has_account:
            moment = START
            for plan in chance.choices(("SPARK", "degree", "free"), k=chance.randrange(4)):
                moment = self._moment(moment) + TICK
                requester.plans.append((moment, plan))
                kind = "ended" if plan == "free" else "started"
                self._event(kind, moment, requester, None if plan == "free" else plan)
        self._add(
            "zendesk_users",
            zendesk_user_key=requester.zendesk,
            user_key=requester.user if requester.is_linked else None,
            email_key=requester.email,
            role="end-user",
            created_at=START,
            updated_at=START,
        )
        self._add(
            "zendesk_users",
            is_stale=True,
            zendesk_user_key=requester.zendesk,
            role=chance.choice(("agent", "end-user")),
            updated_at=START - chance.randrange(2) * TICK,
        )
        return requester

    def _event(
        self, event_type: str, at: datetime, requester: Requester, plan: str | None = None
    ) -> None:
        self.events.append(
            {
                "event_type": event_type,
                "event_at": at,
                "user_key": requester.user,
                "email_key": None if requester.is_linked else requester.email,
                "plan": plan,
                "is_excluded": False,
            }
        )

    # Tickets.

    def _ticket(self, number: int) -> Ticket:
        chance = self._chance
        created = self._moment(START, 1100)
        kind = chance.choice(("complete",) * 4 + ("late", "early", "gap", "none"))
        timeline = self._timeline(created)
        if kind == "early":
            shift = chance.randrange(1, 30) * TICK
            timeline = [(at - shift, status) for at, status in timeline]
        if kind == "late" and len(timeline) == 1:
            kind = "complete"
        before = [status for _, status in timeline]
        is_gapless = kind != "none"
        if kind == "gap" and len(timeline) > 2:
            dropped = chance.randrange(1, len(timeline) - 1)
            del timeline[dropped], before[dropped - 1]
            is_gapless = False
        today = self._today(timeline[-1][1])
        updated = last_change = max(created, timeline[-1][0])
        if kind != "none":
            self._export_history(number, timeline, before, with_creation=kind != "late")
        deleted = None
        if chance.random() < 0.15:
            today = "deleted"
            updated = self._moment(last_change)
            deleted = None if kind == "none" else updated
            if deleted is not None and chance.random() < 0.3:
                # The history says when, and the ticket was changed again since.
                self._status_event(number, deleted, None, "deleted")
                updated = self._moment(deleted)
        known: list[tuple[datetime, str]] | None = timeline
        if kind == "none":
            known = None if today in (*_DONE, "deleted") else [(created, today)]
        ticket = Ticket(
            number=number,
            created=created,
            requester=chance.choice((*self.requesters, None)),
            timeline=known,
            is_complete=is_gapless
            and (deleted is not None or today == timeline[-1][1] or _is_closing(timeline, today)),
            today=today,
            updated=updated,
            deleted=deleted,
        )
        self._comments(ticket)
        self._rate(ticket, last_change)
        self._add_ticket(ticket)
        return ticket

    def _today(self, last: str) -> str:
        """What the ticket itself says: mostly the end of its history."""
        if last == "solved" and self._chance.random() < 0.3:
            return "closed"
        return last if self._chance.random() < 0.95 else self._chance.choice(_STATUSES)

    def _timeline(self, created: datetime) -> list[tuple[datetime, str]]:
        chance = self._chance
        timeline = [(created, chance.choice(("new", "new", "open", "solved")))]
        for _ in range(chance.randrange(9)):
            at = timeline[-1][0] + chance.choice((0, 1, 3, 20, 100)) * TICK
            status = chance.choice([one for one in _STATUSES if one != timeline[-1][1]])
            if at >= AS_OF:
                break
            timeline.append((at, status))
        return timeline

    def _export_history(
        self,
        ticket: int,
        timeline: list[tuple[datetime, str]],
        before: list[str],
        with_creation: bool,
    ) -> None:
        """Export the changes; `before` says of each but the first which status went before it."""
        created, first = timeline[0]
        if with_creation:
            self._status_event(ticket, created, None, first, event_type="Create")
            self._comment(ticket, created, self._chance.choice(AGENTS), True, self._audits)
        for (at, status), previous in zip(timeline[1:], before, strict=False):
            self._status_event(ticket, at, previous, status)

    def _status_event(
        self,
        ticket: int,
        at: datetime,
        before: str | None,
        status: str,
        event_type: str = "Change",
    ) -> None:
        self._audits += 1
        self._add(
            "zendesk_ticket_events",
            audit_id=self._audits,
            position=1,
            ticket_id=ticket,
            created_at=at,
            event_type=event_type,
            field_name="status",
            previous_value=None if before is None else self._spell(before),
            value=self._spell(status),
            author_key=self._chance.choice(AGENTS),
        )

    def _spell(self, status: str) -> str:
        return self._chance.choice(_SPELLINGS.get(status, (status,)))

    def _comment(
        self, ticket: int, at: datetime, author: UUID, is_public: bool, audit: int
    ) -> None:
        self._add(
            "zendesk_ticket_events",
            audit_id=audit,
            position=2,
            ticket_id=ticket,
            created_at=at,
            event_type="Comment",
            author_key=author,
            is_public=is_public,
        )

    def _comments(self, ticket: Ticket) -> None:
        requester = ticket.requester.zendesk if ticket.requester else STRANGER
        for _ in range(self._chance.randrange(5)):
            at = self._moment(ticket.created - 2 * TICK)
            author = self._chance.choice((*AGENTS, STRANGER, requester))
            is_public = self._chance.random() < 0.6
            self._audits += 1
            self._comment(ticket.number, at, author, is_public, self._audits)
            if is_public and author in AGENTS:
                ticket.replies.append(max(at, ticket.created))

    def _rate(self, ticket: Ticket, last_change: datetime) -> None:
        chance = self._chance
        ticket.satisfaction = chance.choice((None, None, "unoffered", "offered", "good", "bad"))
        scores = chance.choice(
            ((), (), ("offered",), ("good",), ("offered", "bad"), ("good", "bad_with_comment"))
        )
        moment = last_change
        for score in scores:
            moment = self._moment(moment)
            self._ratings += 1
            self._add(
                "zendesk_satisfaction_ratings",
                rating_id=self._ratings,
                ticket_id=ticket.number,
                score=score,
                requester_key=None,
                created_at=moment,
                updated_at=moment,
            )
            self._add(
                "zendesk_satisfaction_ratings",
                is_stale=True,
                rating_id=self._ratings,
                ticket_id=ticket.number,
                score="good",
                created_at=moment,
                updated_at=moment - chance.randrange(2) * TICK,
            )
            if score != "offered" or len(scores) == 1:
                ticket.score, ticket.rated = score.removesuffix("_with_comment"), moment
        said = ticket.satisfaction
        if said in ("good", "bad") and ticket.score == "offered":
            ticket.score = said
        elif said in ("offered", "good", "bad") and ticket.score is None:
            ticket.score = said
            ticket.rated = max(ticket.solves(), default=ticket.updated)

    def _add_ticket(self, ticket: Ticket) -> None:
        newest: Row = {
            "ticket_id": ticket.number,
            "created_at": ticket.created,
            "updated_at": ticket.updated,
            "status": self._spell(ticket.today),
            "requester_key": ticket.requester.zendesk if ticket.requester else None,
            "satisfaction": ticket.satisfaction,
        }
        self._add("zendesk_tickets", **newest)
        for age in self._chance.choice(((), (0,), (1, 2))):
            # What an older page said, and of the same time one with a smaller hash.
            older: Row = {
                "updated_at": ticket.updated - age * TICK,
                "status": self._chance.choice((*_STATUSES, "deleted")),
                "satisfaction": "bad",
                "requester_key": None,
            }
            self._add("zendesk_tickets", is_stale=True, **newest | older)

    # Calls.

    def _call(self, number: int) -> Row:
        chance = self._chance
        requester = chance.choice((*self.requesters, None))
        at = self._moment(START)
        status = chance.choice(("completed", "abandoned_in_queue", "not_answered"))
        direction = chance.choice(("inbound", "inbound", "outbound"))
        self._add(
            "zendesk_calls",
            call_id=number,
            direction=direction,
            completion_status=status,
            requester_key=requester.zendesk if requester else None,
            talk_seconds=60 if status == "completed" else 0,
            created_at=at,
            updated_at=at,
        )
        return {
            "date": reporting_day(at),
            "plan": requester.plan_at(at) if requester else "none",
            "inbound": direction == "inbound",
            "answered": direction == "inbound" and status == "completed",
            "abandoned": direction == "inbound" and status.startswith("abandoned"),
        }

    # Rows.

    def _moment(self, since: datetime, until: int | None = None) -> datetime:
        ticks = int((EXPORTED - since) / TICK) if until is None else until
        return since + self._chance.randrange(max(ticks, 1)) * TICK

    def _add(self, table: str, is_stale: bool = False, **values: Any) -> None:
        number = len(self.rows[table]) + 1
        row_hash = UUID(int=((1 if is_stale else 0xF) << 124) + number)
        self.rows[table].append({"row_hash": row_hash, **values})

    # The daily figures.

    def expected_days(self) -> Iterator[Row]:
        """The rows of agg_support_daily."""
        first = min(
            [reporting_day(ticket.created) for ticket in self.tickets]
            + [reporting_day(ticket.rated) for ticket in self._rated() if ticket.rated]
            + [call["date"] for call in self.calls if call["inbound"]]
        )
        while first < reporting_day(AS_OF):
            for plan in PLANS:
                yield self._day(first, plan)
            first += timedelta(days=1)

    def _rated(self) -> list[Ticket]:
        return [one for one in self.tickets if one.score is not None and one.today != "deleted"]

    def _day(self, day: date, plan: str) -> Row:
        of_plan = [ticket for ticket in self.tickets if ticket.plan == plan]
        kept = [ticket for ticket in of_plan if ticket.today != "deleted"]
        created = [ticket for ticket in kept if reporting_day(ticket.created) == day]
        rated = [
            ticket
            for ticket in self._rated()
            if ticket.plan == plan and ticket.rated and reporting_day(ticket.rated) == day
        ]
        replies = sorted(
            (min(ticket.replies) - ticket.created).total_seconds()
            for ticket in created
            if ticket.replies
        )
        calls = [call for call in self.calls if call["date"] == day and call["plan"] == plan]
        end = _midnight_after(day)
        standing = [
            ticket
            for ticket in of_plan
            if ticket.status_at(end) not in (None, "solved", "closed", "deleted")
        ]
        return {
            "date": day,
            "plan": plan,
            "created": len(created),
            "created_without_history": sum(ticket.timeline is None for ticket in created),
            "solved": sum(reporting_day(at) == day for one in kept for at in one.solves()),
            "reopened": sum(reporting_day(at) == day for one in kept for at in one.reopenings()),
            "backlog": len(standing),
            "backlog_deleted_later": sum(ticket.today == "deleted" for ticket in standing),
            "replied": len(replies),
            "median_first_reply_seconds": _interpolated(replies, 0.5),
            "p90_first_reply_seconds": _interpolated(replies, 0.9),
            "csat_good": sum(ticket.score == "good" for ticket in rated),
            "csat_bad": sum(ticket.score == "bad" for ticket in rated),
            "ratings_offered": len(rated),
            "ratings_received": sum(ticket.score != "offered" for ticket in rated),
            "csat": _share(
                sum(ticket.score == "good" for ticket in rated),
                sum(ticket.score != "offered" for ticket in rated),
            ),
            "reply_rate": _share(sum(ticket.score != "offered" for ticket in rated), len(rated)),
            "calls_answered": sum(call["answered"] for call in calls),
            "calls_abandoned": sum(call["abandoned"] for call in calls),
            "calls_talk_seconds": sum(60 * call["answered"] for call in calls),
        }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _is_closing(timeline: list[tuple[datetime, str]], today: str) -> bool:
    return timeline[-1][1] == "solved" and today == "closed"


def _midnight_after(day: date) -> datetime:
    local = datetime.combine(day + timedelta(days=1), time(), ZoneInfo("Europe/Paris"))
    return local.astimezone(UTC).replace(tzinfo=None)


def _interpolated(values: list[float], share: float) -> float | None:
    """The percentile of sorted values, linear between neighbours."""
    if not values:
        return None
    place = share * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (place - low)
