"""The contracts of `data/sources/`: tracking plans, mappings, courses, themes."""

from orchestration.contracts.contracts import Contracts, read_contracts
from orchestration.contracts.courses import Course
from orchestration.contracts.satismeter import SatismeterMapping
from orchestration.contracts.survey_mapping import (
    Column,
    Condition,
    CsvFormat,
    Place,
    SurveyMapping,
)
from orchestration.contracts.themes import Themes, folded
from orchestration.contracts.tracking_plan import Exclusion, PlannedEvent, TrackingPlan
from orchestration.contracts.vocabulary import OUTCOME_TYPES, SEGMENTS

__all__ = [
    "OUTCOME_TYPES",
    "SEGMENTS",
    "Column",
    "Condition",
    "Contracts",
    "Course",
    "CsvFormat",
    "Exclusion",
    "Place",
    "PlannedEvent",
    "SatismeterMapping",
    "SurveyMapping",
    "Themes",
    "TrackingPlan",
    "folded",
    "read_contracts",
]
