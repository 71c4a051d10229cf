"""The manifest is parsed once for each state of the project."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.errors import TransformError
from orchestration.settings import Settings
from orchestration.transforming import ensure_manifest, published_relations, read_manifest


def test_the_manifest_is_made_once_and_again_when_a_file_changes_or_goes(
    settings: Settings, project: Path
) -> None:
    path = ensure_manifest(settings, project_dir=project)
    first = path.stat().st_mtime_ns
    assert published_relations(read_manifest(path)) == ["main.doubled"]

    ensure_manifest(settings, project_dir=project)
    assert path.stat().st_mtime_ns == first

    (project / "models" / "odd.sql").unlink()
    ensure_manifest(settings, project_dir=project)
    assert "model.tiny.odd" not in read_manifest(path)["nodes"]


def test_a_half_written_manifest_is_not_taken_for_a_whole_one(
    settings: Settings, project: Path
) -> None:
    (project / "models" / "broken.sql").write_text("{{ ref('nobody' }}")
    settings.dbt_target.mkdir(parents=True, exist_ok=True)
    (settings.dbt_target / "manifest.json").write_text("{")

    with pytest.raises(TransformError, match="broken"):
        ensure_manifest(settings, project_dir=project)

    (project / "models" / "broken.sql").unlink()
    path = ensure_manifest(settings, project_dir=project)
    assert "model.tiny.odd" in read_manifest(path)["nodes"]
