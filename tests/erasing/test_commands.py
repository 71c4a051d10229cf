"""What `erase` and `rotate-key` take from whom, and what they leave where."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import pytest

from orchestration.cli import _complete, main
from orchestration.display import Display
from orchestration.erasing.commands import read_secret
from orchestration.lock import rebuild_lock
from orchestration.settings import Settings
from tests.erasing.canaries import ANN, search

GIVEN = "another secret of the tests"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder without anything in it."""
    monkeypatch.setenv("NORTHSTAR_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.mark.parametrize(
    "arguments",
    [
        ["erase", ANN.email],
        ["erase", f"--user={ANN.user}"],
        ["erase", "--", ANN.user],
        [ANN.user, "erase"],
        ["erase", "--help", ANN.user],
        ["rotate-key", ANN.user],
    ],
)
def test_an_argument_is_refused_and_repeated_nowhere(
    data: Path,
    arguments: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{ANN.user}\n"))

    assert main(arguments) == 1

    told = capsys.readouterr()
    assert "takes no arguments" in told.err
    assert "zqcanary" not in (told.out + told.err).lower()
    assert search(data) == {}


@pytest.mark.parametrize("command", ["erase", "rotate-key"])
def test_whoever_waits_is_told_for_whom(
    data: Path, command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert data.is_dir()
    monkeypatch.setenv("NORTHSTAR_LOCK_WAIT_SECONDS", "0.3")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{GIVEN}\n"))

    with rebuild_lock(Settings(), "the-other-run"):
        assert main([command]) == 1

    assert "Waiting for another rebuild: run the-other-run" in capsys.readouterr().out


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_does_not_show_the_new_secret(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data_dir=data)
    monkeypatch.setattr("orchestration.erasing.commands.getpass", lambda _: GIVEN)

    assert read_secret(settings, _Terminal("shown while it is typed\n")) == GIVEN
    assert read_secret(settings, io.StringIO("from a pipe\n")) == "from a pipe\n"
    monkeypatch.setenv("NORTHSTAR_SECRET_NEW", "of the environment")
    assert read_secret(settings, _Terminal()) == "of the environment"


def test_a_line_is_shown_from_a_private_folder_and_the_next_run_empties_it(
    data: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    settings = Settings()
    settings.landing.mkdir()
    (settings.landing / "answers.csv").write_text(f"{ANN.email}\n")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))

    assert main(["show-line", "answers.csv", "1"]) == 0

    assert capsys.readouterr().out == f"{ANN.email}\n"
    lines = data / "warehouse" / "lines"
    assert lines.stat().st_mode & 0o077 == 0
    assert list(lines.iterdir()) == []
    # A process that was killed leaves it there.
    for folder in (lines, settings.scratch):
        folder.mkdir(exist_ok=True)
        (folder / "content.txt").write_text(ANN.email)
    _complete(settings, Display())
    assert not lines.exists()
    assert not settings.scratch.exists()
