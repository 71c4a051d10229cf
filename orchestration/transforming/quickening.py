"""Spares dbt work that nobody sees, while this process runs it.

A dbt node of this project costs DuckDB a few milliseconds and dbt's own Python ten times as much.
Profiles name three causes, none of which has an option in dbt 1.11:

- For every node (2.6 times, in fact) it wraps each of some 700 macros anew and looks each of them
  up again: here the wrapping is one assignment, and the lookup one flat dictionary.
- It builds some 20 log events a node, serialises them twice, and drops them, since the log is off:
  here an event below a warning is built only if somebody listens to it.
- Every result passes through a table that prepares to guess dates: here that is prepared once.

What dbt compiles and runs is the same: a test compares. The functions replaced are internal to
dbt, which is why its minor version is pinned; where one is not found, dbt runs at its own pace.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from typing import Any, cast
from unittest.mock import patch

_QUIET_LEVELS = ("debug", "info", "test")


@contextmanager
def quickened(heard: Collection[str]) -> Iterator[None]:
    """Spare the work for the time of a block.

    Args:
        heard: names of the events that a callback wants, below warnings.
    """
    with ExitStack() as stack:
        for patches in (_macros(), _events(frozenset(heard)), _tables()):
            with suppress(ImportError, AttributeError):
                for target, name, replacement in patches:
                    stack.enter_context(patch.object(target, name, replacement))
        yield


_Patch = tuple[Any, str, Any]


def _macros() -> Iterator[_Patch]:
    """Wrap the macros of a context at once, and flatten them."""
    from dbt.clients.jinja import MacroGenerator
    from dbt.context.macros import MacroNamespaceBuilder
    from dbt.include.global_project import PROJECT_NAME

    class Namespace(dict[str, Any]):
        """What dbt's `MacroNamespace` finds, by one lookup instead of five."""

        packages: Mapping[str, Mapping[str, Any]]
        dbt: Mapping[str, Any]

        def get_from_package(self, package_name: str | None, name: str) -> Any:
            from dbt.exceptions import PackageNotFoundForMacroError

            if package_name is None:
                return self.get(name)
            if package_name == PROJECT_NAME:
                return self.dbt.get(name)
            if package_name in self.packages:
                return self.packages[package_name].get(name)
            raise PackageNotFoundForMacroError(package_name)

    def wrap(macro: Any, shared: Mapping[str, Any]) -> MacroGenerator:
        """A `MacroGenerator` without its three constructors: a million calls in a build."""
        generator = MacroGenerator.__new__(MacroGenerator)
        generator.__dict__ = {"macro": macro, **shared}
        return generator

    def build_namespace(
        self: Any, macros_by_package: Mapping[str, Mapping[str, Any]], ctx: dict[str, Any]
    ) -> Namespace:
        shared = {"context": ctx, "node": self.node, "stack": self.thread_ctx}
        wrapped = {
            package: {macro.name: wrap(macro, shared) for macro in macros.values()}
            for package, macros in macros_by_package.items()
        }
        of_dbt: dict[str, Any] = {}
        for package in reversed(self.internal_package_names_order):
            of_dbt |= wrapped.get(package, {})
        packages = {
            package: macros
            for package, macros in wrapped.items()
            if package not in self.internal_package_names
        }
        # The last that names a macro wins: the package of the node, then the project.
        namespace = Namespace(of_dbt)
        namespace[PROJECT_NAME] = of_dbt
        namespace.update(packages)
        namespace.update(packages.get(self.root_package, {}))
        namespace.update(packages.get(self.search_package, {}))
        namespace.packages, namespace.dbt = packages, of_dbt
        return namespace

    yield MacroNamespaceBuilder, "build_namespace", build_namespace


def _events(heard: frozenset[str]) -> Iterator[_Patch]:
    """Build and tell an event below a warning only if somebody wants it."""
    from dbt_common.events.base_types import BaseEvent, DebugLevel, InfoLevel
    from dbt_common.events.event_manager import EventManager

    build: Callable[..., None] = BaseEvent.__init__
    tell: Callable[..., None] = EventManager.fire_event

    def empty_message(kind: type[BaseEvent]) -> Callable[[], Any] | None:
        """Makes the message of an event that nobody hears; null for the others."""
        # A note's level is that of whoever fires it.
        is_heard = kind.__name__ in heard or kind.__name__ == "Note"
        if is_heard or not issubclass(kind, (DebugLevel, InfoLevel)):
            return None
        return cast("Callable[[], Any]", getattr(kind.PROTO_TYPES_MODULE, kind.__name__))

    def build_if_heard(self: BaseEvent, *args: Any, **values: Any) -> None:
        make = empty_message(type(self))
        if make is None:
            build(self, *args, **values)
        else:
            self.pb_msg = make()

    def tell_if_heard(self: Any, e: BaseEvent, level: Any = None, **options: Any) -> None:
        is_quiet = (level or e.level_tag()).value in _QUIET_LEVELS
        if not is_quiet or options.get("force_warn_or_error_handling") or type(e).__name__ in heard:
            tell(self, e, level=level, **options)

    yield BaseEvent, "__init__", build_if_heard
    yield EventManager, "fire_event", tell_if_heard


def _tables() -> Iterator[_Patch]:
    """Prepare the guessing of dates once, not for every result."""
    import parsedatetime

    yield parsedatetime, "Constants", cache(parsedatetime.Constants)
