"""Times the whole load against unzipping alone: `make bench ONLY=loading`.

The exports have the shape and width of Amplitude's (about 1.4 kB a line), and the learners are few
enough to come back. Both are run in turn, so that a noisy machine is noisy for both; the ratio of a
turn is what counts. The ratio of processor time beside it says how much of it others caused.
Everything happens in a temporary folder.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import Figure, at_most, figure_of_turns
from orchestration.contracts import read_contracts
from orchestration.landing import take_inventory
from orchestration.loading import connect, load_landing, stamp_run
from orchestration.loading.amplitude import STANDARD_COLUMNS
from orchestration.settings import Settings

_PLAN = """
kind: tracking_plan
name: Benchmark
projects: ["1"]
plans: {free: free, spark: SPARK}
roles:
  course_id: [event.course_id]
  plan: [user.plan]
  spoken_language: [user.language]
  channel: [user.initial_utm_source]
  email: [user.email]
  country: [column.country]
events:
  lesson_completed: {meanings: [learning]}
  page_viewed: {meanings: [visit]}
  login: {meanings: [login]}
"""


def write_exports(folder: Path, events: int, files: int) -> None:
    """Write `events` rows in `files` hourly files; a learner has about 25 of them."""
    folder.mkdir(parents=True)
    chance = random.Random(1)
    learners = max(events // 25, 1)
    blank = dict.fromkeys(sorted(STANDARD_COLUMNS - {"data_type"}))
    for number in range(files):
        hour = f"2024-01-{1 + number // 24:02d} {number % 24:02d}"
        rows = []
        for _ in range(events // files):
            learner = chance.randrange(learners)
            at = f"{hour}:{chance.randrange(60):02d}:{chance.randrange(60):02d}.123000"
            row = blank | {
                "$insert_id": str(uuid.UUID(int=chance.getrandbits(128))),
                "amplitude_id": 10**11 + learner,
                "app": 1,
                "client_event_time": at,
                "country": "France",
                "device_id": str(uuid.UUID(int=learner)),
                "event_properties": {
                    "course_id": f"course-{learner % 50}",
                    "lesson_id": f"lesson-{chance.randrange(500)}",
                    "page": "/courses/introduction/chapters/one",
                    "referrer": "https://example.org/some/path/to/a/page",
                },
                "event_time": at,
                "event_type": chance.choice(["lesson_completed", "page_viewed", "login"]),
                "ip_address": "203.0.113.7",
                "library": "amplitude-ts/2.11.1",
                "server_upload_time": at,
                "session_id": 1_704_067_200_000 + learner,
                "user_id": None if chance.random() < 0.2 else f"learner-{learner}",
                "user_properties": {
                    "email": f"learner-{learner}@example.org",
                    "initial_utm_source": "newsletter",
                    "language": "fr",
                    "plan": "free",
                },
                "uuid": str(uuid.UUID(int=chance.getrandbits(128))),
            }
            rows.append(json.dumps(row, separators=(",", ":")))
        name = f"1_{hour.replace(' ', '_')}#{number}.json.gz"
        (folder / name).write_bytes(gzip.compress("\n".join(rows).encode() + b"\n", 6))


@dataclass(frozen=True)
class Cost:
    """Seconds on the clock, and of all processors together."""

    clock: float
    processor: float


@contextmanager
def measured(costs: list[Cost]) -> Iterator[None]:
    """Add what a block costs, with the processes that it starts and waits for."""
    start, before = time.perf_counter(), sum(os.times()[:4])
    yield
    costs.append(Cost(time.perf_counter() - start, sum(os.times()[:4]) - before))


def unzip(folder: Path) -> None:
    """`zcat` on two processes, the measure that most would take."""
    command = f"ls {folder}/*.gz | xargs -P2 -n10 zcat > /dev/null"
    subprocess.run(["/bin/sh", "-c", command], check=True)


def load(settings: Settings) -> None:
    """From an empty warehouse to all events committed: find, hash, read, judge repeats."""
    shutil.rmtree(settings.warehouse.parent, ignore_errors=True)
    with connect(settings) as connection:
        load_landing(
            connection,
            settings,
            contracts=read_contracts(settings.sources),
            inventory=take_inventory(settings.landing),
            run_id="benchmark",
            load_number=stamp_run(connection, "benchmark"),
            secret=b"the secret of the benchmark",
        )


def figures(arguments: Sequence[str] = ()) -> list[Figure]:
    """Print a line a turn; returns the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="northstar-benchmark-") as name:
        folder = Path(name)
        settings = Settings(data_dir=folder / "data", sources_dir=folder / "sources")
        settings.sources.mkdir()
        (settings.sources / "plan.yml").write_text(_PLAN)
        write_exports(settings.landing / "amplitude", options.events, options.files)
        costs: list[Cost] = []
        ratios, processor_ratios = [], []
        for _ in range(options.turns):
            with measured(costs):
                unzip(settings.landing / "amplitude")
            with measured(costs):
                load(settings)
            unzipping, loading = costs[-2:]
            ratios.append(loading.clock / unzipping.clock)
            processor_ratios.append(loading.processor / unzipping.processor)
            print(
                f"zcat {unzipping.clock:.2f} s, load {loading.clock:.2f} s, "
                f"ratio {ratios[-1]:.2f}; of processor time {processor_ratios[-1]:.2f}"
            )
    return [
        figure_of_turns(
            "loading",
            "the whole load, against zcat of the same files on two cores",
            f"{options.events:,} events in {options.files} files",
            ratios,
            at_most(1.5),
            note=f"of processor time {min(processor_ratios):.2f} to {max(processor_ratios):.2f}",
        )
    ]
