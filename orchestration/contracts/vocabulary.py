"""The words that contracts may use; the models know these and no others."""

from __future__ import annotations

from typing import Final, Literal, get_args

# What an event can mean to the models.
Meaning = Literal[
    "signup",
    "learning",
    "lesson_completed",
    "course_enrolled",
    "course_started",
    "course_completed",
    "course_certified",
    "course_failed",
    "course_withdrawn",
    "graduated",
    "plan_started",
    "plan_changed",
    "plan_ended",
    "outcome_reported",
    "session_planned",
    "session_missed",
    "session_cancelled",
    "visit",
    "login",
]

# Where the models' standard columns are found in an event.
Role = Literal[
    "course_id",
    "plan",
    "spoken_language",
    "channel",
    "email",
    "country",
    "outcome_type",
    "outcome_date",
    "credited",
    "would_not_have_happened",
    "quantity",
    "gender",
    "disability",
    "region",
    "prior_education",
]

Segment = Literal["free", "SPARK", "degree"]
OutcomeType = Literal[
    "new_job",
    "internship",
    "apprenticeship",
    "business",
    "freelance",
    "title_change",
    "salary_increase",
    "internal_mobility",
]
SurveySource = Literal["survey", "coach", "contract"]

IncomeKind = Literal["person", "household"]

SEGMENTS: Final[tuple[str, ...]] = get_args(Segment)
OUTCOME_TYPES: Final[tuple[str, ...]] = get_args(OutcomeType)
INCOME_KINDS: Final[tuple[str, ...]] = get_args(IncomeKind)
# What figures are told apart by, and never stored in a published table beside a learner.
EQUITY_ROLES: Final[tuple[Role, ...]] = ("gender", "disability", "region", "prior_education")

# Columns of an Amplitude event that may become a column of the warehouse. What tells where or who
# somebody is (address, coordinates, ids of devices) is not among them.
EVENT_COLUMNS: Final = frozenset(
    {
        "country",
        "device_family",
        "device_type",
        "language",
        "library",
        "os_name",
        "os_version",
        "platform",
        "region",
        "start_version",
        "version_name",
    }
)
