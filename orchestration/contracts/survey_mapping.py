"""The mapping of anybody's CSV: which column is what, how it is written, what answers mean."""

from __future__ import annotations

import codecs
import re
from datetime import date
from pathlib import PurePosixPath
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, model_validator

from orchestration.contracts.base import FileContract, Strict
from orchestration.contracts.vocabulary import (
    INCOME_KINDS,
    OUTCOME_TYPES,
    SEGMENTS,
    SurveySource,
)

SurveyRole = Literal[
    "response_id",
    "submitted_at",
    "period",
    "wave",
    "wave_date",
    "invited_at",
    "delivered",
    "delivered_at",
    "answered",
    "user_id",
    "email",
    "respondent_id",
    "course_id",
    "plan",
    "language",
    "method",
    "nps_score",
    "comment",
    "outcome_type",
    "outcome_date",
    "credited",
    "would_not_have_happened",
    "looking_for_work",
    "income_before",
    "income_after",
    "income_currency",
    "income_kind",
    "hours_before",
    "hours_after",
    "gender",
    "disability",
    "region",
    "prior_education",
]

_DATED: Final = ("submitted_at", "outcome_date", "wave_date", "invited_at", "delivered_at")
# What only a row can say that is an invitation.
_OF_INVITATIONS: Final = ("wave", "wave_date", "delivered", "delivered_at", "answered")
# Identifiers are hashed when they are read; none of their columns may be kept as it is.
_IDENTIFIERS: Final = ("user_id", "email", "respondent_id", "response_id")
# Answers that are numbers, as are those of `keep` that have bounds.
NUMERIC_ROLES: Final = ("income_before", "income_after", "hours_before", "hours_after")
_ANSWERS: Final[dict[str, tuple[str, ...]]] = {
    "outcome_type": OUTCOME_TYPES,
    "plan": SEGMENTS,
    "credited": ("yes", "no"),
    "would_not_have_happened": ("yes", "no"),
    "delivered": ("yes", "no"),
    "answered": ("yes", "no"),
    "looking_for_work": ("yes", "no"),
    "income_kind": INCOME_KINDS,
}
# Python knows them as encodings of host names and program texts.
_NO_FILE_ENCODINGS: Final = frozenset(
    {"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "mbcs", "oem"}
)
# The parts of a date that DuckDB's strptime knows.
_DIRECTIVE: Final = re.compile(r"%(-?.?)", re.DOTALL)
DIRECTIVES: Final = frozenset([*"aAbBdHIjmMpSfgnyYzZ%", *(f"-{letter}" for letter in "dHIjmMSy")])
_ZONED: Final = frozenset("zZ")


def _check_encoding(name: str) -> str:
    try:
        encoding = codecs.lookup(name)
        "".encode(name)  # refuses what turns bytes into bytes
    except (LookupError, ValueError):
        encoding = None
    if encoding is None or encoding.name.replace("-", "_") in _NO_FILE_ENCODINGS:
        raise ValueError(
            f"{name!r} is not an encoding of files; write one such as utf-8, cp1252, latin-1 or "
            "utf-16."
        )
    return name


def _check_character(text: str) -> str:
    if len(text) != 1 or text in "\r\n\0":
        raise ValueError('must be a single character, such as `,`, `;` or a tab (`"\\t"`).')
    return text


def _check_quote(text: str) -> str:
    return text if text == "" else _check_character(text)


def _check_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone; write one such as Europe/Paris.") from None
    return name


def _check_format(text: str) -> str:
    found = set(_DIRECTIVE.findall(text))
    unknown = sorted(found - DIRECTIVES)
    directives = {directive.lstrip("-") for directive in found}
    if unknown:
        raise ValueError(
            f"{text!r} holds %{unknown[0]}, which is not a part of a date; write a format such as "
            "%d/%m/%Y or %Y-%m-%d %H:%M:%S."
        )
    if not (directives & set("yY") and directives & set("mbBj") and directives & set("dj")):
        raise ValueError(
            f"{text!r} gives no full date; it needs year (%Y or %y), month (%m or %b) and day (%d)."
        )
    if ("I" in directives) != ("p" in directives):
        raise ValueError(f"{text!r}: hours of 12 (%I) need AM or PM (%p); add it, or write %H.")
    return text


def _check_glob(glob: str) -> str:
    if (
        not glob.strip()
        or glob.startswith("/")
        or "\\" in glob
        or ".." in PurePosixPath(glob).parts
    ):
        raise ValueError(
            f"{glob!r} is not a path in the landing folder; write one such as surveys/alumni*.csv."
        )
    return glob


def _check_name(name: str) -> str:
    if not name.strip() or "\0" in name:
        raise ValueError("is blank; write a name or remove the line.")
    return name


def _check_date(text: str) -> str:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a date; write it as YYYY-MM-DD.") from None
    return text


Name = Annotated[str, AfterValidator(_check_name)]
# The texts of YAML: a number is still a text there.
Count = Annotated[int, Field(strict=False)]
Number = Annotated[float, Field(strict=False, allow_inf_nan=False)]


class CsvFormat(Strict):
    """How the file is written.

    Attributes:
        delimiter, quote: single characters; an empty `quote` means that nothing is quoted.
        encoding: as Python names it; a byte-order mark is taken off in any case.
        nulls: what stands for an absent answer, besides nothing at all.
        header_rows: rows before the data; the first of them names the columns. 0: no names.
    """

    delimiter: Annotated[str, AfterValidator(_check_character)] = ","
    encoding: Annotated[str, AfterValidator(_check_encoding)] = "utf-8"
    quote: Annotated[str, AfterValidator(_check_quote)] = '"'
    nulls: tuple[str, ...] = ("",)
    header_rows: Annotated[Count, Field(ge=0, le=100)] = 1

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if self.delimiter == self.quote:
            raise ValueError("delimiter and quote are the same character; correct one of them.")
        return self


class Place(Strict):
    """Where an answer stands: under a header, or at a position (from 1).

    With both, the column at the position must have the header; so a repeated header is read
    safely.
    """

    header: Name | None = None
    position: Annotated[Count, Field(ge=1, le=100_000)] | None = None

    @model_validator(mode="after")
    def _placed(self) -> Self:
        if self.header is None and self.position is None and not self._has_another_source():
            raise ValueError(
                "says not where the answer stands; add `header:`, or `position:` where headers "
                "repeat."
            )
        return self

    def _has_another_source(self) -> bool:
        return False


class Condition(Place):
    """Rows whose answer is one of `equals` (trimmed, without regard to case)."""

    equals: Annotated[tuple[str, ...], Field(min_length=1)]


class Bounds(Strict):
    """Which numbers are plausible: those from `low` to `high`, both included.

    Others are kept and flagged, and no median takes them in.
    """

    low: Number | None = None
    high: Number | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low is None and self.high is None:
            raise ValueError("limits nothing; add `low:` or `high:`, or remove it.")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError("low is above high; exchange them.")
        return self


class Column(Place):
    """A column of the file, or a constant.

    Attributes:
        constant: the same answer for every row.
        formats: of dates, as `strptime` writes them; the first that fits counts. Without any, ISO.
        values: answer -> what it means; null means no answer. Answers are compared trimmed and
            without regard to case.
        bounds: of an answer that is a number; anything else there is flagged as implausible.
    """

    constant: Name | None = None
    formats: tuple[Annotated[str, AfterValidator(_check_format)], ...] = ()
    values: dict[str, str | None] | None = None
    bounds: Bounds | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.constant is not None:
            if self.header is not None or self.position is not None:
                raise ValueError("has a constant and a column; keep one of them.")
            if self.formats or self.values is not None or self.bounds is not None:
                raise ValueError(
                    "is a constant, which needs no formats, values or bounds; remove them."
                )
        if self.bounds is not None and self.values is not None:
            raise ValueError("has values and bounds; an answer is a word or a number: keep one.")
        if self.values is not None:
            folded = [answer.strip().lower() for answer in self.values]
            repeated = sorted({answer for answer in folded if folded.count(answer) > 1})
            if repeated:
                raise ValueError(
                    f"values: {repeated[0]!r} stands there twice (case does not matter); keep one."
                )
        return self

    def _has_another_source(self) -> bool:
        return self.constant is not None

    @property
    def place(self) -> tuple[str | None, int | None]:
        """Header and position: equal for two keys that read the same column."""
        return self.header, self.position


class SurveyMapping(FileContract):
    """How the files of one survey, list of coach entries or list of contracts are read.

    With `invited_at` among the columns, a row that has one is an invitation of a wave, answered or
    not: a blank `submitted_at` (or `answered: no`) is then somebody who did not answer. The wave is
    named by `wave`, else by its date; its date is `wave_date`, else `period`, else the first
    invitation's.

    Attributes:
        survey: its name in the marts.
        source: what kind of evidence a report in it is.
        files: globs in the landing folder; `*` stays within a folder, `**` does not.
        timezone: of times that carry none.
        columns: what the warehouse knows -> where it stands.
        report_when: which rows report an outcome; without it those with an outcome type.
        keep: further answers, by the name they get.
    """

    kind: Literal["survey_mapping"] = "survey_mapping"
    survey: Name
    source: SurveySource
    files: Annotated[tuple[Annotated[str, AfterValidator(_check_glob)], ...], Field(min_length=1)]
    format: CsvFormat = CsvFormat()
    timezone: Annotated[str, AfterValidator(_check_zone)] = "UTC"
    columns: Annotated[dict[SurveyRole, Column], Field(min_length=1)]
    report_when: Condition | None = None
    keep: dict[Name, Column] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for role, column in self.columns.items():
            _check_column(f"columns.{role}", role, column)
        for name, column in self.keep.items():
            _check_kept(f"keep.{name}", column, self.columns)
        if "wave" in self.columns:
            _refuse_identifier(
                "columns.wave", self.columns["wave"], self.columns, "name the wave's own column"
            )
        if "submitted_at" not in self.columns and "period" not in self.columns:
            raise ValueError(
                "columns: nothing says when the answers were given; add `submitted_at`, or "
                "`period: {constant: YYYY-MM-DD}` where the file has no date."
            )
        self._check_income()
        if "outcome_type" not in self.columns:
            for key in ("outcome_date", "credited", "would_not_have_happened"):
                if key in self.columns:
                    raise ValueError(f"columns.{key}: needs `outcome_type`; add it or remove this.")
            if self.report_when is not None:
                raise ValueError(
                    "report_when: needs `columns.outcome_type`; add it or remove this."
                )
        self._check_invitations()
        if self.format.header_rows == 0:
            self._refuse_headers()
        return self

    def _check_invitations(self) -> None:
        columns = self.columns
        if "invited_at" not in columns:
            for key in _OF_INVITATIONS:
                if key in columns:
                    raise ValueError(
                        f"columns.{key}: is known of invitations only; add `invited_at`, or remove "
                        "this."
                    )
            return
        if self.source != "survey":
            raise ValueError(
                f"columns.invited_at: a {self.source} invites nobody to answer; remove it, or "
                "write `source: survey`."
            )
        if not columns.keys() & {"wave", "wave_date", "period"}:
            raise ValueError(
                "columns.invited_at: nothing says which wave an invitation belongs to; add "
                "`wave_date` (such as the day of the mailing), `wave` (its name) or `period`."
            )
        if not columns.keys() & {"submitted_at", "answered"}:
            raise ValueError(
                "columns.invited_at: nothing says who answered; add `submitted_at`, which is blank "
                "without an answer, or `answered`."
            )
        if {"delivered", "delivered_at"} <= columns.keys():
            raise ValueError(
                "columns.delivered_at: says the same as `delivered`; keep one of them."
            )

    def _check_income(self) -> None:
        told = [role for role in NUMERIC_ROLES if role in self.columns]
        if not told:
            return
        for role in ("income_before", "income_after"):
            if role not in self.columns:
                raise ValueError(
                    f"columns.{told[0]}: an income is compared with another one; add `{role}`, or "
                    "put the column under `keep:`."
                )
        if "income_currency" not in self.columns:
            raise ValueError(
                "columns.income_before: nothing says in which currency it is; add "
                "`income_currency: {constant: EUR}`, or name its column."
            )
        shared = [name for name in self.keep if name in NUMERIC_ROLES]
        if shared:
            raise ValueError(f"keep.{shared[0]}: is the name of a column above; choose another.")

    def _refuse_headers(self) -> None:
        places: dict[str, Place] = {
            **{f"columns.{role}": column for role, column in self.columns.items()},
            **{f"keep.{name}": column for name, column in self.keep.items()},
        }
        if self.report_when is not None:
            places["report_when"] = self.report_when
        for key, place in places.items():
            if place.header is not None:
                raise ValueError(
                    f"{key}.header: the file has no header (format.header_rows is 0); write "
                    "`position:`."
                )

    def matches(self, path: str) -> bool:
        """Whether a file of the landing folder is read with this mapping.

        A member of a zip counts as lying beside the zip; `.gz` is not part of the name.
        """
        landed, separator, member = path.partition("::")
        if separator:
            folder, slash, _ = landed.rpartition("/")
            path = f"{folder}{slash}{member.lstrip('/')}"
        path = path.removesuffix(".gz")
        return any(_glob(pattern).fullmatch(path) for pattern in self.files)

    def _reading(self) -> Any:
        return self.model_dump(mode="json", exclude={"kind", "files"})


def _check_column(key: str, role: str, column: Column) -> None:
    if column.formats and role not in _DATED:
        raise ValueError(f"{key}.formats: only dates have formats; remove them.")
    if column.bounds is not None and role not in NUMERIC_ROLES:
        raise ValueError(f"{key}.bounds: only numbers have bounds; remove them.")
    if role in NUMERIC_ROLES and (column.constant is not None or column.values is not None):
        raise ValueError(f"{key}: is a number; name its column, without constant or values.")
    if column.values is not None and role in (*_DATED, *_IDENTIFIERS, "period"):
        raise ValueError(f"{key}.values: an id or date has no values to translate; remove them.")
    if role == "period" and column.constant is None:
        raise ValueError(f"{key}: is a constant; write `period: {{constant: YYYY-MM-DD}}`.")
    if role in ("period", *_DATED) and column.constant is not None:
        _in_key(f"{key}.constant", _check_date, column.constant)
    if role in _IDENTIFIERS and column.constant is not None:
        raise ValueError(f"{key}.constant: an id cannot be the same for every row; name a column.")
    if role == "comment" and (column.constant is not None or column.values is not None):
        raise ValueError(f"{key}: is free text; name a column, without constant or values.")
    accepted = _ANSWERS.get(role)
    if accepted is None:
        return
    if column.constant is not None and column.constant not in accepted:
        raise ValueError(
            f"{key}.constant: {column.constant!r} is not one of {', '.join(accepted)}; write one."
        )
    for answer, meaning in (column.values or {}).items():
        if meaning is not None and meaning not in accepted:
            raise ValueError(
                f"{key}.values: {meaning!r} (of {answer!r}) is not one of {', '.join(accepted)}; "
                "write one of these, or null for no answer."
            )


def _check_kept(key: str, column: Column, columns: dict[SurveyRole, Column]) -> None:
    if column.formats:
        raise ValueError(f"{key}.formats: answers are kept as they are; remove the formats.")
    comment = columns.get("comment")
    if column.constant is None and comment is not None and comment.place == column.place:
        raise ValueError(
            f"{key}: is the column of `comment`, which is masked when it is loaded; remove it from "
            "`keep`."
        )
    _refuse_identifier(key, column, columns, "remove it from `keep`")


def _refuse_identifier(
    key: str, column: Column, columns: dict[SurveyRole, Column], remedy: str
) -> None:
    """A text that stays readable must not be the column of an id."""
    for role in _IDENTIFIERS:
        other = columns.get(role)
        if column.constant is None and other is not None and other.place == column.place:
            raise ValueError(
                f"{key}: is the column of `{role}`, which enters the warehouse as a keyed hash "
                f"only; {remedy}."
            )


def _in_key(key: str, check: Any, value: str) -> None:
    try:
        check(value)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None


def _glob(pattern: str) -> re.Pattern[str]:
    """A glob as a regular expression: `**/` any folders, `*` and `?` within one name."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    translated = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(translated.get(part) or re.escape(part) for part in parts), re.DOTALL)
