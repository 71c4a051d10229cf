"""The raw tables as assets: their keys, what they hold and which exports they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import dagster as dg

from orchestration.defs.conventions import NIGHTLY, OWNERS

AMPLITUDE = dg.AssetKey(["landing", "amplitude"])
ZENDESK = dg.AssetKey(["landing", "zendesk"])
SURVEYS = dg.AssetKey(["landing", "surveys"])
SATISMETER = dg.AssetKey(["landing", "satismeter"])
CONTRACTS = dg.AssetKey(["sources", "contracts"])

EXPORTS: Mapping[dg.AssetKey, tuple[str, set[str]]] = {
    AMPLITUDE: (
        "Product events: zips of .json.gz as Amplitude exports them, and its merge file.",
        {"amplitude", "json"},
    ),
    ZENDESK: (
        "Tickets with their history, users, ratings, calls, service levels and business hours: "
        "Zendesk's exports.",
        {"zendesk", "json"},
    ),
    SURVEYS: (
        "Anybody's CSV with a mapping: surveys, coaches' entries, contracts of employment.",
        {"csv"},
    ),
    SATISMETER: ("In-product surveys: Satismeter's response JSON.", {"json"}),
}
_EVERYTHING = tuple(EXPORTS)


@dataclass(frozen=True)
class RawTable:
    """What there is to say about a raw table before anything is loaded.

    Attributes:
        description: one row is what, and what is particular about it.
        deps: where its rows come from.
        kinds: besides `duckdb`.
    """

    description: str
    deps: tuple[dg.AssetKey, ...]
    kinds: frozenset[str] = frozenset()


_AMPLITUDE_JSON = frozenset({"amplitude", "json"})
_ZENDESK_JSON = frozenset({"zendesk", "json"})

RAW_TABLES: Mapping[str, RawTable] = {
    "events": RawTable(
        "One row per product event that the tracking plan names. Ids are keyed hashes; repeats "
        "stay, marked with `duplicate_reason`.",
        (AMPLITUDE, CONTRACTS),
        _AMPLITUDE_JSON,
    ),
    "amplitude_merges": RawTable(
        "One row per merge of two Amplitude ids: the absorbed one and the one that stays.",
        (AMPLITUDE,),
        _AMPLITUDE_JSON,
    ),
    "zendesk_tickets": RawTable(
        "One row per ticket and export page that holds it; the newest `updated_at` counts.",
        (ZENDESK,),
        _ZENDESK_JSON,
    ),
    "zendesk_users": RawTable(
        "One row per Zendesk user and page; joins e-mail keys to the school's user ids.",
        (ZENDESK,),
        _ZENDESK_JSON,
    ),
    "zendesk_ticket_events": RawTable(
        "One row per change or comment in a ticket's history; no comment's text.",
        (ZENDESK,),
        _ZENDESK_JSON,
    ),
    "zendesk_satisfaction_ratings": RawTable(
        "One row per satisfaction rating and page; the newest `updated_at` counts.",
        (ZENDESK,),
        _ZENDESK_JSON,
    ),
    "zendesk_calls": RawTable(
        "One row per Talk call and page; the newest `updated_at` counts.",
        (ZENDESK,),
        _ZENDESK_JSON,
    ),
    "zendesk_call_legs": RawTable(
        "One row per leg of a Talk call and page: who was rung, and for how long they talked.",
        (ZENDESK,),
        _ZENDESK_JSON,
    ),
    "zendesk_organizations": RawTable(
        "One row per organization and page; no name.",
        (ZENDESK,),
        _ZENDESK_JSON,
    ),
    "zendesk_metric_events": RawTable(
        "One row per metric event and page: when clocks of service levels ran, ended or were "
        "breached.",
        (ZENDESK,),
        _ZENDESK_JSON,
    ),
    "zendesk_sla_policies": RawTable(
        "One row per version of a service level policy, with its targets.",
        (ZENDESK,),
        _ZENDESK_JSON,
    ),
    "zendesk_schedules": RawTable(
        "One row per version of a schedule: business hours of the week and their time zone.",
        (ZENDESK,),
        _ZENDESK_JSON,
    ),
    "zendesk_holidays": RawTable(
        "One row per holiday of a schedule and page.",
        (ZENDESK,),
        _ZENDESK_JSON,
    ),
    "survey_responses": RawTable(
        "One row per row of a CSV that a mapping file explains.",
        (SURVEYS, CONTRACTS),
        frozenset({"csv"}),
    ),
    "satismeter_responses": RawTable(
        "One row per Satismeter response, dismissed and pending ones included.",
        (SATISMETER, CONTRACTS),
        frozenset({"json"}),
    ),
    "tracking_plan": RawTable(
        "One row per project, event type and meaning, as the tracking plans say.", (CONTRACTS,)
    ),
    "courses": RawTable("One row per course of `data/sources/courses.csv`.", (CONTRACTS,)),
    "loaded_files": RawTable(
        "The ledger: one row per data file, with all its rows accounted for.", _EVERYTHING
    ),
    "quarantined_rows": RawTable(
        "One row per line that could not be read: file, line number and reason, not the line.",
        _EVERYTHING,
    ),
    "unknown_fields": RawTable(
        "One row per file and field (or event type) that no contract names.", _EVERYTHING
    ),
    "run_stamp": RawTable(
        "One row: the run that works on the warehouse; publishing refuses any other.", ()
    ),
    "touched_days": RawTable(
        "Reporting days whose events changed since the marts were last built.", (AMPLITUDE,)
    ),
}


def raw_key(table: str) -> dg.AssetKey:
    """The asset key of a raw table; dbt's sources carry the same."""
    return dg.AssetKey(["raw", table])


def raw_specs() -> list[dg.AssetSpec]:
    """The raw tables as assets."""
    return [
        dg.AssetSpec(
            raw_key(name),
            deps=table.deps,
            description=table.description,
            group_name="raw",
            kinds={"duckdb", *table.kinds},
            owners=OWNERS,
            metadata={"dagster/table_name": f"raw.{name}"},
            freshness_policy=NIGHTLY,
        )
        for name, table in RAW_TABLES.items()
    ]


def input_specs() -> list[dg.AssetSpec]:
    """What people and vendors put there: shown in the graph, made by nobody here."""
    exports = [
        dg.AssetSpec(key, description=description, group_name="landing", kinds=kinds, owners=OWNERS)
        for key, (description, kinds) in EXPORTS.items()
    ]
    contracts = dg.AssetSpec(
        CONTRACTS,
        description="Tracking plans, survey mappings and courses in `data/sources/`.",
        group_name="landing",
        kinds={"yaml"},
        owners=OWNERS,
    )
    return [*exports, contracts]
