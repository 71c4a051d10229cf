"""Which kind of case is asked in which way: one translator per kind of chart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.peers.activity import lifecycle, retention, stickiness
from tests.peers.cases import Translator
from tests.peers.funnels import funnel
from tests.peers.nps import nps
from tests.peers.survival import kaplan_meier

TRANSLATORS: Final[Mapping[str, Translator]] = {
    "retention_matrix": retention,
    "lifecycle": lifecycle,
    "stickiness": stickiness,
    "funnel": funnel,
    "kaplan_meier": kaplan_meier,
    "nps": nps,
}
