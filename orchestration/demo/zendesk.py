"""Zendesk as its exports tell it: tickets, users, ticket events, ratings, calls, service levels.

Exports are fetched once a month and overlap: each begins a day early, and each page repeats the
last row of the page before. A ticket comes again with every month in which it changed.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from orchestration.demo.archive import write_json, write_json_lines
from orchestration.demo.chance import Lots, steps
from orchestration.demo.clock import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Period,
    add_months,
    day_number,
    iso,
    local_day,
    local_ms,
)
from orchestration.demo.people import Learner, Population
from orchestration.demo.plans import FREE
from orchestration.demo.service_levels import (
    EVERYBODY,
    HOST,
    PAYING,
    PHONE,
    ServiceLevels,
    Update,
    metric_event,
    results,
    target_seconds,
)

_PAGE_SIZE: Final = 100
_OVERLAP: Final = DAY
AGENTS: Final = 6
_CHANNELS = Lots.of({"web": 45, "email": 33, "api": 10, "voice": 12})
_PRIORITIES = Lots.of({"normal": 70, "low": 12, "high": 14, "urgent": 4})
_SUBJECTS: Final = (
    "I cannot open lesson 4",
    "Facture du mois dernier",
    "How do I change my plan?",
    "Certificate with my new name",
    "La aplicación se cierra",
    "Rendez-vous avec mon mentor",
)
_QUESTIONS: Final = (
    "Hello, it does not work on my phone. What can I do?",
    "Bonjour, pouvez-vous m'aider ? Merci d'avance.",
    "I paid twice, I think. My number is +33 1 99 00 12 34.",
    "Hola, escribidme a demo.reader@example.org, por favor.",
)
_REPLIES: Final = (
    "Hello, thank you for writing. Could you try it again now?",
    "Bonjour, c'est corrigé. Bonne continuation !",
    "We have looked into it and changed the settings of your account.",
)
_NOTES: Final = ("Asked the platform team.", "Known bug, see the status page.")

_ORGANIZATIONS: Final = (8_001, 8_002, 8_003)
# What every ticket begins with.
_UNOFFERED: Final = (None, "unoffered")
JsonObject = dict[str, object]


@dataclass(eq=False)
class Requester:
    """Somebody whom Zendesk knows; `learner` is null where there is no account."""

    zendesk_id: int
    name: str
    email: str
    language: str
    learner: Learner | None
    created_at: int
    # When Zendesk learned the account's id, which may be long after the first ticket.
    linked_at: int | None


@dataclass(frozen=True)
class Audit:
    """One update of a ticket.

    Attributes:
        at: milliseconds since 1970.
        author: Zendesk user id.
        changes: field to (previous, new) value; previous is null when the ticket is created.
        comment: text of a comment, null without one.
        is_public: whether the requester sees the comment.
    """

    at: int
    author: int
    changes: dict[str, tuple[str | None, str]]
    comment: str | None = None
    is_public: bool = True


@dataclass(eq=False)
class Ticket:
    """A ticket with its history, as far as the period reaches."""

    ticket_id: int
    requester: Requester
    channel: str
    priority: str
    subject: str
    assignee: int
    audits: list[Audit] = field(default_factory=list)

    def value_at(self, field_name: str, at: int) -> str | None:
        """A field's value at an instant."""
        values = [
            audit.changes[field_name][1]
            for audit in self.audits
            if audit.at <= at and field_name in audit.changes
        ]
        return values[-1] if values else None

    def updates(self) -> Iterator[Update]:
        """The history as the clocks of service levels see it."""
        status = "new"
        for index, audit in enumerate(self.audits):
            if "status" in audit.changes:
                status = audit.changes["status"][1]
            is_comment = audit.comment is not None and audit.is_public
            is_agent = audit.author == self.assignee
            yield Update(
                audit.at,
                status,
                is_reply=is_comment and is_agent and index > 0,
                is_question=is_comment and not is_agent,
            )

    def last_value(self, field_name: str) -> str | None:
        """A field's value at the end of the period."""
        return self.value_at(field_name, self.audits[-1].at)


@dataclass(frozen=True)
class Call:
    """A phone call of Zendesk Talk; seconds."""

    call_id: int
    at: int
    requester: Requester
    ticket_id: int | None
    status: str
    wait: int
    talk: int


@dataclass
class SupportDesk:
    """The help desk: `tickets`, `calls` and `users` as they are, `files` and `rows` as exported."""

    tickets: list[Ticket] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    users: list[Requester] = field(default_factory=list)
    files: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    # Rows that differ: what is left when identical repeats are taken away.
    versions: Counter[str] = field(default_factory=Counter)
    # Clocks of tickets that were not deleted, as "first_reply met".
    promises: Counter[str] = field(default_factory=Counter)

    def run(self, rng: random.Random, population: Population, period: Period) -> None:
        """Let people write and call."""
        for learner in population.learners:
            if learner.zendesk is not None:
                self._requester(rng, learner, period)
        strangers = max(4, len(self.users) // 6)
        for number in range(strangers):
            self._stranger(rng, number, period)
        for requester in list(self.users):
            for _ in range(min(steps(rng, 1.5), 5)):
                self._ticket(rng, requester, period)
        self.tickets.sort(key=lambda ticket: ticket.audits[0].at)
        for number, ticket in enumerate(self.tickets):
            ticket.ticket_id = 1_000 + number
        self._calls(rng, period)

    def write(self, folder: Path, period: Period) -> None:
        """Write the exports, in the shapes that the different endpoints have."""

        def paged(resource: str, suffix: str, wrap: _Wrap) -> _Save:
            def save(month: str, items: list[JsonObject]) -> None:
                pages = _pages(items)
                for number, page in enumerate(pages, start=1):
                    is_last = number == len(pages)
                    path = folder / resource / f"{resource}_{month}_p{number}{suffix}"
                    write_json(path, wrap(page, is_last))
                    self._count(resource, page)

            return save

        def lines(resource: str, suffix: str) -> _Save:
            def save(month: str, items: list[JsonObject]) -> None:
                write_json_lines(folder / resource / f"{resource}_{month}{suffix}", items)
                self._count(resource, items)

            return save

        for resource, versions, save in (
            (
                "tickets",
                [
                    (at, ticket.ticket_id, _ticket_json, (ticket, at))
                    for ticket in self.tickets
                    for at in dict.fromkeys(audit.at for audit in ticket.audits)
                ],
                paged("tickets", ".json", _cursor_page("tickets")),
            ),
            (
                "users",
                [
                    (at, user.zendesk_id, _user_json, (user, at))
                    for user in self.users
                    for at in _user_versions(user)
                ]
                + [
                    (period.starts_at, number, _agent_json, (number, period.starts_at))
                    for number in range(1, AGENTS + 1)
                ],
                paged("users", ".json", _time_page("users", "users")),
            ),
            (
                "ticket_events",
                [
                    (audit.at, _audit_id(ticket, index), _event_json, (ticket, index))
                    for ticket in self.tickets
                    for index, audit in enumerate(ticket.audits)
                ],
                paged("ticket_events", ".json.gz", _time_page("ticket_events", "ticket_events")),
            ),
            (
                "satisfaction_ratings",
                [
                    (audit.at, ticket.ticket_id, _rating_json, (ticket, audit.at))
                    for ticket in self.tickets
                    for audit in ticket.audits
                    if audit.changes.get("satisfaction_score", _UNOFFERED) != _UNOFFERED
                ],
                lines("satisfaction_ratings", ".ndjson"),
            ),
            (
                "calls",
                [(_call_ends(call), call.call_id, _call_json, (call,)) for call in self.calls],
                paged("calls", ".json", _talk_page("calls")),
            ),
            (
                "legs",
                [
                    (_call_ends(call), _leg_id(call, leg), _leg_json, (call, leg))
                    for call in self.calls
                    for leg in ("customer", "agent")
                ],
                paged("legs", ".json", _talk_page("legs")),
            ),
            (
                "organizations",
                [
                    (period.starts_at, number, _organization_json, (number, period.starts_at))
                    for number in _ORGANIZATIONS
                ],
                paged("organizations", ".json", _time_page("organizations", "organizations")),
            ),
            (
                "ticket_metric_events",
                list(self._metric_events(ServiceLevels(period))),
                paged(
                    "ticket_metric_events",
                    ".json.gz",
                    _time_page("ticket_metric_events", "ticket_metric_events"),
                ),
            ),
        ):
            self._export(resource, versions, save, period)
        self._list(folder, ServiceLevels(period))

    def _list(self, folder: Path, levels: ServiceLevels) -> None:
        """What is no incremental export but listed as it stands, now and then."""
        schedules = [levels.schedules(is_changed) for is_changed in (False, True)]
        for resource, name, page in (
            ("schedules", "schedules_1.json", schedules[0]),
            ("schedules", "schedules_2.json", schedules[1]),
            ("holidays", "holidays.json", levels.holidays()),
            ("sla_policies", "sla_policies.json", levels.policies()),
        ):
            items = page[resource]
            if isinstance(items, list):
                write_json(folder / resource / name, page)
                self._count(resource, items)
                self.versions[resource] = self.rows[resource]
        # The phone's hours did not change: the second list repeats them.
        self.versions["schedules"] -= 1

    def _metric_events(self, levels: ServiceLevels) -> Iterable[_Version]:
        """All events of all clocks; also counts how the clocks ended."""
        number = 5_000_000
        for ticket in self.tickets:
            created = ticket.audits[0].at
            learner = ticket.requester.learner
            is_paying = learner is not None and learner.plan_at(created) != FREE
            policy = PAYING if is_paying else EVERYBODY
            by_phone = ticket.channel == "voice"
            updates = list(ticket.updates())
            clocks = list(levels.clocks(policy, ticket.priority, by_phone, updates))
            if updates[-1].status != "deleted":
                self.promises.update(map(" ".join, results(clocks)))
            for metric, instance, events in clocks:
                target = target_seconds(policy, ticket.priority, metric, instance)
                for at, kind in events:
                    number += 1
                    what = (number, ticket.ticket_id, metric, instance, at, kind, policy, target)
                    yield at, number, metric_event, what

    def _export(
        self, resource: str, versions: Sequence[_Version], save: _Save, period: Period
    ) -> None:
        """Month by month, what changed since the last export, as it is by then."""
        exported: dict[tuple[int, int], int] = {}
        first, low = period.first, period.starts_at
        while first < period.as_of:
            following = add_months(first, 1)
            high = min(local_ms(day_number(following)), period.ends_at)
            newest: dict[int, _Version] = {}
            for version in versions:
                at, number = version[:2]
                if at < high and (number not in newest or newest[number][0] < at):
                    newest[number] = version
            due = sorted(
                (version for version in newest.values() if version[0] >= low - _OVERLAP),
                key=lambda version: version[:2],
            )
            if due:
                items = [make(*arguments) for _, _, make, arguments in due]
                save(f"{first:%Y-%m}", items)
                exported |= {
                    version[:2]: _size(item) for version, item in zip(due, items, strict=True)
                }
            first, low = following, high
        self.versions[resource] = sum(exported.values())

    def _count(self, resource: str, items: Sequence[JsonObject]) -> None:
        self.files[resource] += 1
        self.rows[resource] += sum(map(_size, items))

    # -- who writes ----------------------------------------------------------------------------

    def _requester(self, rng: random.Random, learner: Learner, period: Period) -> None:
        earliest = max(learner.joined_day, period.days.start)
        created = local_ms(earliest, rng.randrange(9 * 3600, 10 * 3600))
        linked = None
        if learner.zendesk == "external_id":
            linked = (
                created if rng.random() < 0.7 else min(created + 9 * DAY, period.ends_at - HOUR)
            )
        self.users.append(
            Requester(
                500_000 + len(self.users),
                learner.name,
                learner.email,
                learner.language,
                learner,
                created,
                linked,
            )
        )

    def _stranger(self, rng: random.Random, number: int, period: Period) -> None:
        created = local_ms(rng.choice(period.days[:-1]), rng.randrange(8 * 3600, 20 * 3600))
        self.users.append(
            Requester(
                500_000 + len(self.users),
                f"Curious Reader {number}",
                f"curious.reader.{number}@example.com",
                rng.choice(("fr", "en", "es")),
                None,
                created,
                None,
            )
        )

    def _ticket(self, rng: random.Random, requester: Requester, period: Period) -> None:
        span = period.ends_at - requester.created_at - HOUR
        created = requester.created_at + int(rng.random() * span)
        created = local_ms(local_day(created), rng.randrange(7 * 3600, 22 * 3600))
        created = max(created, requester.created_at + MINUTE)
        if created >= period.ends_at:
            return
        ticket = Ticket(
            0,
            requester,
            _CHANNELS.draw(rng),
            _PRIORITIES.draw(rng),
            rng.choice(_SUBJECTS),
            rng.randrange(1, AGENTS + 1),
        )
        history = _History(rng, ticket, period)
        history.write(created)
        self.tickets.append(ticket)

    def _calls(self, rng: random.Random, period: Period) -> None:
        """A call for every ticket by phone, and some that nobody answered."""
        calls: list[tuple[int, Requester, int | None]] = [
            (ticket.audits[0].at, ticket.requester, ticket.ticket_id)
            for ticket in self.tickets
            if ticket.channel == "voice"
        ]
        for _ in range(max(3, len(calls) // 3)):
            day = rng.choice(period.days[:-1])
            calls.append(
                (local_ms(day, rng.randrange(9 * 3600, 18 * 3600)), rng.choice(self.users), None)
            )
        for number, (at, requester, ticket_id) in enumerate(
            sorted(calls, key=lambda call: call[0])
        ):
            status = "completed"
            if ticket_id is None:
                status = rng.choice(("abandoned_in_queue", "abandoned_in_voicemail"))
            wait = rng.randrange(5, 400)
            talk = rng.randrange(60, 1500) if status == "completed" else 0
            call = Call(7_000 + number, at, requester, ticket_id, status, wait, talk)
            if _call_ends(call) < period.ends_at:
                self.calls.append(call)


class _History:
    """Draws the life of a ticket: replies, waiting, solving, opening again, closing, deleting."""

    def __init__(self, rng: random.Random, ticket: Ticket, period: Period) -> None:
        self._rng = rng
        self._ticket = ticket
        self._ends_at = period.ends_at
        self._status = "new"

    def write(self, created: int) -> None:
        """Append all updates that happen before the period ends."""
        rng, ticket = self._rng, self._ticket
        requester = ticket.requester.zendesk_id
        ticket.audits.append(
            Audit(
                created,
                requester,
                {
                    "subject": (None, ticket.subject),
                    "status": (None, "new"),
                    "priority": (None, ticket.priority),
                    "requester_id": (None, str(requester)),
                    "satisfaction_score": _UNOFFERED,
                },
                rng.choice(_QUESTIONS),
            )
        )
        at = created
        if rng.random() < 0.03:
            self._update(at + rng.randrange(HOUR, 5 * DAY), "deleted")
            return
        if rng.random() < 0.25:
            at += rng.randrange(2 * MINUTE, 30 * MINUTE)
            self._update(at, "open", comment=rng.choice(_NOTES), is_public=False)
        if rng.random() < 0.04:
            return  # nobody ever answers
        at = max(at + MINUTE, created + self._reply_delay())
        self._update(at, rng.choice(("pending", "pending", "open")), comment=rng.choice(_REPLIES))
        if self._status == "pending" and rng.random() < 0.7:
            at += rng.randrange(HOUR, 2 * DAY)
            self._update(at, "open", comment=rng.choice(_QUESTIONS), by_requester=True)
        if rng.random() < 0.2:
            at += rng.randrange(20 * MINUTE, 8 * HOUR)
            # The API writes hold, the screens and older exports write on-hold.
            hold = rng.choice(("hold", "on-hold"))
            self._update(at, hold, comment=rng.choice(_NOTES), is_public=False)
            at += rng.randrange(DAY, 6 * DAY)
            self._update(at, "open")
        at += rng.randrange(10 * MINUTE, 2 * DAY)
        # Some are solved without another word: one touch was enough.
        farewell = rng.choice(_REPLIES)
        self._update(at, "solved", comment=farewell if created // SECOND % 3 else None)
        if rng.random() < 0.09:
            at += rng.randrange(HOUR, 3 * DAY)
            self._update(at, "open", comment=rng.choice(_QUESTIONS), by_requester=True)
            at += rng.randrange(HOUR, DAY)
            self._update(at, "solved", comment=rng.choice(_REPLIES))
        if rng.random() < 0.75:
            at += DAY
            self._rate(at, "unoffered", "offered")
            if rng.random() < 0.4:
                score = "good" if rng.random() < 0.82 else "bad"
                self._rate(at + rng.randrange(HOUR, DAY), "offered", score)
        at += 4 * DAY
        self._update(at, "closed")
        if rng.random() < 0.02:
            self._update(at + 3 * DAY, "deleted")

    def _reply_delay(self) -> int:
        """Premium learners are answered sooner; everybody waits longer over a weekend."""
        rng, learner = self._rng, self._ticket.requester.learner
        created = self._ticket.audits[0].at
        paid = learner is not None and learner.plan_at(created) != "free"
        median = 1.7 * HOUR if paid else 11 * HOUR if learner is not None else 20 * HOUR
        is_weekend = (local_day(created) + 3) % 7 >= 5
        delay = median * rng.lognormvariate(0, 0.8) + (22 * HOUR if is_weekend else 0)
        return int(delay / SECOND) * SECOND

    def _update(
        self,
        at: int,
        status: str,
        *,
        comment: str | None = None,
        is_public: bool = True,
        by_requester: bool = False,
    ) -> None:
        at -= at % SECOND
        if at >= self._ends_at or self._ticket.audits[-1].at >= at:
            return
        author = self._ticket.requester.zendesk_id if by_requester else self._ticket.assignee
        changes: dict[str, tuple[str | None, str]] = {}
        if status != self._status:
            changes["status"] = (self._status, status)
            self._status = status
        self._ticket.audits.append(Audit(at, author, changes, comment, is_public))

    def _rate(self, at: int, previous: str, score: str) -> None:
        at -= at % SECOND
        if at < self._ends_at and self._ticket.audits[-1].at < at:
            self._ticket.audits.append(
                Audit(
                    at,
                    self._ticket.requester.zendesk_id,
                    {"satisfaction_score": (previous, score)},
                )
            )


# A version of something: time of the update, id, and how to write it.
_Version = tuple[int, int, Callable[..., JsonObject], tuple[object, ...]]
_Save = Callable[[str, list[JsonObject]], None]
_Wrap = Callable[[list[JsonObject], bool], JsonObject]


def _size(item: JsonObject) -> int:
    """How many rows an exported object is: an update of a ticket has one for each change in it."""
    children = item.get("child_events")
    return len(children) if isinstance(children, list) else 1


def _pages(items: list[JsonObject]) -> list[list[JsonObject]]:
    """Pages of which each begins with the last item of the one before."""
    pages, start = [], 0
    while True:
        pages.append(items[start : start + _PAGE_SIZE])
        if start + _PAGE_SIZE >= len(items):
            return pages
        start += _PAGE_SIZE - 1


def _cursor_page(key: str) -> _Wrap:
    def wrap(items: list[JsonObject], is_last: bool) -> JsonObject:
        cursor = f"MTU3NjYxMzUzOS4wfHw{len(items)}"
        return {
            key: items,
            "after_url": f"{HOST}/incremental/{key}/cursor.json?cursor={cursor}",
            "after_cursor": cursor,
            "before_url": None,
            "before_cursor": None,
            "end_of_stream": is_last,
        }

    return wrap


def _time_page(key: str, resource: str) -> _Wrap:
    def wrap(items: list[JsonObject], is_last: bool) -> JsonObject:
        return {
            key: items,
            "next_page": f"{HOST}/incremental/{resource}.json?start_time=1767225600",
            "count": len(items),
            "end_of_stream": is_last,
            "end_time": 1767225600,
        }

    return wrap


def _talk_page(key: str) -> _Wrap:
    def wrap(items: list[JsonObject], is_last: bool) -> JsonObject:
        # Talk's next_page is never empty: a small count is the only sign of the end.
        del is_last
        address = f"{HOST}/channels/voice/stats/incremental/{key}.json?start_time=1767225600"
        return {key: items, "next_page": address, "count": len(items), "end_time": 1767225600}

    return wrap


def _ticket_json(ticket: Ticket, at: int) -> JsonObject:
    """A ticket as it was right after its update at that time."""
    created = ticket.audits[0].at
    status = ticket.value_at("status", at) or "new"
    satisfaction = ticket.value_at("satisfaction_score", at) or "unoffered"
    is_assigned = any(audit.author == ticket.assignee for audit in ticket.audits if audit.at <= at)
    rating: JsonObject = {"score": satisfaction}
    if satisfaction in ("good", "bad"):
        rating = {"id": _rating_id(ticket), "score": satisfaction, "comment": None}
    return {
        "url": f"{HOST}/tickets/{ticket.ticket_id}.json",
        "id": ticket.ticket_id,
        "external_id": None,
        "via": {"channel": ticket.channel, "source": {"from": {}, "to": {}, "rel": None}},
        "created_at": iso(created),
        "updated_at": iso(at),
        "generated_timestamp": at // SECOND,
        "type": None,
        "subject": ticket.subject,
        "raw_subject": ticket.subject,
        "description": ticket.audits[0].comment,
        "priority": ticket.priority,
        "status": "hold" if status == "on-hold" else status,
        "recipient": None,
        "requester_id": ticket.requester.zendesk_id,
        "submitter_id": ticket.requester.zendesk_id,
        "assignee_id": ticket.assignee if is_assigned else None,
        "organization_id": _organization(ticket.requester),
        "group_id": 360001,
        "collaborator_ids": [],
        "follower_ids": [],
        "email_cc_ids": [],
        "forum_topic_id": None,
        "problem_id": None,
        "has_incidents": False,
        "is_public": True,
        "due_at": None,
        "tags": [ticket.requester.language],
        "custom_fields": [],
        "satisfaction_rating": rating,
        "sharing_agreement_ids": [],
        "followup_ids": [],
        "brand_id": 360002,
        "allow_channelback": False,
        "allow_attachments": True,
    }


def _organization(requester: Requester) -> int | None:
    """Every ninth requester learns for an organization."""
    number = requester.zendesk_id
    return None if number % 9 else _ORGANIZATIONS[number // 9 % len(_ORGANIZATIONS)]


def _organization_json(number: int, at: int) -> JsonObject:
    return {
        "url": f"{HOST}/organizations/{number}.json",
        "id": number,
        "name": f"Demo Partner {number}",
        "shared_tickets": False,
        "shared_comments": False,
        "external_id": None,
        "created_at": iso(at),
        "updated_at": iso(at),
        "domain_names": [],
        "details": None,
        "notes": None,
        "group_id": None,
        "tags": [],
        "organization_fields": {},
    }


def _user_versions(user: Requester) -> Iterable[int]:
    return sorted({user.created_at, user.linked_at or user.created_at})


def _user_json(user: Requester, at: int) -> JsonObject:
    is_linked = user.linked_at is not None and at >= user.linked_at
    return {
        "id": user.zendesk_id,
        "url": f"{HOST}/users/{user.zendesk_id}.json",
        "name": user.name,
        "email": user.email,
        "created_at": iso(user.created_at),
        "updated_at": iso(at),
        "time_zone": "Europe/Paris",
        "phone": None,
        "locale": user.language,
        "organization_id": None,
        "role": "end-user",
        "verified": is_linked,
        "external_id": user.learner.user_id if is_linked and user.learner else None,
        "tags": [],
        "active": True,
        "suspended": False,
        "user_fields": {},
    }


def _agent_json(number: int, at: int) -> JsonObject:
    return {
        "id": number,
        "url": f"{HOST}/users/{number}.json",
        "name": f"Agent Demo {number}",
        "email": f"agent.{number}@example.com",
        "created_at": iso(at),
        "updated_at": iso(at),
        "time_zone": "Europe/Paris",
        "phone": None,
        "locale": "fr",
        "organization_id": None,
        "role": "admin" if number == 1 else "agent",
        "verified": True,
        "external_id": None,
        "tags": [],
        "active": True,
        "suspended": False,
        "user_fields": {},
    }


def _audit_id(ticket: Ticket, index: int) -> int:
    return 10_000_000 + ticket.ticket_id * 100 + index


def _event_json(ticket: Ticket, index: int) -> JsonObject:
    """An update with its child events; comments are included, as with `include=comment_events`."""
    audit = ticket.audits[index]
    audit_id = _audit_id(ticket, index)
    via = {"web": "Web form", "email": "Mail", "api": "Web service", "voice": "Phone call"}
    children: list[JsonObject] = []
    if audit.comment is not None:
        children.append(
            {
                "id": audit_id * 10,
                "via": {"channel": ticket.channel, "source": {"from": {}, "to": {}, "rel": None}},
                "via_reference_id": None,
                "type": "Comment",
                "author_id": audit.author,
                "body": audit.comment,
                "html_body": f'<div class="zd-comment"><p dir="auto">{audit.comment}</p></div>',
                "plain_body": audit.comment,
                "public": audit.is_public,
                "attachments": [],
                "audit_id": audit_id,
                "created_at": iso(audit.at),
                "event_type": "Comment",
            }
        )
    for number, (name, (previous, value)) in enumerate(audit.changes.items(), start=1):
        child: JsonObject = {
            "id": audit_id * 10 + number,
            "via": via[ticket.channel],
            "via_reference_id": None,
            name: value,
        }
        if index == 0:
            child["event_type"] = "Create"
        else:
            child["previous_value"] = previous
            child["event_type"] = "Change"
        children.append(child)
    if index == 0 and ticket.channel == "voice":
        children.append(
            {
                "id": audit_id * 10 + 9,
                "via": "Rule",
                "via_reference_id": 360003,
                "type": "ScheduleAssignment",
                "previous_schedule_id": None,
                "new_schedule_id": str(PHONE),
                "event_type": "ScheduleAssignment",
            }
        )
    return {
        "child_events": children,
        "id": audit_id,
        "ticket_id": ticket.ticket_id,
        "timestamp": audit.at // SECOND,
        "created_at": iso(audit.at),
        "updater_id": audit.author,
        "via": via[ticket.channel],
        "system": {"client": "Demo browser", "location": "Paris, France"},
        "metadata": {},
        "event_type": "Audit",
    }


def _rating_id(ticket: Ticket) -> int:
    return 62_000 + ticket.ticket_id


def _rating_json(ticket: Ticket, at: int) -> JsonObject:
    offered = next(
        audit.at
        for audit in ticket.audits
        if audit.changes.get("satisfaction_score", _UNOFFERED)[1] == "offered"
    )
    return {
        "url": f"{HOST}/satisfaction_ratings/{_rating_id(ticket)}.json",
        "id": _rating_id(ticket),
        "assignee_id": ticket.assignee,
        "group_id": 360001,
        "requester_id": ticket.requester.zendesk_id,
        "ticket_id": ticket.ticket_id,
        "score": ticket.value_at("satisfaction_score", at),
        "created_at": iso(offered),
        "updated_at": iso(at),
        "comment": None,
        "reason": None,
    }


def _call_ends(call: Call) -> int:
    return call.at + (call.wait + call.talk) * SECOND


def _leg_id(call: Call, leg: str) -> int:
    return 10 * call.call_id + (1 if leg == "agent" else 0)


def _leg_json(call: Call, leg: str) -> JsonObject:
    is_agent = leg == "agent"
    is_answered = call.status == "completed"
    agent = 1 + call.call_id % AGENTS
    return {
        "id": _leg_id(call, leg),
        "call_id": call.call_id,
        "type": leg,
        "created_at": iso(call.at),
        "updated_at": iso(_call_ends(call)),
        "agent_id": agent if is_agent else 0,
        "user_id": agent if is_agent else call.requester.zendesk_id,
        "completion_status": "completed" if is_answered or not is_agent else "agent_missed",
        "duration": call.wait + call.talk,
        "talk_time": call.talk,
        "hold_time": 0,
        "wrap_up_time": 20 if is_agent and is_answered else None,
        "available_via": "browser" if is_agent else None,
        "forwarded_to": "",
        "transferred_from": None,
        "transferred_to": None,
        "consultation_from": None,
        "consultation_to": None,
        "consultation_time": None,
        "conference_from": None,
        "conference_to": None,
        "conference_time": None,
        "call_charge": "0.0",
        "minutes_billed": call.talk // 60,
    }


def _call_json(call: Call) -> JsonObject:
    is_answered = call.status == "completed"
    return {
        "id": call.call_id,
        "created_at": iso(call.at),
        "updated_at": iso(_call_ends(call)),
        "agent_id": 1 + call.call_id % AGENTS if is_answered else None,
        "customer_id": call.requester.zendesk_id,
        "customer_requested_voicemail": False,
        "ticket_id": call.ticket_id,
        "direction": "inbound",
        "phone_number": "+33199000000",
        "completion_status": call.status,
        "duration": call.wait + call.talk,
        "wait_time": call.wait,
        "time_to_answer": call.wait if is_answered else None,
        "talk_time": call.talk,
        "hold_time": 0,
        "wrap_up_time": 20 if is_answered else 0,
        "callback": False,
        "voicemail": False,
        "exceeded_queue_wait_time": False,
        "outside_business_hours": False,
        "call_charge": "0.0",
        "minutes_billed": call.talk // 60,
    }
