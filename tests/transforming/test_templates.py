"""Templates that dbt has translated once are not translated again, and say the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dbt.clients.jinja import get_rendered
from dbt_common.clients import jinja
from dbt_common.clients.jinja import MacroFuzzEnvironment
from dbt_common.exceptions import CompilationError

from orchestration.transforming import templates
from orchestration.transforming.templates import kept_templates

TEMPLATES = (
    "select {% for name in names %}{{ name }}{{ ', ' if not loop.last }}{% endfor %} from t",
    "{% set a = 1 + 2 %}{{ a }}",
    "{{ 'null' | as_text }} {{ names | length }}",
)


@pytest.fixture(autouse=True)
def _another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    forget(monkeypatch)


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be as if this were another process, which has read no file yet."""
    monkeypatch.setattr(templates, "_stores", {})


@pytest.fixture
def translated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that were translated."""
    told: list[str] = []
    generate = MacroFuzzEnvironment._generate

    def tell(self: Any, *arguments: Any, **options: Any) -> Any:
        told.append("translated")
        return generate(self, *arguments, **options)

    monkeypatch.setattr(MacroFuzzEnvironment, "_generate", tell)
    return told


def rendered() -> list[Any]:
    context = {"names": ["one", "two"]}
    return [
        get_rendered(text, context, native=native)
        for text in TEMPLATES
        for native in (False, True)
        if not (native and "as_text" in text)
    ]


def test_what_is_kept_renders_the_same_in_another_process(
    tmp_path: Path, translated: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = rendered()
    assert usual[0] == "select one, two from t"
    assert (usual[2], usual[3]) == ("3", 3), "as text, and as what it is"
    translated.clear()

    with kept_templates(tmp_path / "kept.bin"):
        assert rendered() == usual
        assert len(translated) == len(usual)
        assert rendered() == usual
    assert len(translated) == len(usual)

    forget(monkeypatch)
    with kept_templates(tmp_path / "kept.bin"):
        assert rendered() == usual
    assert len(translated) == len(usual)
    assert "compile" not in vars(MacroFuzzEnvironment)


@pytest.mark.parametrize("damage", ["cut off", "another byte", "another version", "missing"])
def test_a_file_that_cannot_be_trusted_is_not_used(
    damage: str, tmp_path: Path, translated: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "kept.bin"
    with kept_templates(file):
        usual = rendered()
    content = file.read_bytes()
    if damage == "cut off":
        file.write_bytes(content[:-100])
    elif damage == "another byte":
        file.write_bytes(content[:-50] + bytes([content[-50] ^ 1]) + content[-49:])
    elif damage == "another version":
        monkeypatch.setattr(templates, "version", lambda name: f"{name} of tomorrow")
    else:
        file.unlink()
    forget(monkeypatch)
    translated.clear()

    with kept_templates(file):
        assert rendered() == usual
    assert len(translated) == len(usual)

    forget(monkeypatch)
    with kept_templates(file):
        assert rendered() == usual
    assert len(translated) == len(usual), "what was damaged has been written anew"


def test_a_wrong_template_fails_as_ever_and_is_not_kept(tmp_path: Path) -> None:
    for _ in range(2):
        with (
            kept_templates(tmp_path / "kept.bin"),
            pytest.raises(CompilationError, match="Expected an expression"),
        ):
            get_rendered("{% if %}", {})
    assert not (tmp_path / "kept.bin").exists()


def test_who_debugs_macros_sees_them_translated(
    tmp_path: Path, translated: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jinja, "MACRO_DEBUGGING", True)
    with kept_templates(tmp_path / "kept.bin"):
        rendered()
        once = len(translated)
        rendered()
    assert len(translated) == 2 * once


def test_a_folder_that_cannot_be_written_to_costs_time_only(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with kept_templates(tmp_path / "file" / "kept.bin"):
        assert rendered()[0] == "select one, two from t"
