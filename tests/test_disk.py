"""A full disk is told as one, whoever found it."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

import pytest

from orchestration.cli import main
from orchestration.disk import disk_full
from orchestration.durable import remove_drafts, write_file
from orchestration.errors import PublishingError, TransformError
from orchestration.settings import Settings


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EFBIG, "File too large"),
        sqlite3.OperationalError("database or disk is full"),
        TransformError("dbt did not finish: m (IO Error: ... No space left on device). Correct"),
    ],
)
def test_a_full_disk_is_told_with_its_folder_and_a_remedy(tmp_path: Path, error: Exception) -> None:
    told = disk_full(error, Settings(data_dir=tmp_path))

    assert str(told).startswith(f"The disk of {tmp_path} is full (")
    assert "run again" in str(told)


def test_a_full_disk_is_found_behind_other_errors(tmp_path: Path) -> None:
    def fail() -> None:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError:
            raise PublishingError("Writing failed.") from None

    with pytest.raises(PublishingError) as caught:
        fail()
    assert disk_full(caught.value, Settings(data_dir=tmp_path)) is not None


def test_other_errors_are_not_of_a_full_disk(tmp_path: Path) -> None:
    error = OSError(errno.EACCES, "Permission denied")
    assert disk_full(error, Settings(data_dir=tmp_path)) is None


def test_the_command_says_it_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setenv("NORTHSTAR_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("orchestration.cli.verified", full)

    assert main(["verify"]) == 1
    assert capsys.readouterr().err.startswith(f"The disk of {tmp_path} is full")


def test_what_killed_processes_were_about_to_rename_goes(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    write_file(tmp_path / "demo.key", b"key", 0o600)
    for name in (".demo.key.4711", "below/.000002.json.12", ".keep.txt", "also.4711"):
        (tmp_path / name).write_text("draft")
    (tmp_path / ".current.99").symlink_to("nowhere")

    remove_drafts(tmp_path)

    left = sorted(path.name for path in tmp_path.rglob("*") if not path.is_dir())
    assert left == [".keep.txt", "also.4711", "demo.key"]
