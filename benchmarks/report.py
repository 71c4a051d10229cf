"""The table of all benchmarks: what each measured, against what was wanted.

Every figure is a ratio of two things measured side by side in one run, so that it says the same on
a fast and on a slow machine. `results.md` holds the newest figures of every area, each with the
day, the machine and the versions that they were measured with; measuring one area again replaces
its section and leaves the others.
"""

from __future__ import annotations

import os
import platform
import re
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).with_name("results.md")

_HEAD = """# What things cost

Measured by `make bench`, which writes this file; `make bench ONLY=<area>` measures one area and
keeps the others. A ratio compares two things measured side by side in one run. The spread is that
of the ratio over the turns; a ratio is the median of its turns.
"""
_VERSIONS = ("duckdb", "dbt-core", "dbt-duckdb", "dagster")
_COLUMNS = ("", "what", "size", "ratio", "wanted", "spread", "turns", "note")
_GIB = 2**30
_LOG_WIDTH = 200


@dataclass(frozen=True)
class Wanted:
    """What a ratio is held against: a limit that it may not pass, from above or from below."""

    limit: float
    at_least: bool = False

    def holds(self, ratio: float) -> bool:
        """Whether a ratio is good enough."""
        return ratio >= self.limit if self.at_least else ratio <= self.limit

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {_number(self.limit)}"


@dataclass(frozen=True)
class Figure:
    """One ratio.

    Attributes:
        area: of the benchmarks, such as `loading`; a section of the results.
        what: is compared with what, in words.
        size: of the data, such as `5,000,000 events`.
        ratio: how many times as much the first costs (or does) as the second.
        wanted: what the ratio is held against; none where it is only reported.
        spread: the smallest and the greatest ratio of the turns.
        turns: how often both were measured.
        note: seconds, megabytes, or what else explains the ratio.
    """

    area: str
    what: str
    size: str
    ratio: float
    wanted: Wanted | None = None
    spread: tuple[float, float] | None = None
    turns: int = 1
    note: str = ""

    @property
    def verdict(self) -> str:
        """`yes`, `no`, or nothing where nothing was wanted."""
        if self.wanted is None:
            return ""
        return "yes" if self.wanted.holds(self.ratio) else "no"

    def cells(self) -> tuple[str, ...]:
        """The figure as a row of the table."""
        return (
            self.verdict,
            self.what,
            self.size,
            _number(self.ratio),
            "" if self.wanted is None else str(self.wanted),
            "" if self.spread is None else " to ".join(_number(each) for each in self.spread),
            str(self.turns),
            self.note,
        )


def at_most(limit: float) -> Wanted:
    """A ratio that may not be greater."""
    return Wanted(limit)


def at_least(limit: float) -> Wanted:
    """A ratio that may not be smaller."""
    return Wanted(limit, at_least=True)


def figure_of_turns(
    area: str,
    what: str,
    size: str,
    ratios: Sequence[float],
    wanted: Wanted | None = None,
    note: str = "",
) -> Figure:
    """The median of several turns, with their spread."""
    return Figure(
        area=area,
        what=what,
        size=size,
        ratio=statistics.median(ratios),
        wanted=wanted,
        spread=(min(ratios), max(ratios)) if len(ratios) > 1 else None,
        turns=len(ratios),
        note=note,
    )


def report(figures: Sequence[Figure], results: Path = RESULTS) -> None:
    """Write figures into the sections of their areas; the other sections stay as they were."""
    sections = _read_sections(results)
    by_area: dict[str, list[Figure]] = {}
    for figure in figures:
        by_area.setdefault(figure.area, []).append(figure)
    for area, found in by_area.items():
        sections[area] = _section(found, machine())
    _write_sections(results, sections)


def show(figures: Sequence[Figure]) -> None:
    """Print figures as one table."""
    table = Table("area", *_COLUMNS)
    for figure in figures:
        table.add_row(figure.area, *figure.cells())
    # Lines of a log are not cut at the 80 columns that it does not have.
    Console(width=None if sys.stdout.isatty() else _LOG_WIDTH).print(table)


def machine() -> str:
    """The processor, the cores that may be used, the memory and the versions, in one line."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB
    versions = ", ".join(f"{name} {version(name)}" for name in _VERSIONS)
    return (
        f"{_processor()}, {cores} cores, {memory:.0f} GiB of memory; "
        f"{platform.system()}, Python {platform.python_version()}, {versions}"
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        found = re.search(r"^model name\s*:\s*(.+)$", info.read_text(), re.MULTILINE)
        if found:
            return found.group(1)
    return platform.processor() or platform.machine()


def _section(figures: Sequence[Figure], machine: str) -> str:
    lines = [
        f"Measured on {date.today()}: {machine}.",
        "",
        f"| {' | '.join(_COLUMNS)} |",
        f"|{'---|' * len(_COLUMNS)}",
        *(f"| {' | '.join(each.replace('|', '/') for each in f.cells())} |" for f in figures),
    ]
    return "\n".join(lines)


def _read_sections(results: Path) -> dict[str, str]:
    """What stands under each area's heading."""
    if not results.exists():
        return {}
    _, *parts = re.split(r"^## (.+)$", results.read_text(), flags=re.MULTILINE)
    return {area.strip(): body.strip() for area, body in zip(parts[::2], parts[1::2], strict=True)}


def _write_sections(results: Path, sections: Mapping[str, str]) -> None:
    parts = [_HEAD, *(f"## {area}\n\n{body}\n" for area, body in sorted(sections.items()))]
    results.write_text("\n".join(parts))


def _number(value: float) -> str:
    """Two decimals where they say something, none above ten."""
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:.2f}"
