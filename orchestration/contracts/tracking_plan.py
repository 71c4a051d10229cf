"""The tracking plan: which events and properties are kept, and what they mean to the models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from orchestration.contracts.base import FileContract, Strict
from orchestration.contracts.vocabulary import EVENT_COLUMNS, Meaning, Role, Segment

_SCOPES = ("event", "user", "column")


def check_path(path: str) -> str:
    """Check a path to a property or column, such as `event.course_id`.

    What follows the first dot is the name exactly as exported; it may itself hold dots and blanks.
    """
    scope, dot, name = path.partition(".")
    if scope not in _SCOPES or not dot or not name.strip() or "\0" in name:
        raise ValueError(
            f"{path!r} is not a path; write `event.<property>`, `user.<property>` or "
            "`column.<column of the export>`."
        )
    if scope == "column" and name not in EVENT_COLUMNS:
        raise ValueError(
            f"{path!r} is not a column that may be loaded; write `column.` and one of "
            f"{', '.join(sorted(EVENT_COLUMNS))}."
        )
    return path


def _check_project(project: str) -> str:
    if not (project.isascii() and project.isdigit()):
        raise ValueError(f"{project!r} is not a project number of Amplitude; write its digits.")
    return project


def _check_name(name: str) -> str:
    if not name.strip() or "\0" in name:
        raise ValueError("is blank; write a name or remove the line.")
    return name


PropertyPath = Annotated[str, AfterValidator(check_path)]
Project = Annotated[str, AfterValidator(_check_project)]
Name = Annotated[str, AfterValidator(_check_name)]


class Exclusion(Strict):
    """Rows to leave out of the marts: those whose property has one of the values.

    Values are compared as text without regard to case (`true` for a JSON true).
    """

    property: PropertyPath
    equals: Annotated[tuple[str, ...], Field(min_length=1)]


class PlannedEvent(Strict):
    """An event type that is kept, and the event properties that are kept with it."""

    meanings: tuple[Meaning, ...] = ()
    description: str = ""
    keep: tuple[Name, ...] = ()


class TrackingPlan(FileContract):
    """The events of one or more Amplitude projects.

    Attributes:
        name: of the plan, for people.
        projects: Amplitude's project numbers.
        plans: what the role `plan` says -> the segment. Other values are null, and reported.
        roles: for each standard column the paths where it is found; the first non-null counts.
        yes, no: the answers of `credited` and `would_not_have_happened`; others are unknown.
        exclude: bots and test accounts.
        ignore: paths that are known and not wanted, so that they are not reported as unknown.
        events: the event types that are kept.
    """

    kind: Literal["tracking_plan"] = "tracking_plan"
    name: Name
    projects: Annotated[tuple[Project, ...], Field(min_length=1)]
    plans: dict[Name, Segment] = Field(default_factory=dict)
    roles: dict[Role, tuple[PropertyPath, ...]] = Field(default_factory=dict)
    yes: tuple[str, ...] = ("true", "yes")
    no: tuple[str, ...] = ("false", "no")
    exclude: tuple[Exclusion, ...] = ()
    ignore: tuple[PropertyPath, ...] = ()
    events: Annotated[dict[Name, PlannedEvent], Field(min_length=1)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _refuse_repeats("projects", self.projects)
        both = {answer.lower() for answer in self.yes} & {answer.lower() for answer in self.no}
        if both:
            raise ValueError(f"yes, no: {_listed(both)} stands in both; keep it in one of them.")
        for name, event in self.events.items():
            _refuse_repeats(f"events.{name}.meanings", event.meanings)
            _refuse_repeats(f"events.{name}.keep", event.keep)
        self._refuse_names_that_differ_in_case()
        self._refuse_kept_email()
        return self

    def _refuse_names_that_differ_in_case(self) -> None:
        """DuckDB's structs know no case: `Plan` and `plan` would be read as one."""
        spellings: dict[str, tuple[str, str]] = {}
        for key, path in self.paths():
            other_key, other = spellings.setdefault(path.lower(), (key, path))
            if other != path:
                raise ValueError(
                    f"{key}: {path!r} and {other!r} ({other_key}) differ in upper and lower case "
                    "only, and cannot be told apart when they are read; name one of them."
                )

    def _refuse_kept_email(self) -> None:
        emails = set(self.roles.get("email", ()))
        for name, event in self.events.items():
            for kept in event.keep:
                if f"event.{kept}" in emails:
                    raise ValueError(
                        f"events.{name}.keep: {kept!r} holds e-mail addresses (roles.email), which "
                        "never enter the warehouse; remove it from the list."
                    )

    def paths(self) -> list[tuple[str, str]]:
        """Every path that is read, with the key under which it stands."""
        return [
            *((f"roles.{role}", path) for role, paths in self.roles.items() for path in paths),
            *((f"exclude[{number}]", rule.property) for number, rule in enumerate(self.exclude)),
            *(
                (f"events.{name}.keep", f"event.{kept}")
                for name, event in self.events.items()
                for kept in event.keep
            ),
        ]

    def _reading(self) -> Any:
        # Names, descriptions and most meanings are joined to the rows later; only reports are
        # read differently (they get their line number).
        return {
            "plans": self.plans,
            "roles": self.roles,
            "yes": sorted(self.yes),
            "no": sorted(self.no),
            "exclude": sorted((rule.property, *sorted(rule.equals)) for rule in self.exclude),
            "ignore": sorted(self.ignore),
            "events": {
                name: (sorted(event.keep), "outcome_reported" in event.meanings)
                for name, event in self.events.items()
            },
        }


def _refuse_repeats(key: str, values: Iterable[str]) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{key}: {value!r} is listed twice; keep it once.")
        seen.add(value)


def _listed(values: Iterable[str]) -> str:
    return ", ".join(repr(value) for value in sorted(values))
