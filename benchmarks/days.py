"""Times a day on top of histories of different sizes: `make bench ONLY=days`.

A school of each size gets its history straight into the warehouse and is built once. Then, in turn,
each gets the export of one new day and is rebuilt through the real job, from the start of the
process to the published file; after that a day with events that are 30 different days late, and a
day with a merge of 1,000 people. A day costs a day when the largest history takes no longer than
1.5 times the smallest. Copying the learner days into the published file is told apart.

Schools lie in `benchmarks/work/days` and stay there: what is done for a size is not done again, so
that sizes can be built one after the other, also with a pause (`--only-prepare --sizes 100000000`),
and further turns (`--turns 5`) cost a minute each. A run that was stopped goes on where it was.
`--again` forgets what was measured; remove the folder to begin anew. A figure needs a machine to
itself: 100 million events take about 15 GB of disk and a quarter of an hour to be generated and
built.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.history import School, settings_of, write_day, write_history, write_merges
from benchmarks.rebuilding import Rebuild, rebuilt
from benchmarks.report import Figure, at_most, figure_of_turns
from orchestration.settings import Settings
from orchestration.transforming import dbt_variables, project_digest

WORK = Path(__file__).parent / "work" / "days"
SIZES = (10_000_000, 50_000_000, 100_000_000)
_LATE_DAYS = 30
_MERGED = 1_000
_KINDS = {"day": 1.5, "late": 3.0, "merge": 3.0}
_MOST_NODES = 15
_BEGUN = "a day was begun"


@dataclass
class Place:
    """A school on disk, and what was measured there.

    Attributes:
        school: its size.
        folder: where it lies.
        done: how far it is: the history is there, and built by these models.
        days: how many new days it has got.
        rebuilds: what each kind of day took, in the order of turns.
    """

    school: School
    folder: Path
    done: list[str] = field(default_factory=list)
    days: int = 0
    rebuilds: dict[str, list[Rebuild]] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        """The settings of its runs."""
        return settings_of(self.folder / "data")

    def save(self) -> None:
        """Write down how far it is."""
        told = {
            "done": self.done,
            "days": self.days,
            "rebuilds": {kind: [asdict(r) for r in all_] for kind, all_ in self.rebuilds.items()},
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "measured.json").write_text(json.dumps(told))

    @classmethod
    def at(cls, folder: Path, school: School) -> Place:
        """The school in a folder, as far as it is."""
        place = cls(school, folder / f"{school.events}-{school.day}")
        file = place.folder / "measured.json"
        if file.exists():
            told = json.loads(file.read_text())
            place.done, place.days = told["done"], told["days"]
            place.rebuilds = {
                kind: [Rebuild(**each) for each in all_] for kind, all_ in told["rebuilds"].items()
            }
        return place


def figures(arguments: Sequence[str] = ()) -> list[Figure]:
    """Build what is not there, measure, and compare the sizes."""
    parser = argparse.ArgumentParser(
        prog="make bench ONLY=days",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="events of the history")
    parser.add_argument("--day", type=int, default=100_000, help="events of a day (%(default)s)")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument(
        "--memory",
        default="6GB",
        help="DuckDB's memory limit (%(default)s); 2GB, the setting's default, are enough, but of "
        "100 million events DuckDB then writes to disk what does not fit",
    )
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--only-prepare", action="store_true", help="generate and build, no days")
    parser.add_argument("--only-show", action="store_true", help="show what was measured")
    parser.add_argument("--again", action="store_true", help="forget the turns measured before")
    options = parser.parse_args(arguments)
    places = [Place.at(options.work, School(size, options.day)) for size in sorted(options.sizes)]
    if not options.only_show:
        for place in places:
            prepare(place, options.memory)
        if options.only_prepare:
            return []
        for place in places:
            if options.again:
                place.rebuilds = {}
        for kind in _KINDS:
            for turn in range(options.turns):
                for place in places:
                    if len(place.rebuilds.get(kind, [])) <= turn:
                        measure(place, kind, options.memory)
    return compared(places, options.memory)


def prepare(place: Place, memory: str) -> None:
    """Generate the history and build it once, unless that is done.

    What was measured with other models is forgotten, and the marts are built by the new ones; a day
    that was begun and not finished is finished: no other day is to pay for either.
    """
    if "history" not in place.done:
        print(f"Generating {place.school.events:,} events", flush=True)
        write_history(place.settings, place.school)
        place.done.append("history")
        place.save()
    built = f"built {project_digest(dbt_variables(place.settings))}"
    if built not in place.done:
        print(f"Building the history of {place.school.events:,} events", flush=True)
        rebuild = rebuilt(place.settings, memory)
        place.rebuilds = {"history": [rebuild]}
        place.done = ["history", built]
        place.save()
        _tell(place, "history", rebuild)
    elif _BEGUN in place.done:
        print(f"Ending a day of {place.school.events:,} events that was stopped", flush=True)
        rebuilt(place.settings, memory)
        place.done.remove(_BEGUN)
        place.save()


def measure(place: Place, kind: str, memory: str) -> None:
    """Add a day of a kind, and rebuild."""
    number = place.days
    place.days += 1
    place.done.append(_BEGUN)
    place.save()
    late = min(_LATE_DAYS, place.school.days) if kind == "late" else 0
    write_day(place.settings, place.school, number, late)
    if kind == "merge":
        write_merges(place.settings, place.school, number, _MERGED)
    rebuild = rebuilt(place.settings, memory)
    place.rebuilds.setdefault(kind, []).append(rebuild)
    place.done.remove(_BEGUN)
    place.save()
    _tell(place, kind, rebuild)


def _tell(place: Place, kind: str, rebuild: Rebuild) -> None:
    print(
        f"{place.school.events:,} events, {kind}: {rebuild.seconds:.1f} s, of which copying "
        f"learner days {rebuild.copying:.1f} s; processor {rebuild.processor:.1f} s, "
        f"{rebuild.peak_mib:.0f} MiB at most",
        flush=True,
    )


def compared(places: Sequence[Place], memory: str) -> list[Figure]:
    """The ratios of the largest school to the smallest, and what grew."""
    found: list[Figure] = []
    smallest, largest = places[0], places[-1]
    day = f"{smallest.school.day:,}"
    for place in places[1:]:
        size = f"{place.school.events:,} and {smallest.school.events:,} events"
        before, after = smallest.rebuilds.get("day", []), place.rebuilds.get("day", [])
        ratios = [_without_copy(a) / _without_copy(b) for a, b in zip(after, before, strict=False)]
        if ratios:
            found.append(
                figure_of_turns(
                    "days",
                    f"a new day of {day} events, landing to published file, on a long history "
                    "against a short one",
                    size,
                    ratios,
                    at_most(_KINDS["day"]),
                    note=f"{_note(after, before)}; {memory} for DuckDB",
                )
            )
    for place in places:
        plain = place.rebuilds.get("day", [])
        for kind, what in (
            ("late", f"events of {_LATE_DAYS} late days with it"),
            ("merge", f"a merge of {_MERGED:,} people with it"),
        ):
            other = place.rebuilds.get(kind, [])
            ratios = [
                _without_copy(a) / _without_copy(b) for a, b in zip(other, plain, strict=False)
            ]
            if ratios:
                found.append(
                    figure_of_turns(
                        "days",
                        f"a day and {what}, against a plain day",
                        f"{place.school.events:,} events",
                        ratios,
                        at_most(_KINDS[kind]),
                        note=f"{_note(other, plain)}; {memory} for DuckDB",
                    )
                )
    for kind in _KINDS:
        _show_growth(smallest, largest, kind)
    return found


def _without_copy(rebuild: Rebuild) -> float:
    return rebuild.seconds - rebuild.copying


def _note(one: Sequence[Rebuild], other: Sequence[Rebuild]) -> str:
    def median(rebuilds: Sequence[Rebuild], of: str) -> float:
        return float(statistics.median(getattr(each, of) for each in rebuilds))

    return (
        f"{median(one, 'seconds'):.1f} and {median(other, 'seconds'):.1f} s, of which copying the "
        f"learner days, left out of the ratio, {median(one, 'copying'):.1f} and "
        f"{median(other, 'copying'):.1f} s; of processor time "
        f"{median(one, 'processor') / median(other, 'processor'):.2f}"
    )


def _show_growth(smallest: Place, largest: Place, kind: str) -> None:
    """Print the steps, nodes and tables that grow most with the history."""
    one, other = smallest.rebuilds.get(kind, []), largest.rebuilds.get(kind, [])
    if not one or not other or smallest is largest:
        return
    print(f"\nWhat grows of a {kind} (seconds, smallest and largest history):")
    for part in ("steps", "nodes", "tables"):
        before, after = _medians(one, part), _medians(other, part)
        grown = sorted(after, key=lambda name: before.get(name, 0) - after[name])
        for name in grown[:_MOST_NODES]:
            print(f"  {part[:-1]:6} {name:60} {before.get(name, 0):8.2f} {after[name]:8.2f}")
        print(f"  {part[:-1]:6} all {sum(before.values()):65.2f} {sum(after.values()):8.2f}")


def _medians(rebuilds: Sequence[Rebuild], part: str) -> Mapping[str, float]:
    names = {name for rebuild in rebuilds for name in getattr(rebuild, part)}
    return {
        name: statistics.median(getattr(each, part).get(name, 0) for each in rebuilds)
        for name in names
    }
