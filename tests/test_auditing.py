"""`make audit` never takes what nobody looked up for sound, and locks hold what they promise."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestration.auditing import main
from orchestration.settings import REPOSITORY

LOCKS = ("requirements.lock", "requirements-tools.lock", "requirements-uv.lock")
SOUND = {"name": "a", "version": "1.0", "vulns": []}
SKIPPED = {"name": "b", "skip_reason": "Dependency not found on PyPI: b (2.0)"}
VULNERABLE = {
    "name": "c",
    "version": "3.0",
    "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["3.1"], "aliases": [], "description": ""}],
}


def audit(folder: Path, *reports: list[dict[str, Any]] | str) -> int:
    """Audit lock files, of each of which a stand-in for pip-audit says this."""
    locks = []
    for number, report in enumerate(reports):
        lock = folder / f"{number}.lock"
        lock.write_text(report if isinstance(report, str) else json.dumps(report))
        locks.append(str(lock))
    stand_in = folder / "stand_in.py"
    stand_in.write_text(
        "import json, pathlib, sys\n"
        "text = pathlib.Path(sys.argv[sys.argv.index('--requirement') + 1]).read_text()\n"
        "if not text.startswith('['):\n"
        "    sys.exit(text)\n"
        "print(json.dumps({'dependencies': json.loads(text), 'fixes': []}))\n"
        "sys.exit('vulns\": [{' in text)\n"
    )
    return main(locks, command=[sys.executable, str(stand_in)])


@pytest.mark.parametrize(
    ("reports", "code", "said"),
    [
        ([[SOUND]], 0, "No vulnerability is known of 1 requirements."),
        ([[SOUND, VULNERABLE, SKIPPED]], 1, "c 3.0: PYSEC-2026-1, corrected in 3.1"),
        ([[SOUND, SKIPPED]], 3, "NOT AUDITED: 1 of 2 requirements could not be looked up."),
        ([[]], 3, "NOT AUDITED: 0 of 0"),
        (["ERROR: no route to the index"], 3, "NOT AUDITED: ERROR: no route to the index"),
        ([[SOUND], "ERROR: no route"], 3, "No vulnerability is known of 1"),
        (["ERROR: no route", [VULNERABLE]], 1, "KNOWN VULNERABILITY: c 3.0"),
    ],
)
def test_what_nobody_looked_up_is_no_pass(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    reports: list[Any],
    code: int,
    said: str,
) -> None:
    assert audit(tmp_path, *reports) == code
    assert said in capsys.readouterr().out


def test_without_pip_audit_nothing_is_audited(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["requirements.lock"], command=[str(tmp_path / "nothing")]) == 3
    assert "make tools" in capsys.readouterr().out


@pytest.mark.parametrize("name", LOCKS)
def test_every_requirement_is_pinned_with_hashes_and_no_address(name: str) -> None:
    text = (REPOSITORY / name).read_text()
    requirements = [
        re.sub(r"\s+#.*", "", block, flags=re.DOTALL)
        for block in re.split(r"\n(?=\S)", text)
        if not block.startswith("#")
    ]

    assert len(requirements) > (0 if name == "requirements-uv.lock" else 50)
    line = re.compile(
        r"[a-z0-9][a-z0-9._-]*(\[[a-z0-9,_-]+\])?==[0-9][\w.!+]*( ; [^\\]+)?"
        r"( \\\n    --hash=sha256:[0-9a-f]{64})+",
        re.IGNORECASE,
    )
    assert [found for found in requirements if not line.fullmatch(found.strip())] == []
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host|^-", text, re.M)


def test_all_lock_files_pin_the_same_versions() -> None:
    pins = [
        dict(
            re.findall(r"^([a-z0-9._-]+)(?:\[.*?\])?==(\S+)", (REPOSITORY / name).read_text(), re.M)
        )
        for name in LOCKS
    ]

    assert {name for name in pins[0] if pins[1].get(name) != pins[0][name]} == set()
    assert list(pins[2]) == ["uv"]
    assert pins[1].get("uv") in (None, pins[2]["uv"])


def test_installing_asks_for_the_hashes() -> None:
    """Also of what installs the others: it runs with all rights before any hash is looked at."""
    makefile = (REPOSITORY / "Makefile").read_text()
    commands = re.findall(r"(?:-m|/uv) pip install[^&|\n]*", makefile)

    assert len(commands) == 5
    for command in commands:
        assert re.search(r"--require-hashes -r requirements(-\w+)?\.lock( \\)?$", command), command
