"""Which published figures are remembered for ever, and how much of them may be.

What is remembered is never rewritten, not even when somebody asks to be forgotten, so it may tell
of no small group: a cell of 1 to 9 people (or outcomes, or answers) is withheld, and of the parts
of a total so many more that what is withheld cannot be found by subtraction.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import duckdb

from orchestration.errors import PublishingError
from orchestration.publishing.tables import Relation, identifier, read_columns

# A cell with fewer people is withheld; an empty one is about nobody, and is told.
SMALLEST_TOLD = 10
MONTH = "month"

Key = tuple[str, str, str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True)
class Figure:
    """A figure of a mart, as its YAML names it under `meta: {snapshot: [...]}`.

    Attributes:
        relation: `schema.table` of the mart.
        name: of the figure; two of one name in a mart are a total and its parts.
        value: aggregate in SQL over the mart's rows.
        people: aggregate in SQL: how many people, outcomes or answers are behind the value. The
            same as `value` for counts.
        by: the columns that it is told by besides the month; none for the total of a month.
        is_part: the values of a month are the parts of a total that is told, too.
    """

    relation: str
    name: str
    value: str
    people: str
    by: tuple[str, ...] = ()
    is_part: bool = False

    @property
    def is_count(self) -> bool:
        """Whether the value is itself a number of people or outcomes, so that parts add up."""
        return self.value == self.people


@dataclass(frozen=True)
class Cell:
    """One value of a figure.

    Attributes:
        month: first day of the month that it is about.
        by: column name to value, sorted by name.
        value: null where it is withheld, or where there is nothing to tell.
        people: behind it; never leaves this process.
        withheld: too small, or one could find a small one by subtraction.
    """

    figure: Figure
    month: date
    by: tuple[tuple[str, str], ...]
    value: int | float | None
    people: int
    withheld: bool = False

    @property
    def key(self) -> Key:
        """What it is the value of."""
        return self.figure.relation, self.figure.name, str(self.month), self.by


def read_figures(snapshots: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Figure]:
    """Read what the marts' YAML says.

    Args:
        snapshots: `schema.table` to its list of `{figure, value, people, by}`.

    Raises:
        PublishingError: naming the mart and what is wrong.
    """
    figures = [
        _read_figure(relation, told)
        for relation, list_of in sorted(snapshots.items())
        for told in list_of
    ]
    levels: dict[tuple[str, str], list[Figure]] = defaultdict(list)
    for figure in figures:
        levels[figure.relation, figure.name].append(figure)
    for (relation, name), several in levels.items():
        is_pair = len(several) == 2 and not several[0].by and all(one.is_count for one in several)
        if len(several) > 1 and not is_pair:
            raise PublishingError(
                f"meta.snapshot of {relation}: {name} may be told twice, first as the total of a "
                "month (without `by`) and then by one set of columns, and must be a count then: "
                "more ways of telling it could be subtracted from each other."
            )
        figures += [replace(figures.pop(figures.index(part)), is_part=True) for part in several[1:]]
    return figures


def _read_figure(relation: str, told: Mapping[str, Any]) -> Figure:
    unknown = set(told) - {"figure", "value", "people", "by"}
    if unknown or not isinstance(told.get("figure"), str) or not isinstance(told.get("value"), str):
        raise PublishingError(
            f"meta.snapshot of {relation}: each entry has `figure` and `value`, and may have "
            f"`people` and `by`; found {', '.join(sorted(told))}."
        )
    value = told["value"]
    by = tuple(told.get("by") or ())
    return Figure(relation, told["figure"], value, told.get("people") or value, by)


def measure(
    cursor: duckdb.DuckDBPyConnection, catalog: str, figures: Sequence[Figure]
) -> list[Cell]:
    """All cells as they are now, the small ones withheld.

    Raises:
        PublishingError: a mart or one of its columns is not there.
    """
    cells: list[Cell] = []
    for figure in figures:
        relation = Relation.parse(figure.relation)
        names = {column.name for column in read_columns(cursor, catalog, relation)}
        missing = {MONTH, *figure.by} - names
        if missing:
            raise PublishingError(
                f"meta.snapshot of {relation} tells {figure.name} by {', '.join(sorted(missing))}, "
                "which the mart does not have. Correct the mart's YAML."
            )
        by = "".join(f", coalesce({identifier(name)}::varchar, 'unknown')" for name in figure.by)
        rows = cursor.execute(
            f"select {MONTH}::date, {figure.value}, ({figure.people})::bigint{by} "
            f"from {relation.sql(catalog)} group by all order by all"
        ).fetchall()
        cells += [
            Cell(
                figure,
                month,
                tuple(sorted(zip(figure.by, values, strict=True))),
                _plain(value),
                people or 0,
            )
            for month, value, people, *values in rows
            if month is not None
        ]
    return withhold_small(cells)


def withhold_small(cells: Iterable[Cell]) -> list[Cell]:
    """Withhold small cells, and of the parts of a total as many more as subtraction would need.

    Of the parts of one total either none is withheld, or at least two that make up
    `SMALLEST_TOLD` or more: the difference between the total and what is told is then no small
    cell, and no single one. Of the others the smallest goes first.
    """
    groups: dict[tuple[Figure, date | None], list[Cell]] = defaultdict(list)
    for cell in cells:
        groups[cell.figure, cell.month if cell.figure.is_part else None].append(cell)
    told: list[Cell] = []
    for (_, month), group in groups.items():
        hidden = {cell.key for cell in group if 0 < cell.people < SMALLEST_TOLD}
        if month is not None and hidden:
            total = sum(cell.people for cell in group if cell.key in hidden)
            others = (cell for cell in group if cell.key not in hidden and cell.people)
            for cell in sorted(others, key=lambda cell: (cell.people, cell.by)):
                if len(hidden) > 1 and total >= SMALLEST_TOLD:
                    break
                hidden.add(cell.key)
                total += cell.people
        told += [
            replace(cell, value=None, withheld=True) if cell.key in hidden else cell
            for cell in group
        ]
    return told


def _plain(value: Any) -> int | float | None:
    """A number as JSON has it; the last digits of a quotient are no news."""
    if value is None or isinstance(value, int):
        return value
    return round(float(value), 6) if math.isfinite(value) else None
