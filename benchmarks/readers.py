"""Times BI readers while a rebuild runs: `make bench ONLY=readers`.

Eight processes query the published file in a loop, as dashboards do: mostly small questions to
aggregates, and now and then a scan of the learner days; each opens the file anew after a few
questions. Their throughput during a rebuild is held against their throughput while other processes
do nothing but burn the processor time of that rebuild, spread over as much time: what is lost
beyond it would be lost to locks and to the disk.

The school is one of `make bench ONLY=days` and gets a new day in each turn.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.days import WORK, Place, prepare
from benchmarks.history import School, write_day
from benchmarks.rebuilding import rebuilt
from benchmarks.report import Figure, at_least, figure_of_turns
from orchestration.publishing import published_file

_QUESTIONS = (
    "select month, sum(outcomes) from outcomes.agg_career_outcomes group by month order by month",
    "select month, survey, 100 * (sum(promoters) - sum(detractors)) / sum(respondents) "
    "from nps.agg_nps where basis = 'all_responses' group by month, survey",
    "select cohort, interval_index, retained / cohort_size from retention.agg_retention "
    "where definition = 'learning_weekly'",
    "select country, current_plan, count(*) from core.dim_learners group by all",
    "select date, sum(created), sum(solved) from support.agg_support_daily group by date",
    "select language, sum(signups) from acquisition.agg_signups group by language",
    "select date_trunc('month', activity_date), count(distinct learner_key) "
    "from core.fct_learner_days where is_learning group by all",
)
_QUESTIONS_A_CONNECTION = 50
_FEWEST_BURNERS = 4
_CONTEXT = mp.get_context("spawn")


def figures(arguments: Sequence[str] = ()) -> list[Figure]:
    """Measure both in turn."""
    parser = argparse.ArgumentParser(
        prog="make bench ONLY=readers",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--events", type=int, default=10_000_000, help="events of the history")
    parser.add_argument("--day", type=int, default=100_000, help="events of a day (%(default)s)")
    parser.add_argument("--readers", type=int, default=8)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--memory", default="2GB", help="DuckDB's memory limit (%(default)s)")
    parser.add_argument("--work", type=Path, default=WORK)
    options = parser.parse_args(arguments)
    place = Place.at(options.work, School(options.events, options.day))
    prepare(place, options.memory)
    ratios: list[float] = []
    for _ in range(options.turns):
        write_day(place.settings, place.school, place.days)
        place.days += 1
        place.save()
        with reading(published_file(place.settings), options.readers) as counter:
            before, start = counter.value, time.perf_counter()
            rebuild = rebuilt(place.settings, options.memory)
            seconds = time.perf_counter() - start
            beside_rebuild = (counter.value - before) / seconds
            before, start = counter.value, time.perf_counter()
            burn(rebuild.processor, seconds)
            burning = time.perf_counter() - start
            beside_burning = (counter.value - before) / burning
        ratios.append(beside_rebuild / beside_burning)
        print(
            f"{beside_rebuild:.1f} questions a second beside a rebuild of {seconds:.1f} s with "
            f"{rebuild.processor:.1f} s of processor time, {beside_burning:.1f} beside burning as "
            f"much in {burning:.1f} s: {ratios[-1]:.2f}",
            flush=True,
        )
    return [
        figure_of_turns(
            "readers",
            f"questions a second of {options.readers} readers beside a rebuild, against beside "
            "burning the same processor time",
            f"{options.events:,} events",
            ratios,
            at_least(0.9),
        )
    ]


@contextmanager
def reading(file: Path, readers: int) -> Iterator[Any]:
    """Let readers ask until the block ends; gives the number of questions answered so far."""
    counter = _CONTEXT.Value("q", 0)
    stop = _CONTEXT.Event()
    failures = _CONTEXT.Value("q", 0)
    processes = [
        _CONTEXT.Process(target=_ask, args=(str(file), number, counter, failures, stop))
        for number in range(readers)
    ]
    for process in processes:
        process.start()
    try:
        while counter.value < readers * len(_QUESTIONS):  # until all are under way
            if failures.value or not all(process.is_alive() for process in processes):
                raise SystemExit("A reader failed; it has told why.")
            time.sleep(0.1)
        yield counter
    finally:
        stop.set()
        for process in processes:
            process.join()
    if failures.value or any(process.exitcode for process in processes):
        raise SystemExit("A reader failed; it has told why.")


def _ask(file: str, first: int, counter: Any, failures: Any, stop: Event) -> None:
    number = first
    try:
        while not stop.is_set():
            with duckdb.connect(file, read_only=True, config={"threads": 1}) as connection:
                for _ in range(_QUESTIONS_A_CONNECTION):
                    if stop.is_set():
                        return
                    connection.execute(_QUESTIONS[number % len(_QUESTIONS)]).fetchall()
                    number += 1
                    with counter.get_lock():
                        counter.value += 1
    except duckdb.Error:
        with failures.get_lock():
            failures.value += 1
        raise


def burn(processor: float, seconds: float) -> None:
    """Burn so many seconds of processor time, spread evenly over so many seconds.

    By several processes, each of which stops while it is ahead: one alone would not get its share
    beside many readers. Where all get too little, it takes longer.
    """
    workers = max(_FEWEST_BURNERS, round(2 * processor / seconds))
    processes = [
        _CONTEXT.Process(target=_burn, args=(processor / workers, seconds)) for _ in range(workers)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()


def _burn(processor: float, seconds: float) -> None:
    start = time.perf_counter()
    while (burnt := time.process_time()) < processor:
        due = processor * (time.perf_counter() - start) / seconds
        if burnt > due:
            time.sleep(0.01)
            continue
        until = time.process_time() + 0.005
        while time.process_time() < until:
            pass
