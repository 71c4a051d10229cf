"""Property filters of other systems as SQL conditions on the columns of `Case.relation`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from tests.peers.cases import Case, UnsupportedError, instant, literal, property_text

_COLUMNS: Final = {"event": "properties", "person": "person_properties"}


def event_condition(case: Case, entity: Mapping[str, Any] | None) -> str:
    """The condition of an event with its filters, and with those of the whole query.

    Args:
        case: the case, whose query may have `properties` that hold for all its events.
        entity: an event's name (or a list of names; none is every event) and its `properties`.
    """
    entity = entity or {}
    if entity.get("math") not in (None, "total", "dau"):
        raise UnsupportedError(f"an event is counted by {entity['math']}")
    name = entity.get("event")
    parts = []
    if name is not None:
        names = [name] if isinstance(name, str) else list(name)
        parts.append(f"event_type in ({', '.join(literal(each) for each in names)})")
    parts += conditions(case, entity.get("properties"))
    parts += conditions(case, case.query.get("properties"))
    return " and ".join(parts) or "true"


def conditions(case: Case, filters: Any) -> list[str]:
    """Filters as conditions that must all hold; groups joined by AND or OR may be nested."""
    if not filters:
        return []
    if isinstance(filters, Mapping):
        return [_condition(case, filters)]
    return [_condition(case, each) for each in filters]


def _condition(case: Case, given: Mapping[str, Any]) -> str:
    if "values" in given:
        joint = str(given.get("type") or given.get("operator") or "AND").upper()
        if joint not in ("AND", "OR"):
            raise UnsupportedError(f"a group of filters is joined by {joint}")
        parts = [_condition(case, each) for each in given["values"]]
        empty = "true" if joint == "AND" else "false"
        return "(" + (f" {joint.lower()} ".join(parts) or empty) + ")"
    on = given.get("on") or given.get("type") or "event"
    operator = given.get("op") or given.get("operator") or "exact"
    if on == "cohort" or (given.get("key") == "id" and "cohort" in str(on)):
        return _in_cohort(case, given, operator)
    if on not in _COLUMNS:
        raise UnsupportedError(f"a filter is on {on}, not on an event, a person or a cohort")
    key = given["key"]
    if on == "event" and key == "distinct_id":
        return compare("distinct_id", operator, given.get("value"))
    return compare(f"{_COLUMNS[on]}[{literal(key)}]", operator, given.get("value"))


def compare(value: str, operator: str, wanted: Any) -> str:
    """A comparison that is never null: what is not set equals nothing, and differs from all.

    Args:
        value: SQL expression of a text, null where the property is not set.
        operator: the operator's name.
        wanted: a value, or a list of which one must fit (or, if negated, none may).
    """
    if operator in ("is_set", "is_not_set"):
        return f"({value} is {'not ' if operator == 'is_set' else ''}null)"
    negated, positive = _NEGATED.get(operator, (False, operator))
    if positive not in _OPERATORS:
        raise UnsupportedError(f"a filter's operator is {operator}")
    wants = wanted if isinstance(wanted, list) else [wanted]
    parts = [_OPERATORS[positive](value, each) for each in wants]
    fits = f"coalesce({' or '.join(parts) or 'false'}, false)"
    return f"(not {fits})" if negated else f"({fits})"


def _text(wanted: Any) -> str:
    return literal(property_text(wanted) or "")


def _number(symbol: str) -> Callable[[str, Any], str]:
    return lambda value, wanted: (
        f"try_cast({value} as double) {symbol} try_cast({_text(wanted)} as double)"
    )


def _moment(symbol: str) -> Callable[[str, Any], str]:
    def condition(value: str, wanted: Any) -> str:
        moment = instant(str(wanted))
        if symbol == "=":
            return f"cast(try_cast({value} as timestamptz) as date) = date '{moment:%Y-%m-%d}'"
        return f"try_cast({value} as timestamptz) {symbol} timestamptz '{moment}+00'"

    return condition


_OPERATORS: Final[Mapping[str, Callable[[str, Any], str]]] = {
    "exact": lambda value, wanted: f"{value} = {_text(wanted)}",
    "icontains": lambda value, wanted: f"contains(lower({value}), lower({_text(wanted)}))",
    "starts_with": lambda value, wanted: f"starts_with({value}, {_text(wanted)})",
    "ends_with": lambda value, wanted: f"ends_with({value}, {_text(wanted)})",
    "regex": lambda value, wanted: f"regexp_matches({value}, {_text(wanted)})",
    "gt": _number(">"),
    "gte": _number(">="),
    "lt": _number("<"),
    "lte": _number("<="),
    "is_date_before": _moment("<"),
    "is_date_after": _moment(">"),
    "is_date_exact": _moment("="),
}
_NEGATED: Final[Mapping[str, tuple[bool, str]]] = {
    "is_not": (True, "exact"),
    "not_icontains": (True, "icontains"),
    "not_regex": (True, "regex"),
    "not_starts_with": (True, "starts_with"),
    "not_ends_with": (True, "ends_with"),
    "in": (False, "exact"),
    "not_in": (True, "exact"),
    "is": (False, "exact"),
    "equals": (False, "exact"),
    "contains": (False, "icontains"),
    "not_contains": (True, "icontains"),
    "min": (False, "gte"),
    "max": (False, "lte"),
}


# -- cohorts --------------------------------------------------------------------------------------


def _in_cohort(case: Case, given: Mapping[str, Any], operator: str) -> str:
    wanted = given.get("value")
    names = wanted if isinstance(wanted, list) else [wanted]
    inline = given.get("cohort") or given.get("definition")
    members = [
        _cohort(case, inline if inline is not None else _definition(case, name)) for name in names
    ]
    fits = f"coalesce({' or '.join(members) or 'false'}, false)"
    return f"(not {fits})" if operator in ("not_in", "is_not") else f"({fits})"


def _definition(case: Case, name: Any) -> Any:
    """The definition of a cohort that the case names by its id, or that stands in its place."""
    if isinstance(name, Mapping):
        return name
    for place in (case.content.get("cohorts"), case.query.get("cohorts")):
        if isinstance(place, Mapping) and str(name) in place:
            return place[str(name)]
        if isinstance(place, Sequence):
            for cohort in place:
                if str(name) in (str(cohort.get("id")), str(cohort.get("name"))):
                    return cohort
    raise UnsupportedError(f"the cohort {name} is not defined in the case")


def _cohort(case: Case, definition: Any) -> str:
    """A cohort's members: a list of persons, or the persons that property filters fit."""
    if isinstance(definition, list) and all(isinstance(each, str) for each in definition):
        definition = {"persons": definition}
    if not isinstance(definition, Mapping):
        definition = {"groups": definition}
    for name in ("persons", "members", "person_ids", "people", "distinct_ids"):
        if isinstance(definition.get(name), list):
            members = ", ".join(literal(str(each)) for each in definition[name]) or "null"
            return f"(person_id in ({members}) or distinct_id in ({members}))"
    groups = definition.get("groups")
    if groups is not None:  # any of the groups, in each of which everything must hold
        parts = [
            " and ".join(_of_persons(case, group.get("properties", group))) or "true"
            for group in ([groups] if isinstance(groups, Mapping) else groups)
        ]
        return "(" + (" or ".join(f"({part})" for part in parts) or "false") + ")"
    for name in ("properties", "filters", "values"):
        if name in definition:
            inner = definition if name == "values" else definition[name]
            if isinstance(inner, Mapping) and "properties" in inner:
                inner = inner["properties"]
            return "(" + (" and ".join(_of_persons(case, inner)) or "true") + ")"
    raise UnsupportedError("a cohort is defined by neither persons nor their properties")


def _of_persons(case: Case, filters: Any) -> list[str]:
    """Filters of a cohort: those that do not say what they are on are on persons."""
    if isinstance(filters, Mapping):
        if "values" in filters:
            inner = [" and ".join(_of_persons(case, [each])) for each in filters["values"]]
            joint = str(filters.get("type") or "AND").lower()
            if joint not in ("and", "or"):
                raise UnsupportedError(f"a cohort's filters are joined by {joint}")
            return ["(" + (f" {joint} ".join(inner) or "true") + ")"]
        if "key" not in filters:  # key: value, as cohorts were written once
            filters = [{"key": key, "value": value} for key, value in filters.items()]
        else:
            filters = [filters]
    parts = []
    for each in filters:
        if "values" in each or "key" not in each:
            parts += _of_persons(case, each)
        elif (each.get("on") or each.get("type") or "person") == "behavioral":
            raise UnsupportedError("a cohort is defined by behaviour")
        else:
            parts.append(_condition(case, {"on": "person", **each}))
    return parts
