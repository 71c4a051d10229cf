"""Whom a row of an export is about: the places of ids, for erasing people.

Loading reads these places in SQL, an erasure in Python: both from this table, so that what an
erasure takes out of the landing folder is what loading would leave out of a later export.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from orchestration.landing.names import SATISMETER


@dataclass(frozen=True)
class Subject:
    """Where a row of JSON says whom it is about, and when it was.

    Attributes:
        others: kinds of ids and their JSON pointers; one that was erased erases the row.
        at: pointers of the time of the row, the first that is there; ISO, or seconds since 1970.
        owner: pointer of the school's own user id; where it is there, it decides alone.
        parts: pointers of lists each of whose elements the loader counts as a row.
    """

    others: tuple[tuple[str, str], ...]
    at: tuple[str, ...]
    owner: str | None = None
    parts: tuple[str, ...] = ()


_TICKET: Final = ("zendesk_ticket", "/ticket_id")

# What a help desk writes about itself (organizations, schedules, policies) is about nobody. A
# profile is as of its last update; everything else happened when it was created.
SUBJECTS: Final[Mapping[str, Subject]] = {
    "zendesk_users": Subject(
        (("zendesk_user", "/id"), ("email", "/email")), ("/updated_at",), owner="/external_id"
    ),
    "zendesk_tickets": Subject(
        (("zendesk_user", "/requester_id"), ("zendesk_ticket", "/id")), ("/created_at",)
    ),
    "zendesk_ticket_events": Subject(
        (_TICKET, ("zendesk_user", "/updater_id")),
        ("/created_at", "/timestamp"),
        parts=("/child_events", "/events"),
    ),
    "zendesk_ticket_audits": Subject(
        (_TICKET, ("zendesk_user", "/author_id")),
        ("/created_at", "/timestamp"),
        parts=("/child_events", "/events"),
    ),
    "zendesk_satisfaction_ratings": Subject(
        (("zendesk_user", "/requester_id"), _TICKET), ("/created_at",)
    ),
    "zendesk_calls": Subject(
        (("zendesk_user", "/customer_id"), _TICKET, ("zendesk_call", "/id")), ("/created_at",)
    ),
    "zendesk_legs": Subject((("zendesk_call", "/call_id"),), ("/created_at",)),
    "zendesk_ticket_metric_events": Subject((_TICKET,), ("/time",)),
    SATISMETER: Subject(
        (("email", "/user/email"), ("respondent:satismeter", "/user/id")),
        ("/created",),
        owner="/user/userId",
    ),
}
