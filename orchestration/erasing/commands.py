"""`make erase` and `make rotate-key`: what they do from standard input to the last sentence.

Neither an id nor a secret is ever an argument, a setting or part of a run's configuration: those
are kept in histories, process lists and records of runs. Dagster's run learns the tombstone's id.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from getpass import getpass
from typing import IO
from uuid import uuid4

from orchestration.display import Display
from orchestration.erasing.requests import find_person, take_out, write_down
from orchestration.erasing.rotating import finish_rotation, new_secret, replace_secret
from orchestration.erasing.sweeping import accept_in_demo
from orchestration.errors import ErasureError, NorthstarError
from orchestration.inputs import is_demo, is_published, school_of
from orchestration.landing import take_inventory
from orchestration.lock import lent
from orchestration.rebuilding import rebuild
from orchestration.secret import pseudonym_key
from orchestration.settings import Settings, read_settings, secret_withheld
from orchestration.tombstones import Tombstone, told_of, unfinished

_MOST_SEEDS = 1_000
_LONGEST_SEED = 1_000
TOMBSTONE_TAG = "northstar/tombstone"
_NEW = "NORTHSTAR_SECRET_NEW"


def read_seeds(stream: IO[str]) -> list[str]:
    """User ids or e-mails, one a line.

    Raises:
        ErasureError: there is none, or something else than ids was written there.
    """
    if stream.isatty():
        print("User id or e-mail, one a line, then Ctrl-D:", file=sys.stderr)
    seeds = list(dict.fromkeys(line.strip() for line in stream if line.strip()))
    if not seeds:
        raise ErasureError(
            "Nobody was named. Write a user id or an e-mail to standard input, one a line: "
            "`make erase < requests.txt`. Nothing was changed."
        )
    if len(seeds) > _MOST_SEEDS or max(map(len, seeds)) > _LONGEST_SEED:
        raise ErasureError(
            f"More than {_MOST_SEEDS:,} lines, or one of more than {_LONGEST_SEED:,} characters: "
            "this does not look like ids. Nothing was changed."
        )
    return seeds


def erase(settings: Settings, seeds: Sequence[str], run_id: str, display: Display) -> None:
    """Erase people everywhere, rebuild, and print what was removed from where.

    The caller holds the rebuild lock under `run_id`.

    Args:
        settings: of the run.
        seeds: user ids or e-mails; they are told to nobody.
        run_id: of the rebuild that follows.
        display: shows progress; what the run tells, such as the report, it has to hear.

    Raises:
        ErasureError: nobody is known by any of the ids, or the erasure waits for something.
    """
    accept_in_demo(settings, school_of(settings))
    is_on_demo = is_demo(settings)
    school = school_of(settings)
    secret = pseudonym_key(settings, is_demo=is_on_demo)
    if unfinished(settings, school) or not is_published(settings, take_inventory(settings.landing)):
        # What arrived since the last run may hold more ids of the same people.
        display.show("Building first: exports or rules are not those of the published file.")
        first = str(uuid4())
        with lent(settings, first):
            rebuild(settings, first, display)
    display.status("Looking for all ids")
    found = [find_person(settings, seed, secret) for seed in seeds]
    people = [(request, until) for request, until in found if request is not None]
    unknown = [str(number) for number, (one, _) in enumerate(found, start=1) if one is None]
    if unknown:
        display.warning(
            f"Nobody is known by the id of line {', '.join(unknown)}: neither the warehouse nor "
            "any file in the landing folder names it."
        )
    if not people:
        raise ErasureError("Nothing was changed.")
    stones: list[Tombstone] = []
    for request, until in people:
        stones.append(write_down(settings, school, request, secret, until))
    for stone, (request, _) in zip(stones, people, strict=True):
        display.status("Taking the rows out of the landing folder")
        take_out(settings, school, stone, request.ids, request.linked.rows)
    display.done("Took the rows out of the landing folder, and removed the warehouse")
    tags = {TOMBSTONE_TAG: ",".join(str(stone.id) for stone in stones)}
    try:
        rebuild(settings, run_id, display, tags)
    except NorthstarError as error:
        raise ErasureError(
            f"{error} The landing folder and the warehouse are free of the person; the published "
            "file is not, until `make run` succeeds, which completes the erasure."
        ) from error
    # The run has told the reports: whatever completes an erasure does.
    waiting = {stone.id for stone in unfinished(settings, school)}
    if waiting & {stone.id for stone in stones}:
        raise ErasureError("The erasure is not complete. Run `make run`, which completes it.")
    reports = [told_of(settings, school, stone, "done") for stone in stones]
    display.show(
        "\nDagster's records hold no ids: there is nothing to remove. Ask for the same in the "
        "tools that exported the rows, and delete backups of the landing folder."
    )
    open_files = sum(
        len(report["landing"]["unreadable"]) + len(report["landing"]["unknown"])
        for report in reports
    )
    if open_files:
        raise ErasureError(
            f"{open_files} files in the landing folder are for you to look at (above): remove them "
            "or mend them, and run `make erase` again with the same id."
        )


def read_secret(settings: Settings, stream: IO[str]) -> str | None:
    """The new secret, from NORTHSTAR_SECRET_NEW or the standard input; a terminal does not show it.

    Returns:
        Null where one is to be made, for a demo.
    """
    given = os.environ.get(_NEW)
    if given is not None or (is_demo(settings) and settings.secret is None):
        return given
    return getpass("The new secret, then Enter: ") if stream.isatty() else stream.readline()


def rotate(settings: Settings, given: str | None, run_id: str, display: Display) -> None:
    """Change the pseudonym key by a rebuild from the landing folder; tombstones keep working.

    The caller holds the rebuild lock under `run_id`.

    Args:
        settings: of the run.
        given: the new secret, as `read_secret` returns it.
        run_id: of the rebuild that follows.
        display: shows progress.
    """
    new = new_secret(settings, given)
    replace_secret(settings, new)
    display.done("The new key is in force; the warehouse made with the old one is removed")
    if new is not None:
        os.environ["NORTHSTAR_SECRET"] = new.get_secret_value()
        os.environ.pop("NORTHSTAR_SECRET_FILE", None)
    os.environ.pop(_NEW, None)
    with secret_withheld():
        rebuild(read_settings(), run_id, display)
    finish_rotation(settings)
    display.show("Publications made with the old key are removed.")
    if new is not None:
        display.show("Set NORTHSTAR_SECRET to the new secret wherever northstar runs.")
