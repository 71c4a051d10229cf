"""The school's courses: `courses.csv` with the columns course_id, title and language."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from orchestration.contracts.base import fingerprint_of
from orchestration.errors import ContractError

COURSES_FILE = "courses.csv"
_COLUMNS = ("course_id", "title", "language")


@dataclass(frozen=True)
class Course:
    """A course.

    Attributes:
        course_id: as in the events.
        title, language: null where the file is silent.
        path: the file it stands in.
    """

    course_id: str
    title: str | None
    language: str | None
    path: Path

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what the file says about the course."""
        return fingerprint_of([self.course_id, self.title, self.language])


def read_courses(path: Path) -> list[Course]:
    """Read the courses; an absent file means none.

    Raises:
        ContractError: naming file, line and column.
    """
    if not path.exists():
        return []
    courses: dict[str, tuple[int, Course]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            _check_header(path, header)
            for row in reader:
                if not any(field.strip() for field in row):
                    continue
                line = reader.line_num
                course = _course(path, line, header, row)
                first, _ = courses.setdefault(course.course_id, (line, course))
                if first != line:
                    raise ContractError(
                        f"{path}: line {line}, course_id: {course.course_id!r} stands in line "
                        f"{first}, too; keep one of them."
                    )
    except UnicodeDecodeError:
        raise ContractError(f"{path}: is not UTF-8 text. Save the file as UTF-8.") from None
    except csv.Error as error:
        raise ContractError(
            f"{path}: line {reader.line_num}: {error}. Correct the quotes there."
        ) from None
    return [course for _, course in courses.values()]


def _check_header(path: Path, header: list[str]) -> None:
    unknown = [name for name in header if name not in _COLUMNS]
    repeated = [name for name in _COLUMNS if header.count(name) > 1]
    if "course_id" not in header or unknown or repeated:
        raise ContractError(
            f"{path}: line 1: the columns are {', '.join(header) or 'missing'}; write "
            f"{','.join(_COLUMNS)} (course_id is required)."
        )


def _course(path: Path, line: int, header: list[str], row: list[str]) -> Course:
    if len(row) != len(header):
        raise ContractError(
            f"{path}: line {line}: has {len(row)} fields where line 1 has {len(header)}; put "
            "fields that hold commas in quotes."
        )
    fields = {name: field.strip() or None for name, field in zip(header, row, strict=True)}
    course_id = fields["course_id"]
    if course_id is None:
        raise ContractError(
            f"{path}: line {line}, course_id: is empty; write it or remove the line."
        )
    return Course(course_id, fields.get("title"), fields.get("language"), path)
