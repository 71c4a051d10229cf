"""Settings that end up in SQL or in dbt's variables can be nothing but what they are."""

from __future__ import annotations

import pytest

from orchestration.errors import SettingsError
from orchestration.settings import read_settings
from orchestration.transforming.variables import dbt_variables


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REPORTING_TIMEZONE", "Europe/Paris' || (select 1) || '"),
        ("REPORTING_TIMEZONE", "{{ 1/0 }}"),
        ("REPORTING_TIMEZONE", "../../../etc/passwd"),
        ("REPORTING_TIMEZONE", "/etc/passwd"),
        ("WEEK_START", "monday'; drop table x; --"),
        ("AS_OF", "2024-01-01' or '1'='1"),
        ("MEMORY_LIMIT", "2GB'; attach 'x"),
        ("THREADS", "2; drop table x"),
        ("MAX_QUARANTINED_SHARE", "nan"),
    ],
)
def test_a_hostile_setting_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"NORTHSTAR_{name}", value)

    with pytest.raises(SettingsError, match=f"NORTHSTAR_{name}: ") as error:
        read_settings()

    assert value not in str(error.value) or name == "REPORTING_TIMEZONE"


def test_dbt_gets_those_variables_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NORTHSTAR_AS_OF", "2024-01-01")
    monkeypatch.setenv("NORTHSTAR_SECRET", "a secret of the school")

    assert dbt_variables(read_settings()) == {
        "reporting_timezone": "Europe/Paris",
        "week_start": "monday",
        "as_of": "2024-01-01",
    }
