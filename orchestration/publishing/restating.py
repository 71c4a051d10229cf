"""What a publication changes of what was published before, by how much and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from orchestration.publishing.causes import UNEXPLAINED, Effects
from orchestration.publishing.chain import Chain, Entry, Restatement, Standing, Told
from orchestration.publishing.figures import Cell, Figure


@dataclass(frozen=True)
class Before:
    """What is known of the publication that readers see until now.

    Attributes:
        as_of: its as-of day; null where it had none, or is not known.
        effects: of what has changed since, by figure; none where nothing can be compared.
    """

    as_of: date | None
    effects: Mapping[tuple[str, str], Effects]


def changed_figures(
    chain: Chain, figures: Sequence[Figure], cells: Sequence[Cell]
) -> list[tuple[Figure, Told]]:
    """The figures that are told otherwise than the chain tells them, sorted.

    A part that is withheld and one that nobody belongs to are told alike: of a small group not even
    its end is told.
    """
    standing = chain.standing
    now = {cell.key: (cell.figure, _told(cell)) for cell in cells}
    for key, stood in standing.items():
        figure = _figure_of(stood.told, figures)
        if key not in now and figure is not None:
            now[key] = (
                figure,
                stood.told.model_copy(
                    update={"value": _nothing(figure), "withheld": figure.is_part}
                ),
            )
    return [
        (figure, told)
        for key, (figure, told) in sorted(now.items())
        if not _is_same(standing.get(key), told, figure)
    ]


def restatements(
    chain: Chain, changed: Sequence[tuple[Figure, Told]], before: Before
) -> list[Restatement]:
    """Which of the changes are of figures that had been published, with a row for each cause.

    A month that lies before the as-of of the publication before was published, be it as nothing. Of
    the parts of a total only those are named that are told before and after: the causes stand
    beside the total, and never beside what else is told of the people behind it. A figure of which
    nothing had ever been told is new, and no restatement.
    """
    standing = chain.standing
    known = {_kind(stood.told) for stood in standing.values()}
    found: list[Restatement] = []
    for figure, told in changed:
        stood = standing.get(told.key)
        if before.as_of is None or told.month >= before.as_of or _kind(told) not in known:
            continue
        old = _nothing(figure) if stood is None else stood.told.value
        old_withheld = stood is not None and stood.told.withheld
        is_told = not old_withheld and not told.withheld
        if figure.is_part and not (is_told and stood is not None):
            continue
        since = stood.since if stood is not None else _first_about(chain, told.month)
        change = None if not is_told or old is None or told.value is None else told.value - old
        row = Restatement(
            relation=told.relation,
            figure=told.figure,
            month=told.month,
            by=told.by,
            month_was_over=_next_month(told.month) <= before.as_of,
            old_value=old,
            old_withheld=old_withheld,
            new_value=told.value,
            new_withheld=told.withheld,
            change=round(change, 6) if isinstance(change, float) else change,
            standing_since=None if since is None else since.publication,
            standing_since_at=None if since is None else since.published_at,
            cause=None,
            cause_change=None,
            reports=None,
        )
        found += [row] if figure.is_part else _by_cause(row, figure, before, is_told=is_told)
    return found


def _by_cause(
    row: Restatement, figure: Figure, before: Before, *, is_told: bool
) -> list[Restatement]:
    """The restatement of a total, once for each cause; numbers only where the figures are told."""
    effects = before.effects.get((figure.relation, figure.name))
    causes = {} if effects is None else effects.causes(row.month, row.by)
    is_sum = effects is not None and effects.is_sum
    rest = (row.change or 0) - sum(effect.change for effect in causes.values()) if is_sum else 0
    rows = [
        row.model_copy(
            update={
                "cause": cause,
                "cause_change": effect.change if is_told and is_sum else None,
                "reports": effect.reports if is_told else None,
            }
        )
        for cause, effect in sorted(causes.items())
    ]
    if not rows or (is_told and is_sum and rest):
        rows.append(
            row.model_copy(
                update={"cause": UNEXPLAINED, "cause_change": rest if is_sum and rows else None}
            )
        )
    return rows


def _told(cell: Cell) -> Told:
    return Told(
        relation=cell.figure.relation,
        figure=cell.figure.name,
        month=cell.month,
        by=dict(cell.by),
        value=cell.value,
        withheld=cell.withheld,
    )


def _is_same(stood: Standing | None, told: Told, figure: Figure) -> bool:
    if stood is None:
        return (told.value, told.withheld) == (_nothing(figure), figure.is_part)
    return (stood.told.value, stood.told.withheld) == (told.value, told.withheld)


def _kind(told: Told) -> tuple[str, str, frozenset[str]]:
    return told.relation, told.figure, frozenset(told.by)


def _figure_of(told: Told, figures: Sequence[Figure]) -> Figure | None:
    for figure in figures:
        if (figure.relation, figure.name) == (told.relation, told.figure) and set(
            figure.by
        ) == told.by.keys():
            return figure
    return None


def _nothing(figure: Figure) -> int | None:
    """What is told of a month without any row: no outcomes, and no score."""
    return 0 if figure.is_count and not figure.is_part else None


def _first_about(chain: Chain, month: date) -> Entry | None:
    """The first publication that had nothing to tell of a month that it was late enough for."""
    return next(
        (entry for entry in chain.entries if entry.as_of is not None and entry.as_of > month), None
    )


def _next_month(month: date) -> date:
    return (month.replace(day=1) + timedelta(days=32)).replace(day=1)
