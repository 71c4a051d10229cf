"""The pseudonym key is found, checked, and never changes unnoticed."""

from __future__ import annotations

import hashlib
import hmac
import os
import subprocess
import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from orchestration.errors import SecretError, SettingsError
from orchestration.secret import pseudonym_key
from orchestration.settings import Settings, read_settings, secret_withheld

SECRET = "a secret of the school"
OTHER = "another secret entirely"


def _settings(data: Path, secret: str | None = None) -> Settings:
    return Settings(data_dir=data, secret=None if secret is None else SecretStr(secret))


@pytest.fixture(autouse=True)
def _no_secret_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NORTHSTAR_SECRET", raising=False)
    # What is read without a folder of its own would leave its fingerprint in the repository's.
    monkeypatch.setenv("NORTHSTAR_DATA_DIR", str(tmp_path))


def _build_warehouse(data: Path) -> None:
    settings = _settings(data)
    settings.warehouse.parent.mkdir(parents=True)
    settings.warehouse.touch()


def _content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_own_exports_use_the_secret_as_it_is(tmp_path: Path) -> None:
    assert pseudonym_key(_settings(tmp_path, SECRET), is_demo=False) == SECRET.encode()


def test_a_secret_may_come_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NORTHSTAR_SECRET_FILE", str(tmp_path / "secret"))
    with pytest.raises(SettingsError, match="NORTHSTAR_SECRET_FILE cannot be read"):
        read_settings()

    (tmp_path / "secret").write_text(f"{SECRET}\n")
    assert pseudonym_key(read_settings(), is_demo=False) == SECRET.encode()

    monkeypatch.setenv("NORTHSTAR_SECRET", OTHER)
    with pytest.raises(SettingsError, match="both set; keep one") as error:
        read_settings()
    (tmp_path / "secret").write_bytes(b"\xff\xfe")
    monkeypatch.delenv("NORTHSTAR_SECRET")
    with pytest.raises(SettingsError, match="UnicodeDecodeError") as second:
        read_settings()
    assert SECRET not in str(error.value) + str(second.value)
    assert OTHER not in str(error.value)


def test_a_withheld_secret_is_inherited_by_nobody_and_still_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NORTHSTAR_SECRET", SECRET)

    with secret_withheld():
        secret = read_settings().secret
        inherited = subprocess.run(["env"], capture_output=True, text=True, check=True).stdout

    assert secret is not None
    assert secret.get_secret_value() == SECRET
    assert SECRET not in inherited
    assert os.environ["NORTHSTAR_SECRET"] == SECRET


def test_own_exports_without_a_secret_stop_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match="NORTHSTAR_SECRET is not set"):
        pseudonym_key(_settings(tmp_path), is_demo=False)
    assert list(tmp_path.iterdir()) == []


def test_the_key_of_a_demo_is_made_once_and_the_caller_is_told(tmp_path: Path) -> None:
    told: list[Path] = []
    first = pseudonym_key(_settings(tmp_path), is_demo=True, on_made=told.append)
    second = pseudonym_key(_settings(tmp_path), is_demo=True, on_made=told.append)
    assert first == second
    assert len(first) == 64
    assert told == [tmp_path / "state" / "demo.key"]


def test_two_demos_have_two_keys(tmp_path: Path) -> None:
    one = pseudonym_key(_settings(tmp_path / "one"), is_demo=True)
    two = pseudonym_key(_settings(tmp_path / "two"), is_demo=True)
    assert one != two


def test_the_state_is_private(tmp_path: Path) -> None:
    pseudonym_key(_settings(tmp_path), is_demo=True)
    state = tmp_path / "state"
    modes = {path.name: path.stat().st_mode & 0o777 for path in [state, *state.iterdir()]}
    assert modes == {"state": 0o700, "demo.key": 0o600, "key_fingerprint.json": 0o600}


def test_another_secret_stops_before_anything_is_written(tmp_path: Path) -> None:
    pseudonym_key(_settings(tmp_path, SECRET), is_demo=False)
    before = _content(tmp_path)
    with pytest.raises(SecretError, match="not the secret that this data was built with"):
        pseudonym_key(_settings(tmp_path, OTHER), is_demo=False)
    assert _content(tmp_path) == before
    assert pseudonym_key(_settings(tmp_path, SECRET), is_demo=False) == SECRET.encode()


def test_another_secret_stops_even_when_the_warehouse_is_gone(tmp_path: Path) -> None:
    """The state outlives the warehouse, and what it holds was made with the old key."""
    pseudonym_key(_settings(tmp_path, SECRET), is_demo=False)
    assert not _settings(tmp_path).warehouse.exists()
    with pytest.raises(SecretError):
        pseudonym_key(_settings(tmp_path, OTHER), is_demo=False)


def test_own_exports_follow_a_demo_once_its_warehouse_is_removed(tmp_path: Path) -> None:
    pseudonym_key(_settings(tmp_path), is_demo=True)
    _build_warehouse(tmp_path)
    with pytest.raises(SecretError, match="make clean"):
        pseudonym_key(_settings(tmp_path, SECRET), is_demo=False)
    _settings(tmp_path).warehouse.unlink()
    assert pseudonym_key(_settings(tmp_path, SECRET), is_demo=False) == SECRET.encode()
    with pytest.raises(SecretError):
        pseudonym_key(_settings(tmp_path, OTHER), is_demo=False)


def test_a_demo_with_the_schools_secret_binds_once_own_exports_used_it(tmp_path: Path) -> None:
    pseudonym_key(_settings(tmp_path, SECRET), is_demo=True)
    pseudonym_key(_settings(tmp_path, SECRET), is_demo=False)
    with pytest.raises(SecretError, match="not the secret"):
        pseudonym_key(_settings(tmp_path, OTHER), is_demo=False)


def test_a_demo_beside_the_state_of_own_exports_stops(tmp_path: Path) -> None:
    pseudonym_key(_settings(tmp_path, SECRET), is_demo=False)
    before = _content(tmp_path)
    with pytest.raises(SecretError, match="NORTHSTAR_DATA_DIR"):
        pseudonym_key(_settings(tmp_path), is_demo=True)
    assert _content(tmp_path) == before


def test_a_demo_beside_the_state_of_own_exports_stops_with_their_secret_too(
    tmp_path: Path,
) -> None:
    """Where the exports' disk is not mounted, their secret is still set."""
    pseudonym_key(_settings(tmp_path, SECRET), is_demo=False)
    before = _content(tmp_path)
    with pytest.raises(SecretError, match="NORTHSTAR_DATA_DIR"):
        pseudonym_key(_settings(tmp_path, SECRET), is_demo=True)
    assert _content(tmp_path) == before


def test_a_damaged_fingerprint_stops(tmp_path: Path) -> None:
    pseudonym_key(_settings(tmp_path, SECRET), is_demo=False)
    (tmp_path / "state" / "key_fingerprint.json").write_text("{")
    with pytest.raises(SecretError, match=r"key_fingerprint\.json cannot be read"):
        pseudonym_key(_settings(tmp_path, SECRET), is_demo=False)


def test_the_fingerprint_is_neither_the_secret_nor_a_plain_hash_of_it(tmp_path: Path) -> None:
    pseudonym_key(_settings(tmp_path / "a", SECRET), is_demo=False)
    pseudonym_key(_settings(tmp_path / "b", SECRET), is_demo=False)
    one, two = (
        (tmp_path / name / "state" / "key_fingerprint.json").read_text() for name in ("a", "b")
    )
    assert SECRET not in one
    assert hashlib.sha256(SECRET.encode()).hexdigest() not in one
    plain = hmac.new(SECRET.encode(), b"northstar pseudonym key", hashlib.sha256).hexdigest()
    assert plain not in one
    assert one != two  # salted: equal secrets do not show


def test_a_guess_costs_milliseconds_but_a_run_hardly_notices(tmp_path: Path) -> None:
    pseudonym_key(_settings(tmp_path, SECRET), is_demo=False)
    start = time.process_time()
    pseudonym_key(_settings(tmp_path, SECRET), is_demo=False)
    assert 0.005 < time.process_time() - start < 0.5
