"""What the README says is what the code does."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings
from rich.console import Console

from orchestration.publishing import Headline, render_headline
from orchestration.publishing.headline import Goal, Nps, Share
from orchestration.settings import REPOSITORY, AlertSettings, Settings

README = (REPOSITORY / "README.md").read_text()
# Where alerts go is a part of the data folder, which has a row of its own.
NOT_SETTINGS_OF_THEIR_OWN = {"NORTHSTAR_ALERT_DATA_DIR"}
# What stands there for the default of a setting that has none.
IN_WORDS = ("none", "all cores", "the first of them", "day after the newest export")


def _settings(kind: type[BaseSettings]) -> dict[str, object]:
    """The environment's variables, with their defaults."""
    prefix = str(kind.model_config.get("env_prefix"))
    named = {f"{prefix}{name}".upper(): one.default for name, one in kind.model_fields.items()}
    return {name: one for name, one in named.items() if name not in NOT_SETTINGS_OF_THEIR_OWN}


SETTINGS = _settings(Settings) | _settings(AlertSettings)


def _table() -> dict[str, str]:
    """Setting to default, as README's table tells them."""
    rows = re.findall(r"^\| `(NORTHSTAR_\w+)` \| ([^|]+?) \|", README, re.MULTILINE)
    assert len(rows) == len(dict(rows))
    return dict(rows)


def test_the_table_of_settings_names_all_of_them_and_no_other() -> None:
    assert _table().keys() == SETTINGS.keys()


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_the_table_of_settings_tells_the_default(name: str) -> None:
    told, default = _table()[name].strip("`"), SETTINGS[name]
    if default is None:
        # A folder below another one is told as a path.
        assert told in IN_WORDS or "/" in told
    elif isinstance(default, bool):
        assert told == str(default).lower()
    else:
        assert told == str(default)


def test_the_sample_is_what_a_run_prints() -> None:
    """Of the demo's figures; the hash is that of one day."""
    figures = Headline(
        as_of=date(2026, 7, 1),
        outcomes=257,
        goal=Goal(2026, 500_000, 500_000),
        nps=Nps(promoters=841, passives=659, detractors=452),
        retention=Share(retained=924, cohort_size=4514),
        chain=(1, "7d1b24c92f7922ef7bd6c9b60da48025ffb692d71a60702f3aea73adc884f768"),
    )
    console = Console(width=130, no_color=True)
    with console.capture() as captured:
        path = Path("/home/you/northstar/data/published/northstar.duckdb")
        console.print(render_headline(figures, path))

    printed = "\n".join(line.rstrip() for line in captured.get().splitlines())
    assert f"```\n{printed}\n```" in README


@pytest.mark.parametrize("file", ["README.md", "dagster.yaml"])
def test_the_storage_that_is_not_locked_fits_what_is(file: str) -> None:
    """Dagster's libraries are released together, under one number."""
    lock = (REPOSITORY / "requirements.lock").read_text()
    (locked,) = re.findall(r"^dagster-dbt==(\S+)", lock, re.MULTILINE)

    told = re.findall(r"pip install dagster-postgres(\S*?)[`\s]", (REPOSITORY / file).read_text())

    assert told == [f"=={locked}"]
