"""Landing folders full of damaged and good files, and what must hold after they were loaded."""

from __future__ import annotations

import gzip
import io
import json
import logging
import random
import re
import shutil
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import duckdb

from orchestration.contracts import Contracts, read_contracts
from orchestration.landing import take_inventory
from orchestration.loading import connect, load_landing, stamp_run
from orchestration.loading.load import SOURCE_TABLES
from orchestration.settings import Settings
from tests.torture.corpus import CANARY, Template, write_contracts
from tests.torture.mutations import Mutated, mutate

SECRET: Final = b"a secret of the tests"
TABLES: Final = tuple(sorted(set(SOURCE_TABLES.values())))
# Names that mean something to SQL, globs, formats, shells or terminals.
_FOLDERS: Final = (
    'it\'s "quoted"',
    "two\nlines",
    "*?[a-z]{x,y}**",
    "%s%d%n%%",
    "$(reboot) `x` ;&|",
    "'; drop table raw.events; --",
    "{{ config }}",
    "é世\N{RIGHT-TO-LEFT OVERRIDE}",
    " ",
    "-rf",
    "a\\b",
    "x" * 200,
)
_READABLE: Final = re.compile(r"[^\x00-\x1f\x7f]{8,300}")


@dataclass(frozen=True)
class Case:
    """A damaged file in the landing folder.

    Attributes:
        path: of the file, in the landing folder.
        stored: its bytes.
        files: what the loader must find in it, by its path in the ledger; empty where it may find
            nothing, or anything.
        told: what was done.
    """

    path: str
    stored: bytes
    files: Mapping[str, Mutated]
    told: str


# -- archives --------------------------------------------------------------------------------------


def pack(chance: random.Random, number: int, templates: Iterator[Template]) -> Case:
    """The next template or templates, damaged, and put into a file of some kind."""
    way = chance.choices(("plain", "gz", "zip"), (3, 3, 4))[0]
    if way == "zip":
        return _zip(chance, number, [next(templates) for _ in range(chance.randint(1, 2))])
    template = next(templates)
    if chance.random() < 0.2:
        template = replace(template, folder=f"{template.folder}/{chance.choice(_FOLDERS)}")
    mutated = mutate(chance, template)
    path = f"{mutated.template.folder}/{mutated.template.stem}"
    if way == "plain":
        return Case(path, mutated.content, {path: mutated}, mutated.told)
    path += ".gz"
    told, stored, inside = _gzip(chance, mutated)
    return Case(path, stored, {path: inside} if inside else {}, f"{told}: {mutated.told}")


def _gzip(chance: random.Random, mutated: Mutated) -> tuple[str, bytes, Mutated | None]:
    """How it was stored, the bytes, and what of it must be found."""
    content = mutated.content
    packed = gzip.compress(content, chance.choice((1, 6)), mtime=0)
    half = len(content) // 2
    unknown = replace(mutated, kept={}, rows_in=None)
    match chance.randrange(12):
        case 0:
            at = chance.randrange(len(packed))
            return f"gzip cut at {at}", packed[:at], _before(mutated, packed[:at])
        case 1:
            damaged = bytearray(packed)
            damaged[chance.randrange(len(packed))] ^= chance.randrange(1, 256)
            return "gzip with another byte", bytes(damaged), unknown
        case 2:
            return "gzip and garbage", packed + b"garbage" * 9, replace(mutated, rows_in=None)
        case 3:
            return "gzip and zeros", packed + b"\0" * 512, mutated
        case 4:
            return (
                "two gzips",
                gzip.compress(content[:half]) + gzip.compress(content[half:]),
                mutated,
            )
        case 5:
            return "gzip in gzip", gzip.compress(packed), unknown
        case 6:
            wrong = packed[:-8] + struct.pack("<II", 1, len(content))
            return "gzip with a wrong sum", wrong, unknown
        case 7:
            return "no gzip at all", content, mutated
    return "gzip", packed, mutated


def _before(mutated: Mutated, packed: bytes) -> Mutated:
    """What must be found in a gzip that ends early: rows before the end, by another library."""
    content = zlib.decompressobj(31).decompress(packed)
    template = mutated.template
    kept: dict[int, int | None] = {}
    if mutated.content == template.content and template.encoding != "utf-16":
        position = 0
        for index, row in enumerate(template.rows):
            position = template.content.index(row, position) + len(row)
            if position < len(content):
                kept[index] = template.first_line + index if template.is_lines else None
    return replace(mutated, kept=kept, rows_in=None)


def _zip(chance: random.Random, number: int, templates: Sequence[Template]) -> Case:
    """A zip of files of one folder, with some damage to the zip or none."""
    folder = templates[0].folder
    inside = [mutate(chance, one) for one in templates if one.folder == folder]
    path = f"{folder}/export-{number}.zip"
    names, stored, files = [], [], {}
    for mutated in inside:
        name, content = mutated.template.stem, mutated.content
        if chance.random() < 0.5:
            name, content = f"{name}.gz", gzip.compress(content, mtime=0)
        prefix = chance.choice(("", "", "4242/", "../", "../../../../", "/", "C:\\", "a/../b/"))
        names.append(prefix + name)
        stored.append(content)
        files[f"{path}::{prefix}{name}"] = mutated
    told = "; ".join(f"{name}: {one.told}" for name, one in zip(names, inside, strict=True))
    content = write_zip(dict(zip(names, stored, strict=True)), chance)
    unknown = {name: replace(one, kept={}, rows_in=None) for name, one in files.items()}
    match chance.randrange(14):
        case 0:
            at = chance.randrange(len(content))
            return Case(path, content[:at], {}, f"zip cut at {at}: {told}")
        case 1:
            damaged = bytearray(content)
            for _ in range(chance.randint(1, 3)):
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            return Case(path, bytes(damaged), {}, f"zip with other bytes: {told}")
        case 2:
            more = hostile_members(chance)
            with_more = dict(zip(names, stored, strict=True)) | more
            return Case(path, write_zip(with_more, chance), files, f"zip with {list(more)}: {told}")
        case 3:
            first = damage_member(content, names[0])
            files[f"{path}::{names[0]}"] = unknown[f"{path}::{names[0]}"]
            return Case(path, first, files, f"zip with a damaged member {names[0]}: {told}")
        case 4:
            return Case(path, _twice(names[0], stored[0]), {}, f"a zip with {names[0]} twice")
        case 5:
            return Case(path, b"garbage" * 50 + content, files, f"garbage before a zip: {told}")
        case 6:
            return Case(path, _flagged(content, 0x1), {}, f"zip said to be encrypted: {told}")
        case 7:
            return Case(path, _renamed(content), {}, f"zip with a name that is no text: {told}")
        case 8:
            return Case(path, _claiming(content), {}, f"zip that claims a giant member: {told}")
    return Case(path, content, files, f"zip: {told}")


def write_zip(members: Mapping[str, bytes], chance: random.Random | None = None) -> bytes:
    """A zip, with each member deflated or not."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            deflated = chance is None or chance.random() < 0.5
            kind = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
            info = zipfile.ZipInfo(name)
            if name.endswith(".link"):
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, content, kind)
    return packed.getvalue()


def hostile_members(chance: random.Random) -> dict[str, bytes]:
    """Members that nobody wants."""
    everything: dict[str, bytes] = {
        "../../../../etc/cron.d/evil": b"* * * * * root true\n",
        "/etc/passwd": b"root::0:0::/:/bin/sh\n",
        "a\\..\\..\\evil.csv": b"x\n",
        "folder/": b"",
        "sub/folder.json/": b"",
        "to/passwd.link": b"/etc/passwd",
        "inner.zip": write_zip({"x.json": b"{}"}),
        "plain-x'; drop table raw.events; --.csv": b"Id\n1\n",
        "plain*?[a]{b}%s%n.csv": b"Id\n1\n",
        'plain"quoted"\n.csv': b"Id\n1\n",
        "plain::twice::.csv": b"Id\n1\n",
        "é世\N{RIGHT-TO-LEFT OVERRIDE}.csv": b"Id\n1\n",
        "x" * 60_000: b"x",
        " ": b" ",
        ".": b".",
        "..": b"..",
    }
    return {name: everything[name] for name in chance.sample(list(everything), 3)}


def damage_member(content: bytes, name: str) -> bytes:
    """Other bytes in the middle of one member's content."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        member = archive.getinfo(name)
    header = struct.unpack_from("<HH", content, member.header_offset + 26)
    start = member.header_offset + 30 + sum(header)
    damaged = bytearray(content)
    for at in range(start, start + member.compress_size):
        damaged[at] ^= 0x55
    return bytes(damaged)


def _twice(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, content)
        archive.writestr(name.replace("j", "k").replace("v", "w"), content)
    return packed.getvalue().replace(
        name.replace("j", "k").replace("v", "w").encode(), name.encode()
    )


def _flagged(content: bytes, flag: int) -> bytes:
    damaged = bytearray(content)
    at = content.index(b"PK\x01\x02")
    damaged[at + 8] |= flag
    return bytes(damaged)


def _renamed(content: bytes) -> bytes:
    """The first name in the directory is said to be UTF-8, and is none."""
    damaged = bytearray(content)
    at = content.index(b"PK\x01\x02")
    damaged[at + 9] |= 0x08
    damaged[at + 46] = 0xFF
    return bytes(damaged)


def _claiming(content: bytes) -> bytes:
    damaged = bytearray(content)
    at = content.index(b"PK\x01\x02")
    damaged[at + 24 : at + 28] = struct.pack("<I", 0xFFFFFFFE)
    return bytes(damaged)


# -- a school with a landing folder ----------------------------------------------------------------


@dataclass
class Loaded:
    """What lies in the warehouse after a load.

    Attributes:
        ledger: rows of `raw.loaded_files` by path.
        rows: of all raw tables, by file: the line, and the row without file, line and mark.
        quarantined: line, hash and reason, by file.
    """

    ledger: dict[str, dict[str, Any]] = field(default_factory=dict)
    rows: dict[int, list[tuple[int | None, str]]] = field(default_factory=dict)
    quarantined: dict[int, list[tuple[int | None, object, str]]] = field(default_factory=dict)

    def of(self, path: str) -> Counter[str]:
        """The rows of a file."""
        return Counter(row for _, row in self.rows.get(self.ledger[path]["file_id"], []))


class School:
    """A data folder; every load begins with an empty landing folder and an empty warehouse."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.settings = Settings(
            data_dir=folder / "data", sources_dir=folder / "sources", threads=2, **options
        )
        write_contracts(self.settings.sources)
        self.contracts: Contracts = read_contracts(self.settings.sources)

    def clear(self) -> None:
        """Empty the landing folder and forget the warehouse."""
        shutil.rmtree(self.settings.landing, ignore_errors=True)
        self.settings.landing.mkdir(parents=True)
        self.settings.warehouse.unlink(missing_ok=True)

    def land(self, path: str, content: bytes) -> None:
        """Put a file into the landing folder."""
        file = self.settings.landing / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    def load(self) -> Loaded:
        """Load the landing folder, and read back what the warehouse holds then."""
        with connect(self.settings) as connection:
            load_number = stamp_run(connection, "run")
            load_landing(
                connection,
                self.settings,
                contracts=self.contracts,
                inventory=take_inventory(self.settings.landing),
                run_id="run",
                load_number=load_number,
                secret=SECRET,
            )
            return read_back(connection)


def read_back(connection: duckdb.DuckDBPyConnection) -> Loaded:
    """What a load left behind."""
    loaded = Loaded()
    found = connection.execute("select * from raw.loaded_files")
    names = [column[0] for column in found.description or ()]
    for row in found.fetchall():
        entry = dict(zip(names, row, strict=True))
        loaded.ledger[entry["path"]] = entry
    for table in TABLES:
        for file_id, line, *values in connection.execute(
            f"select file_id, line_number, * exclude (file_id, line_number, duplicate_reason) "
            f"from {table}"
        ).fetchall():
            loaded.rows.setdefault(file_id, []).append((line, f"{table} {values}"))
    for file_id, line, line_hash, reason in connection.execute(
        "select file_id, line_number, line_hash, reason from raw.quarantined_rows"
    ).fetchall():
        loaded.quarantined.setdefault(file_id, []).append((line, line_hash, reason))
    return loaded


# -- what must hold --------------------------------------------------------------------------------


def good_rows(school: School, templates: Iterable[Template]) -> dict[str, list[Counter[str]]]:
    """What each row of each template is in the warehouse when nothing is damaged."""
    school.clear()
    listed = list(templates)
    for template in listed:
        school.land(f"{template.folder}/{template.stem}", template.content)
    loaded = school.load()
    found: dict[str, list[Counter[str]]] = {}
    for template in listed:
        entry = loaded.ledger[f"{template.folder}/{template.stem}"]
        whole = (entry["status"], entry["reason"], entry["quarantined"])
        assert whole == ("loaded", None, 0), f"{template.name}: {whole}"
        rows = loaded.rows[entry["file_id"]]
        by_row = [Counter[str]() for _ in template.rows]
        is_event = template.table == "raw.events"
        names = [json.loads(row)["uuid"] for row in template.rows] if is_event else []
        for line, row in rows:
            if is_event:  # the line is known of reports only
                index = next(n for n, name in enumerate(names) if name in row)
            else:
                index = (line or 0) - template.first_line
            by_row[index][row] += 1
        assert all(by_row), template.name
        found[template.name] = by_row
    return found


def check_accounts(loaded: Loaded) -> None:
    """Every row of every file is accounted for, and every reason can be read."""
    for path, entry in loaded.ledger.items():
        parts = ("loaded", "duplicates", "quarantined", "not_in_plan", "erased")
        assert entry["rows_in"] == sum(entry[part] for part in parts), path
        bad = loaded.quarantined.get(entry["file_id"], [])
        assert entry["quarantined"] == len(bad), path
        if entry["status"] == "loaded":
            rows = loaded.rows.get(entry["file_id"], [])
            assert entry["loaded"] + entry["duplicates"] == len(rows), path
        else:
            assert entry["reason"], path
        for reason in [entry["reason"], *(reason for _, _, reason in bad)]:
            assert reason is None or _READABLE.fullmatch(reason), (path, reason)
            assert reason is None or CANARY not in reason, (path, reason)
        for line, line_hash, reason in bad:
            assert None not in (line, line_hash), (path, reason)


def check_case(loaded: Loaded, case: Case, known: Mapping[str, Sequence[Counter[str]]]) -> None:
    """What was left alone is loaded, from the line where it stands."""
    for path, mutated in case.files.items():
        assert path in loaded.ledger, f"{path} is not in the ledger"
        entry = loaded.ledger[path]
        if entry["status"] == "duplicate":
            continue
        found = loaded.rows.get(entry["file_id"], [])
        rows = Counter(row for _, row in found)
        wanted = known[mutated.template.name]
        missing = [index for index in mutated.kept if wanted[index] - rows]
        assert not missing, f"{path}: rows {missing} were left alone and are not loaded"
        for index, line in mutated.kept.items():
            if line is None or mutated.template.table == "raw.events":
                continue
            places = {at for at, row in found if row in wanted[index]}
            assert line in places, f"{path}: row {index} is of line {line}, not {places}"
        if mutated.rows_in is not None:
            assert entry["rows_in"] == mutated.rows_in, f"{path}: {entry['rows_in']} rows in"


class Batch:
    """Damaged files and good ones, in one landing folder and one load."""

    def __init__(self, cases: Sequence[Case], good: Sequence[Template]) -> None:
        self.cases = cases
        self.good = good

    @property
    def files(self) -> int:
        """How many damaged files there are; members of a zip are files of their own."""
        return sum(max(len(case.files), 1) for case in self.cases)

    def load(self, school: School, known: Mapping[str, Sequence[Counter[str]]]) -> Loaded:
        """Load it all, and check what must hold.

        Raises:
            AssertionError: naming the file and what was done to it.
        """
        school.clear()
        for template in self.good:
            school.land(f"{template.folder}/{template.stem}", template.content)
        for case in self.cases:
            school.land(case.path, case.stored)
        logged = io.StringIO()
        handler = logging.StreamHandler(logged)
        logging.getLogger().addHandler(handler)
        try:
            loaded = school.load()
        finally:
            logging.getLogger().removeHandler(handler)
        assert CANARY not in logged.getvalue()
        assert not school.settings.scratch.exists()
        landed = {entry["landed_path"] for entry in loaded.ledger.values()}
        assert landed == {file.path for file in take_inventory(school.settings.landing).files}
        for template in self.good:
            wanted = sum(known[template.name], Counter[str]())
            assert loaded.of(f"{template.folder}/{template.stem}") == wanted, template.name
        problems = []
        try:
            check_accounts(loaded)
        except AssertionError as error:
            problems.append(str(error))
        for case in self.cases:
            try:
                check_case(loaded, case, known)
            except AssertionError as error:
                problems.append(f"{error}\n    {case.told[:400]}")
        assert not problems, "\n".join(problems)
        return loaded


def make_batch(
    chance: random.Random, templates: Sequence[Template], good: Sequence[Template], size: int
) -> Batch:
    """So many damaged files, each of another template, among good ones."""
    order = iter(chance.sample(list(templates), len(templates)))
    cases: list[Case] = []
    while (batch := Batch(cases, good)).files < size:
        cases.append(pack(chance, len(cases), order))
    return batch
