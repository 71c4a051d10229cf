"""Bad input of every source: nothing stops the load, and nothing good is lost.

`NORTHSTAR_TORTURE=full` mutates 10,000 files, else 200; a failure prints the seed that repeats it.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import threading
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from orchestration.digests import digest_of_file
from orchestration.landing.archives import Limits
from tests.torture.corpus import Template, event, make_templates, response, ticket
from tests.torture.landings import Loaded, School, check_accounts, good_rows, make_batch
from tests.torture.measure import MEASURE, SEED, Measure

FILES_A_LOAD = 100
MIB = 2**20
EVENTS = "amplitude/4242_2024-02-01_3#0.json"
SURVEY_HEADER = b"Id,At,Learner,E-mail,Score,Comment,Income,Outcome,Since\n"


class Corpus:
    """Good files, to be damaged and to be left alone, and what their rows are in the warehouse."""

    def __init__(self, folder: Path) -> None:
        self.school = School(folder)
        self.templates: Sequence[Template] = make_templates(2, first_number=1_000)
        self.good: Sequence[Template] = make_templates(1, first_number=90_000)
        self.known = good_rows(self.school, [*self.templates, *self.good])


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def school(tmp_path: Path) -> School:
    school = School(tmp_path)
    school.clear()
    return school


@pytest.mark.parametrize("batch", range(-(-MEASURE.files // FILES_A_LOAD)))
def test_damaged_files_cost_no_good_row_and_every_row_is_accounted_for(
    corpus: Corpus, measure: Measure, batch: int
) -> None:
    # The short form mutates the same files every time: what new ones find is for the full one.
    seed = measure.seed if measure.is_full or os.environ.get(SEED) else 20261122
    chance = random.Random(f"{seed} files {batch}")
    good = chance.sample(list(corpus.good), 15)
    landed = make_batch(chance, corpus.templates, good, FILES_A_LOAD)

    assert landed.files >= FILES_A_LOAD
    landed.load(corpus.school, corpus.known)


# -- bombs -----------------------------------------------------------------------------------------


def bomb(inflated: int) -> bytes:
    """A gzip of zeros, a thousandth of its content: members in a row, which is quick to write."""
    member = gzip.compress(b"\0" * (16 * MIB), mtime=0)
    return member * -(-inflated // (16 * MIB))


def zipped(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return packed.getvalue()


@contextmanager
def largest(folder: Path) -> Iterator[list[int]]:
    """The most bytes that a folder ever held, in a list, once the block is over."""
    found = [0]
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            size = 0
            with suppress(FileNotFoundError):  # what is looked at is removed meanwhile
                for path in folder.rglob("*.txt"):
                    size += path.stat().st_size
            found[0] = max(found[0], size)
            time.sleep(0.002)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield found
    finally:
        over.set()
        watching.join()


def test_bombs_are_told_by_the_ledger_and_take_no_room(school: School, measure: Measure) -> None:
    inflated = 10 * 2**30 if measure.is_full else 256 * MIB
    packed = bomb(inflated)
    name = "4242_2024-02-01_4#0.json.gz"
    school.land("amplitude/4242_2024-02-01_3#0.json.gz", packed)
    school.land("zendesk/tickets-bomb.json.gz", packed + b"\0")
    school.land("surveys/plain-bomb.csv.gz", packed + b"\0\0")
    school.land("amplitude/gzip-in-zip.zip", zipped(name, packed + b"\0\0\0"))
    school.land("amplitude/zip.zip", zipped(name.removesuffix(".gz"), b" " * (256 * MIB)))
    school.land("amplitude/gzip-in-gzip/4242_2024-02-01_5#0.json.gz", gzip.compress(packed))
    school.land("amplitude/4242_2024-02-01_6#0.json", json.dumps(event(1)).encode())

    with largest(school.settings.scratch) as size:
        loaded = school.load()

    told = {path: (entry["status"], entry["reason"]) for path, entry in loaded.ledger.items()}
    refused = ("unreadable", Limits().told)
    assert told == {
        "amplitude/4242_2024-02-01_3#0.json.gz": refused,
        "zendesk/tickets-bomb.json.gz": refused,
        "surveys/plain-bomb.csv.gz": refused,
        f"amplitude/gzip-in-zip.zip::{name}": refused,
        "amplitude/zip.zip::4242_2024-02-01_4#0.json": refused,
        "amplitude/gzip-in-gzip/4242_2024-02-01_5#0.json.gz": (
            "unreadable",
            "holds a gzip inside of its gzip; unpack it once",
        ),
        "amplitude/4242_2024-02-01_6#0.json": ("loaded", None),
    }
    # Two files are unpacked at a time.
    assert 0 < size[0] <= 2 * Limits().of(len(packed)) + 4 * MIB
    assert not school.settings.scratch.exists()


def test_a_bomb_is_not_tried_again_until_its_limit_changes(tmp_path: Path) -> None:
    school = School(tmp_path)
    school.clear()
    events = b"".join(json.dumps(event(1)).encode() + b" " * 900 + b"\n" for _ in range(3_000))
    school.land(f"{EVENTS}.gz", gzip.compress(events))
    assert school.load().ledger[f"{EVENTS}.gz"]["status"] == "unreadable"

    for ratio, rows in ((200, 0), (1_000, 3_000)):
        changed = School(tmp_path, max_inflation_ratio=ratio)
        entry = changed.load().ledger[f"{EVENTS}.gz"]
        assert entry["rows_in"] == rows


# -- giant lines -----------------------------------------------------------------------------------


def test_a_giant_line_costs_itself_only(school: School, measure: Measure) -> None:
    giant = b"x" * ((100 if measure.is_full else 34) * MIB)  # DuckDB's reader may take up to 32
    padded = {
        "events": json.dumps(event(1) | {"city": "?"}).encode().replace(b'"?"', b'"%s"' % giant),
        "tickets": json.dumps(ticket(1) | {"x": "?"}).encode().replace(b'"?"', b'"%s"' % giant),
    }
    school.land(EVENTS, _around(padded["events"], event(2), event(3)))
    school.land("zendesk/tickets.json", _around(padded["tickets"], ticket(2), ticket(3)))
    school.land("satismeter/one.json", giant + b"\n" + json.dumps(response(1)).encode())
    row = b"r%d,2024-05-01T10:00:00Z,learner-1,e@x.org,9,%s,1,,\n"
    survey = SURVEY_HEADER + row % (1, b"c") + row % (2, giant) + row % (3, b"c")
    school.land("surveys/plain-1.csv", survey)

    loaded = school.load()

    check_accounts(loaded)
    assert outcome(loaded) == {
        EVENTS: (2, [(2, "a line of more than 16 MiB")]),
        "zendesk/tickets.json": (2, [(2, "is a line of more than 16 MiB")]),
        "satismeter/one.json": (1, [(1, "is a line of more than 16 MiB")]),
        "surveys/plain-1.csv": (2, [(3, "is longer than 2 MiB")]),
    }


def _around(line: bytes, before: object, after: object) -> bytes:
    return b"\n".join([json.dumps(before).encode(), line, json.dumps(after).encode(), b""])


def outcome(loaded: Loaded) -> dict[str, tuple[int, list[tuple[int | None, str]]]]:
    """Rows loaded, and lines and reasons of those that were not, by file."""
    return {
        path: (
            entry["loaded"],
            [(line, why) for line, _, why in loaded.quarantined.get(entry["file_id"], [])],
        )
        for path, entry in loaded.ledger.items()
    }


@pytest.mark.parametrize("text", [b'},{"id":[', b'["tickets":[x,{"id":[', b'[{"a', b'{"x":"},{'])
def test_a_text_that_is_made_to_take_for_ever_does_not(school: School, text: bytes) -> None:
    school.land("zendesk/tickets.json", text * (2 * MIB // len(text)))
    school.land("zendesk/users.json", b'{"users": [' + text * (2 * MIB // len(text)))

    started = time.process_time()
    loaded = school.load()

    check_accounts(loaded)
    # Quadratic, it would be hours.
    assert time.process_time() - started < 60


# -- what is no export -----------------------------------------------------------------------------


def test_what_is_no_file_is_passed_over(school: School) -> None:
    good = json.dumps(event(1)).encode()
    school.land(f"amplitude/4242_2024-02-01_7#0.json/{EVENTS}", good)
    folder = school.settings.landing
    (folder / "zendesk" / "tickets.json").mkdir(parents=True)
    (folder / "nowhere.csv").symlink_to("/nowhere/at/all")
    (folder / "itself.csv").symlink_to(folder / "itself.csv")
    (folder / "around").symlink_to(folder, target_is_directory=True)
    os.mkfifo(folder / "pipe.csv")

    loaded = school.load()

    assert [(e["path"], e["loaded"]) for e in loaded.ledger.values()] == [
        (f"amplitude/4242_2024-02-01_7#0.json/{EVENTS}", 1)
    ]


def test_files_that_may_not_be_read_or_go_while_they_are_stand_in_the_ledger(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("closed", "going"):
        school.land(f"surveys/plain-{name}.csv", SURVEY_HEADER + name.encode())
    school.land(EVENTS, json.dumps(event(1)).encode())

    def hash_some(path: Path) -> str:
        if path.name == "plain-closed.csv":
            raise PermissionError(13, "Permission denied", str(path))
        digest = digest_of_file(path)
        if path.name == "plain-going.csv":
            path.unlink()
        return digest

    monkeypatch.setattr("orchestration.loading.load.digest_of_file", hash_some)
    loaded = school.load()

    assert {path: (e["status"], e["reason"], e["loaded"]) for path, e in loaded.ledger.items()} == {
        "surveys/plain-closed.csv": (
            "unreadable",
            "cannot be opened (PermissionError); let the user that runs northstar read it",
            0,
        ),
        "surveys/plain-going.csv": (
            "unreadable",
            "cannot be opened (FileNotFoundError); let the user that runs northstar read it",
            0,
        ),
        EVENTS: ("loaded", None, 1),
    }
