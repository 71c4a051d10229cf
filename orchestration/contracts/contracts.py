"""Reads `data/sources/`: everything that analysts say about the exports, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

from orchestration.contracts.base import FileContract, fingerprint_of
from orchestration.contracts.courses import COURSES_FILE, Course, read_courses
from orchestration.contracts.document import read_document
from orchestration.contracts.satismeter import SatismeterMapping
from orchestration.contracts.survey_mapping import SurveyMapping
from orchestration.contracts.themes import Themes
from orchestration.contracts.tracking_plan import TrackingPlan
from orchestration.errors import ContractError

_KINDS: dict[str, type[FileContract]] = {
    "tracking_plan": TrackingPlan,
    "survey_mapping": SurveyMapping,
    "satismeter": SatismeterMapping,
    "themes": Themes,
}


@dataclass(frozen=True)
class Contracts:
    """All contracts of a folder, by path."""

    tracking_plans: list[TrackingPlan] = field(default_factory=list)
    survey_mappings: list[SurveyMapping] = field(default_factory=list)
    satismeter: SatismeterMapping | None = None
    courses: list[Course] = field(default_factory=list)
    themes: Themes | None = None

    @property
    def fingerprint(self) -> str:
        """SHA-256 of everything they say: when it changes, marts may change."""
        return fingerprint_of(
            {
                "tracking_plans": _contents(self.tracking_plans),
                "survey_mappings": _contents(self.survey_mappings),
                "satismeter": _contents([self.satismeter] if self.satismeter else []),
                "courses": sorted(course.fingerprint for course in self.courses),
                "themes": _contents([self.themes] if self.themes else []),
            }
        )

    def tracking_plan_for(self, project: str) -> TrackingPlan | None:
        """The plan of an Amplitude project, if there is one."""
        return next((plan for plan in self.tracking_plans if project in plan.projects), None)

    def survey_mapping_for(self, path: str) -> SurveyMapping | None:
        """The mapping of a file of the landing folder, if there is one.

        Raises:
            ContractError: two mappings claim the file.
        """
        found = [mapping for mapping in self.survey_mappings if mapping.matches(path)]
        if len(found) > 1:
            raise ContractError(
                f"{found[0].path} and {found[1].path}: files: both match {path}; make one of the "
                "globs narrower."
            )
        return found[0] if found else None


def read_contracts(sources: Path) -> Contracts:
    """Read all `*.yml` (and `*.yaml`) of a folder and its subfolders, and `courses.csv` in it.

    Raises:
        ContractError: naming file, key and remedy.
    """
    if not sources.is_dir():
        raise ContractError(
            f"{sources}: is not a folder. Point NORTHSTAR_SOURCES_DIR to the folder of tracking "
            "plans and survey mappings."
        )
    files = sorted(path for path in sources.rglob("*") if path.suffix in (".yml", ".yaml"))
    found: list[FileContract] = [_read(path) for path in files if path.is_file()]
    plans = [contract for contract in found if isinstance(contract, TrackingPlan)]
    mappings = [contract for contract in found if isinstance(contract, SurveyMapping)]
    satismeter = [contract for contract in found if isinstance(contract, SatismeterMapping)]
    themes = [contract for contract in found if isinstance(contract, Themes)]
    _refuse_shared_projects(plans)
    _refuse_shared_globs(mappings)
    if len(satismeter) > 1:
        raise ContractError(
            f"{satismeter[0].path} and {satismeter[1].path}: kind: both are `satismeter`; keep one."
        )
    if len(themes) > 1:
        raise ContractError(
            f"{themes[0].path} and {themes[1].path}: kind: both are `themes`; put the words into "
            "one file."
        )
    courses = read_courses(sources / COURSES_FILE)
    return Contracts(
        plans,
        mappings,
        satismeter[0] if satismeter else None,
        courses,
        themes[0] if themes else None,
    )


def _read(path: Path) -> FileContract:
    document = read_document(path)
    kind = document.get("kind")
    contract = _KINDS.get(kind) if isinstance(kind, str) else None
    if contract is None:
        said = "is missing" if kind is None else f"{kind!r} is not known"
        raise ContractError(f"{path}: kind: {said}; write one of {', '.join(_KINDS)}.")
    return contract.parse(document, path)


def _refuse_shared_projects(plans: Sequence[TrackingPlan]) -> None:
    for one, other in combinations(plans, 2):
        shared = sorted(set(one.projects) & set(other.projects))
        if shared:
            raise ContractError(
                f"{one.path} and {other.path}: projects: both claim {shared[0]}; remove it from "
                "one of them."
            )


def _refuse_shared_globs(mappings: Sequence[SurveyMapping]) -> None:
    # Globs that overlap without being equal show when a file comes that both match.
    for one, other in combinations(mappings, 2):
        shared = sorted(set(one.files) & set(other.files))
        if shared:
            raise ContractError(
                f"{one.path} and {other.path}: files: both claim {shared[0]!r}; make one of the "
                "globs narrower."
            )


def _contents(contracts: Sequence[FileContract]) -> list[Any]:
    return sorted(fingerprint_of(contract.model_dump(mode="json")) for contract in contracts)
