"""Judges all cases of a folder in one dbt run."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from orchestration.settings import REPOSITORY
from tests.dbt_project.harness import School
from tests.peers.cases import Case, Question, Rows, UnsupportedError, insert_events, load_cases
from tests.peers.translators import TRANSLATORS

MOST_UNSUPPORTED: Final = 0.1


@dataclass(frozen=True)
class Verdict:
    """What became of a case.

    Attributes:
        case_id: the case.
        kind: its kind of chart.
        outcome: passed, failed or unsupported.
        reason: why it did not pass; else empty.
    """

    case_id: str
    kind: str
    outcome: str
    reason: str = ""


def cases_folder() -> Path:
    """The folder of the cases, by default that of the shared materials beside the repository."""
    return Path(os.environ.get("NORTHSTAR_CASES_DIR") or REPOSITORY.parent / "shared" / "cases")


def judge_folder(folder: Path, scratch: Path) -> list[Verdict]:
    """A verdict on every case of a folder; `scratch` is an empty folder for a warehouse."""
    return judge(load_cases(folder), School(scratch, reporting_timezone="UTC"))


def judge(cases: Sequence[Case], school: School) -> list[Verdict]:
    """A verdict on every case, in their order."""
    insert_events(school, cases)
    verdicts: dict[str, Verdict] = {}
    questions: dict[str, Question] = {}
    for case in cases:
        try:
            questions[case.id] = _translate(case)
        except UnsupportedError as error:
            verdicts[case.id] = Verdict(case.id, case.kind, "unsupported", str(error))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            reason = f"the case cannot be read: {type(error).__name__} {error}"
            verdicts[case.id] = Verdict(case.id, case.kind, "failed", reason)
    answers = dict(_answers(school, questions))
    for case in cases:
        if case.id in questions:
            verdicts[case.id] = _compare(case, questions[case.id], answers[case.id])
    return [verdicts[case.id] for case in cases]


def _translate(case: Case) -> Question:
    if case.kind not in TRANSLATORS:
        raise UnsupportedError(f"nothing translates cases of kind {case.kind}")
    return TRANSLATORS[case.kind](case)


def _answers(
    school: School, questions: Mapping[str, Question]
) -> Iterator[tuple[str, Sequence[Rows] | str]]:
    """The rows of each question, or why there are none."""
    compiled = dict(_compiled(school, questions))
    with school.connection() as connection:
        for case_id, queries in compiled.items():
            try:
                yield (
                    case_id,
                    queries
                    if isinstance(queries, str)
                    else [connection.execute(query).fetchall() for query in queries],
                )
            except duckdb.Error as error:
                yield case_id, f"{type(error).__name__}: {error}"


def _compiled(
    school: School, questions: Mapping[str, Question]
) -> Iterator[tuple[str, list[str] | str]]:
    """The SQL of each question, all compiled in one go; where that fails, in halves, so that a case
    which does not compile takes no other with it.
    """
    if not questions:
        return
    queries = [query for question in questions.values() for query in question.queries]
    said = io.StringIO()  # dbt prints what it compiles
    try:
        with contextlib.redirect_stdout(said):
            compiled = iter(school.compile_all(queries))
    except AssertionError:
        names = list(questions)
        if len(names) == 1:
            yield names[0], f"it does not compile: {said.getvalue()}"
            return
        for half in (names[: len(names) // 2], names[len(names) // 2 :]):
            yield from _compiled(school, {name: questions[name] for name in half})
    else:
        for case_id, question in questions.items():
            yield case_id, [next(compiled) for _ in question.queries]


def _compare(case: Case, question: Question, answer: Sequence[Rows] | str) -> Verdict:
    if isinstance(answer, str):
        return Verdict(case.id, case.kind, "failed", answer)
    found = question.differences(answer)
    return Verdict(case.id, case.kind, "failed" if found else "passed", "; ".join(found))


def too_many_unsupported(verdicts: Sequence[Verdict]) -> bool:
    """Whether more than one case in ten was left out."""
    left_out = sum(verdict.outcome == "unsupported" for verdict in verdicts)
    return left_out > MOST_UNSUPPORTED * len(verdicts)


def report(verdicts: Sequence[Verdict]) -> str:
    """A line per case, and how many there are of each outcome."""
    lines = [
        f"{verdict.outcome:11} {verdict.kind:16} {verdict.case_id}"
        + (f": {verdict.reason}" if verdict.reason else "")
        for verdict in verdicts
    ]
    totals = ", ".join(
        f"{sum(verdict.outcome == outcome for verdict in verdicts)} {outcome}"
        for outcome in ("passed", "failed", "unsupported")
    )
    return "\n".join([*lines, f"{len(verdicts)} cases: {totals}"])
