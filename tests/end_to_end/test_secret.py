"""The secret of a real run is nowhere: no file, no output, no list of processes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pytest
from pydantic import SecretStr

from orchestration.demo.marker import MARKER_NAME
from orchestration.secret import pseudonym_key
from tests.end_to_end.conftest import School, small_school
from tests.end_to_end.processes import processes

SECRET = "5ecret'of {{ the }} school; 100% $x"


def forms(secret: str) -> dict[str, bytes]:
    """The secret and what would do as well: its encodings, and the keys that are made from it."""
    raw = secret.encode()
    block = raw.ljust(64, b"\0")
    derived = {
        "secret": raw,
        "inner block": bytes(byte ^ 0x36 for byte in block)[:40],
        "outer block": bytes(byte ^ 0x5C for byte in block)[:40],
        "salt of inserts": hmac.new(raw, b"insert:", hashlib.sha256).digest()[:16],
    }
    found = {name: value for name, value in derived.items() if name != "salt of inserts"}
    for name, value in derived.items():
        found[f"hex of {name}"] = value.hex().encode()
        found[f"HEX of {name}"] = value.hex().upper().encode()
        found[f"escapes of {name}"] = "".join(f"\\x{byte:02X}" for byte in value).encode()
        found[f"base64 of {name}"] = base64.b64encode(value)[:24]
    return found


FORMS = forms(SECRET)


def found_in(content: bytes) -> list[str]:
    return [name for name, form in FORMS.items() if form in content]


@dataclass
class Watched:
    """Two runs: the first publishes, the second fails.

    Attributes:
        school: whose folders have hostile names.
        runs: with what they printed.
        commands: of all their processes, sampled all the time.
        environments: of the processes that they started.
    """

    school: School
    runs: list[subprocess.CompletedProcess[str]] = field(default_factory=list)
    commands: set[str] = field(default_factory=set)
    environments: set[bytes] = field(default_factory=set)

    def run(self) -> None:
        process = self.school.start("run", NORTHSTAR_SECRET=SECRET)
        ended = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(process.pid, ended))
        watcher.start()
        try:
            output, errors = process.communicate(timeout=300)
        finally:
            ended.set()
            watcher.join()
        self.runs.append(
            subprocess.CompletedProcess(process.args, process.returncode, output, errors)
        )

    def _watch(self, pid: int, ended: threading.Event) -> None:
        while not ended.wait(0.2):
            found = processes()
            family = {pid}
            for _ in range(3):
                family |= {process.pid for process in found if process.parent in family}
            self.commands |= {process.arguments for process in found if process.pid in family}
            for child in family - {pid}:
                try:
                    self.environments.add(Path(f"/proc/{child}/environ").read_bytes())
                except OSError:  # ended, or no Linux
                    continue


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    made = small_school(tmp_path_factory.mktemp("school"))
    # Own exports, in a place with a name that would break any text it is pasted into.
    data = made.data.with_name("it's {{ a }} [school] 100% $x; ☃")
    made.data.rename(data)
    (data / "landing" / MARKER_NAME).unlink()
    hostile = data / "landing" / "surveys" / "x'; drop schema raw cascade; -- {{ 1/0 }}.csv"
    hostile.parent.mkdir(exist_ok=True)
    hostile.write_text("a,b\n1,2\n")
    watched = Watched(School(made.repository, data))
    watched.run()
    watched.school.add("models/marts/broken.sql", "select error('it broke') as reason")
    watched.run()
    return watched


def test_hostile_names_of_folders_and_files_break_nothing(watched: Watched) -> None:
    first, second = watched.runs

    assert first.returncode == 0, first.stdout + first.stderr
    assert second.returncode == 1
    assert "broken" in second.stderr
    assert watched.school.query("select count(*) > 5 from core.fct_events") == [(True,)]
    with duckdb.connect(str(watched.school.settings.warehouse)) as warehouse:
        files = warehouse.execute(
            "select status from raw.loaded_files where path like '%drop schema%'"
        ).fetchall()
    assert files == [("unrecognised",)]


def test_the_secret_is_in_no_file(watched: Watched) -> None:
    read = {
        path: path.read_bytes()
        for folder in (watched.school.data, watched.school.repository)
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }

    assert {
        path.name: found for path, content in read.items() if (found := found_in(content))
    } == {}
    # What was searched holds the logs and the compiled SQL.
    everything = b"".join(read.values())
    assert b"it broke" in everything
    assert any(path.name == "manifest.json" for path in read)
    assert any("compiled" in path.parts for path in read)
    assert any(path.parent.name == "runs" and path.suffix == ".db" for path in read)


def test_the_secret_is_in_no_table(watched: Watched) -> None:
    """DuckDB compresses text: a search for bytes would not find it."""
    with duckdb.connect(str(watched.school.settings.warehouse)) as warehouse:
        tables = warehouse.execute(
            'select format(\'"{}"."{}"\', schema_name, table_name) from duckdb_tables()'
        ).fetchall()
        for (table,) in tables:
            for name, form in FORMS.items():
                if form.isascii():
                    (rows,) = warehouse.execute(
                        f"select count(*) from {table} as t where contains(t::varchar, ?)",
                        [form.decode()],
                    ).fetchall()
                    assert rows == (0,), (table, name)
    assert len(tables) > 10


def test_the_secret_is_not_printed_and_in_no_list_of_processes(watched: Watched) -> None:
    printed = "".join(run.stdout + run.stderr for run in watched.runs)

    assert found_in(printed.encode()) == []
    assert any("-m orchestration run" in command for command in watched.commands)
    assert found_in("\n".join(watched.commands).encode()) == []
    assert found_in(b"\n".join(watched.environments)) == []


def test_the_search_would_find_it(watched: Watched) -> None:
    """It is the secret that the run used: its fingerprint is the one that was kept."""
    settings = watched.school.settings.model_copy(update={"secret": SecretStr(SECRET)})

    assert pseudonym_key(settings, is_demo=False) == SECRET.encode()
    for name, form in FORMS.items():
        assert name in found_in(b"before" + form + b"after")
