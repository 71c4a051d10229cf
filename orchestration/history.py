"""Answers about what was once published: is it unchanged, and what did we say of a month?"""

from __future__ import annotations

from datetime import UTC, date, datetime, time

from rich.table import Table

from orchestration.errors import ChainError
from orchestration.publishing import SCHOOLS, published_file, verify
from orchestration.publishing.chain import Chain, Standing, read_chain
from orchestration.publishing.records import breakdown_of
from orchestration.settings import Settings


def verified(settings: Settings, known_head: str | None = None) -> list[str]:
    """Verify the chains of own and demo exports.

    Args:
        settings: say where the state is.
        known_head: a hash that a run once printed; it must be one of a chain's.

    Returns:
        A sentence for each chain that there is.

    Raises:
        ChainError: what is wrong, naming the entries.
    """
    said: list[str] = []
    found: list[Chain] = []
    wrong: list[str] = []
    for school in SCHOOLS:
        chain, findings = verify(settings, school)
        found.append(chain)
        wrong += [f"The chain of {school} exports: {finding}" for finding in findings]
        if chain.head is not None and not findings:
            said.append(
                f"The chain of {school} exports is unchanged: {chain.head.number:,} "
                f"{'entry' if chain.head.number == 1 else 'entries'}, head {chain.head.hash}."
            )
    if known_head is not None and not any(known_head in chain.hashes for chain in found):
        wrong.append(
            f"No entry has the hash {known_head}: what was published when it was printed has been "
            "changed or taken away, or was published from another data folder."
        )
    if wrong:
        raise ChainError(
            "What was once published has been changed.\n- "
            + "\n- ".join(wrong)
            + f"\nPut {settings.state / 'published'} back from the backup of the state folder."
        )
    return said or ["Nothing has been published that is remembered; there is nothing to verify."]


def published_on(settings: Settings, month: date, on: date | None) -> Table:
    """What was said of a month at the end of a day (UTC); null: what is said now.

    Raises:
        ChainError: the chain does not hold, or says nothing of that month by then.
    """
    told: list[Standing] = []
    for school in SCHOOLS:
        chain = read_chain(settings, school)
        end = None if on is None else datetime.combine(on, time.max, UTC)
        then = Chain(
            school, tuple(entry for entry in chain.entries if not end or entry.published_at <= end)
        )
        told += [one for one in then.standing.values() if one.told.month == month]
    if not told:
        raise ChainError(
            f"Nothing had been published about {month:%Y-%m}"
            f"{'' if on is None else f' by {on}'}. outcomes.published_history in "
            f"{published_file(settings)} lists what has, and since when."
        )
    table = Table("figure", "of", "value", "published since", box=None, padding=(0, 2))
    for one in sorted(told, key=lambda one: one.told.key):
        figure = one.told
        value = "withheld" if figure.withheld else _number(figure.value)
        table.add_row(
            f"{figure.figure} ({one.since.school})",
            breakdown_of(figure.by),
            value,
            f"{one.since.published_at:%Y-%m-%d %H:%M:%S} UTC",
        )
    return table


def _number(value: float | None) -> str:
    return "nothing" if value is None else f"{value:,}"
