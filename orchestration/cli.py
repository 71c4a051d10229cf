"""`python -m orchestration`: what the Makefile calls."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import date, datetime
from pathlib import Path
from uuid import uuid4

from orchestration.demo import is_vacant, read_marker
from orchestration.disk import disk_full
from orchestration.display import Display
from orchestration.errors import ErasureError, LandingError, NorthstarError
from orchestration.history import published_on, verified
from orchestration.home import prepare_home
from orchestration.inputs import is_demo, is_published, school_of
from orchestration.landing import take_inventory
from orchestration.liveness import dead_runs
from orchestration.lock import Holder, held_descriptor, rebuild_lock
from orchestration.progress import listening
from orchestration.publishing import export_csv, headline, published_file, render_headline
from orchestration.secret import is_rotating, refuse_demo
from orchestration.settings import REPOSITORY, Settings, read_settings, secret_withheld
from orchestration.stopping import stops_recognised
from orchestration.tombstones import unfinished


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code. What a user can put right is told in one sentence."""
    try:
        _refuse(sys.argv[1:] if arguments is None else arguments)
        options = _parser().parse_args(arguments)
        with _alerting(options), secret_withheld():
            settings = read_settings()
            with _full_disk_told(settings), _stop_told(settings):
                _COMMANDS[options.command](settings, options)
    except NorthstarError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt as stop:
        print("Stopped.", *stop.args, file=sys.stderr)
        return 130
    return 0


def _refuse(arguments: Sequence[str]) -> None:
    """Refuse arguments beside a command that takes none; they are not repeated.

    Raises:
        ErasureError: an id or a secret may have been given where histories and lists of processes
            have it.
    """
    command = next((one for one in arguments if one in _FROM_STANDARD_INPUT), None)
    if command is not None and list(arguments) not in ([command], [command, "--help"]):
        raise ErasureError(
            f"`{command}` takes no arguments: it reads from standard input, since the history of "
            "the shell keeps arguments. Remove this line from it. Nothing was changed."
        )


@contextmanager
def _stop_told(settings: Settings) -> Iterator[None]:
    """Tell who stops a command what readers have now.

    Raises:
        KeyboardInterrupt: with a sentence about the published file.
    """
    before = _identity(published_file(settings))
    try:
        with stops_recognised():
            yield
    except KeyboardInterrupt:
        is_same = _identity(published_file(settings)) == before
        state = "as it was" if is_same else "the new one, which was complete already"
        raise KeyboardInterrupt(f"The published file is {state}.") from None


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def _full_disk_told(settings: Settings) -> Iterator[None]:
    """Name the full disk, not the many ways in which writers fail for lack of space."""
    try:
        yield
    except Exception as error:
        full = disk_full(error, settings)
        if full is None:
            raise
        raise full from error


def _alerting(options: argparse.Namespace) -> AbstractContextManager[None]:
    """Cron may have called: whatever ends a run reaches a person."""
    if options.command != "run":
        return nullcontext()
    from orchestration.watching import failures_alerted

    return failures_alerted(options.run_id)


def run(settings: Settings, options: argparse.Namespace) -> None:
    """Bring the published file up to date with the landing folder, and print its figures."""
    from orchestration.watching import watch

    run_id = options.run_id
    with Display() as display, listening(display.hear):
        watch(settings)

        def tell_who_holds_the_lock(holder: Holder) -> None:
            display.status(f"Waiting for another rebuild: {holder}")

        with rebuild_lock(settings, run_id, on_wait=tell_who_holds_the_lock):
            if is_vacant(settings.landing):
                refuse_demo(settings)
                from orchestration.rebuilding import start

                with _demo_written_meanwhile(settings, display):
                    start(settings)
            _complete(settings, display)
            # Nothing of Dagster or dbt is imported for this: it answers at once.
            if is_published(settings, take_inventory(settings.landing)):
                verified(settings)
                if dead_runs(settings):
                    from orchestration.rebuilding import clear_up

                    clear_up(settings, run_id)
                display.show("Nothing new: exports, contracts, models and settings are the same.")
            else:
                is_demo(settings)
                from orchestration.rebuilding import rebuild

                rebuild(settings, run_id, display)
        watch(settings)
        path = published_file(settings)
        display.show("", render_headline(headline(path), path))


def _lines_folder(settings: Settings) -> Path:
    """Where `show-line` unpacks: not what a run empties while it loads."""
    return settings.scratch.with_name("lines")


def _complete(settings: Settings, display: Display) -> None:
    """Complete what an erasure or a rotation of the key has left; a rebuild does the rest."""
    # What killed processes have left of exports.
    for folder in (settings.scratch, _lines_folder(settings)):
        shutil.rmtree(folder, ignore_errors=True)
    if unfinished(settings, school_of(settings)) or is_rotating(settings):
        from orchestration.erasing.requests import finish
        from orchestration.erasing.rotating import finish_rotation
        from orchestration.erasing.sweeping import accept_in_demo

        accept_in_demo(settings, school_of(settings))
        for report in finish(settings):
            display.hear(report)
        finish_rotation(settings)


def erase(settings: Settings, options: argparse.Namespace) -> None:
    """Erase people by user id or e-mail, read from standard input, one a line."""
    from orchestration.erasing.commands import erase, read_seeds

    seeds = read_seeds(sys.stdin)
    with _rebuilding(settings, options.run_id) as display:
        erase(settings, seeds, options.run_id, display)


def rotate_key(settings: Settings, options: argparse.Namespace) -> None:
    """Change the pseudonym key; the new secret is read from standard input."""
    from orchestration.erasing.commands import read_secret, rotate

    given = read_secret(settings, sys.stdin)
    with _rebuilding(settings, options.run_id) as display:
        rotate(settings, given, options.run_id, display)


@contextmanager
def _rebuilding(settings: Settings, run_id: str) -> Iterator[Display]:
    """Show what is done, and hold the rebuild lock; who holds it is told while waiting."""
    with Display() as display, listening(display.hear):

        def tell_who_holds_the_lock(holder: Holder) -> None:
            display.status(f"Waiting for another rebuild: {holder}")

        with rebuild_lock(settings, run_id, on_wait=tell_who_holds_the_lock):
            yield display


@contextmanager
def _demo_written_meanwhile(settings: Settings, display: Display) -> Iterator[None]:
    """Write the demo on the other core while this process starts: both take a dozen seconds.

    Raises:
        LandingError: in the words of whoever wrote it.
    """
    display.status("Writing demo exports")
    with subprocess.Popen(
        [sys.executable, "-m", "orchestration.demo"],
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever writes holds the lock: should this process be killed, nobody else begins before
        # that one has ended.
        pass_fds=[held_descriptor(settings)],
    ) as writing:
        try:
            yield
            _, said = writing.communicate()
        finally:
            writing.kill()
    if writing.returncode != 0:
        raise LandingError(said.strip() or "The demo exports were not written. Run again.")
    if (marker := read_marker(settings.landing)) is not None:
        truth = marker.truth
        display.done(
            f"The landing folder was empty: wrote demo exports of {truth.learners:,} invented "
            f"learners ({truth.first_day} to {truth.last_day}) to {settings.landing}"
        )


def home(settings: Settings, _: argparse.Namespace) -> None:
    """Prepare DAGSTER_HOME and the manifest, and print where the home is."""
    from orchestration.transforming import ensure_manifest

    ensure_manifest(settings)
    print(prepare_home(settings))


def clean(settings: Settings, _: argparse.Namespace) -> None:
    """Remove what runs made and can make again."""
    from orchestration.cleaning import clean

    stay = clean(settings)
    print(
        "Removed the warehouse, published files, alerts, Dagster's home, dbt's target and demo "
        "exports."
    )
    if stay:
        print(f"{len(stay)} files of your own stay in {settings.landing}.")


def show_line(settings: Settings, options: argparse.Namespace) -> None:
    """Print one line of a landing file, as `raw.quarantined_rows` names it."""
    from orchestration.loading.show import show_line

    print(show_line(settings.landing, options.path, options.line, _lines_folder(settings)))


def csv(settings: Settings, options: argparse.Namespace) -> None:
    """Write a published table as CSV, in which no text can be taken for a formula."""
    export_csv(settings, options.table, Path(options.to).absolute())


def verify(settings: Settings, options: argparse.Namespace) -> None:
    """Verify that nobody has changed what was once published; prints the heads of the chains."""
    for sentence in verified(settings, options.head):
        print(sentence)


def history(settings: Settings, options: argparse.Namespace) -> None:
    """Print what was published about a month, now or at the end of an earlier day (UTC)."""
    from rich.console import Console

    Console(width=160).print(published_on(settings, options.month, options.on))


def _month(text: str) -> date:
    return datetime.strptime(text, "%Y-%m").date()


_FROM_STANDARD_INPUT = ("erase", "rotate-key")
_COMMANDS: Mapping[str, Callable[[Settings, argparse.Namespace], None]] = {
    "run": run,
    "home": home,
    "clean": clean,
    "erase": erase,
    "rotate-key": rotate_key,
    "show-line": show_line,
    "csv": csv,
    "verify": verify,
    "history": history,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m orchestration", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, function in _COMMANDS.items():
        command = commands.add_parser(name, help=function.__doc__, description=function.__doc__)
        if name in ("run", *_FROM_STANDARD_INPUT):
            command.set_defaults(run_id=str(uuid4()))
        if name == "show-line":
            command.add_argument("path", help="in the landing folder; `a.zip::member` inside a zip")
            command.add_argument("line", type=int, help="from 1")
        if name == "csv":
            command.add_argument("table", help="such as nps.agg_nps")
            command.add_argument("--to", default="/dev/stdout", help="a file; else printed")
        if name == "verify":
            command.add_argument("head", nargs="?", help="a head that a run once printed")
        if name == "history":
            command.add_argument("month", type=_month, help="such as 2024-03")
            command.add_argument("--on", type=date.fromisoformat, help="a day, such as 2025-01-10")
    return parser
