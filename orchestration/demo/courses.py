"""The demo school's courses. `data/sources/courses.csv` lists all of them but one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class DemoCourse:
    """A course: its id in events, its title, its language, and how many lessons it has."""

    course_id: str
    title: str
    language: str
    lessons: int


LISTED: Final = (
    DemoCourse("python-basics", "Python from the first line", "en", 14),
    DemoCourse("python-debutants", "Python pour débutants", "fr", 14),
    DemoCourse("sql-for-analysts", "SQL for analysts", "en", 10),
    DemoCourse("sql-analystes", "SQL pour analystes", "fr", 10),
    DemoCourse("data-storytelling", "Telling stories with data", "en", 8),
    DemoCourse("web-frontend", "Front-end development", "en", 22),
    DemoCourse("web-frontend-fr", "Développement front-end", "fr", 22),
    DemoCourse("marketing-digital", "Marketing digital", "fr", 12),
    DemoCourse("marketing-digital-es", "Marketing digital en español", "es", 12),
    DemoCourse("gestion-projet", "Gestion de projet", "fr", 9),
    DemoCourse("project-management", "Project management", "en", 9),
    DemoCourse("career-coaching", "Finding your next job", "en", 6),
)
# It runs already, but nobody has entered it in courses.csv yet.
UNLISTED: Final = DemoCourse("genai-first-steps", "First steps with generative AI", "en", 7)
COURSES: Final = (*LISTED, UNLISTED)
