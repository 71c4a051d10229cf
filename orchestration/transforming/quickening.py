"""Spares dbt work that nobody sees, while this process runs it.

A dbt node of this project costs DuckDB a few milliseconds and dbt's own Python ten times as much.
Profiles name five causes, none of which has an option in dbt 1.11:

- For every node (2.6 times, in fact) it wraps each of some 700 macros anew and looks each of them
  up again: here they are wrapped without a call of Python's, and looked up in one flat dictionary.
- With the macros, it wraps 21 functions that raise errors, and lists its own options again: here a
  function is wrapped when it is asked for, and the options are listed once.
- It translates every template to Python anew, in every process: here each text is translated once,
  and what was translated is kept beside the manifest.
- It builds some 20 log events a node, serialises them twice, and drops them, since the log is off:
  here an event below a warning is built only if somebody listens to it.
- Every result passes through a table that prepares to guess dates: here that is prepared once.

What dbt compiles and runs is the same: a test compares. The functions replaced are internal to
dbt, which is why its minor version is pinned; where one is not found, dbt runs at its own pace.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import cache, partial
from itertools import repeat
from operator import itemgetter
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

from orchestration.transforming.templates import kept_templates

_QUIET_LEVELS = ("debug", "info", "test")


@contextmanager
def quickened(heard: Collection[str], templates: Path | None = None) -> Iterator[None]:
    """Spare the work for the time of a block.

    Args:
        heard: names of the events that a callback wants, below warnings.
        templates: the file that keeps translated templates from one process to the next.
    """
    with ExitStack() as stack:
        with suppress(ImportError, AttributeError):
            stack.enter_context(kept_templates(templates))
        for patches in (_macros(), _contexts(), _events(frozenset(heard)), _tables()):
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

    class Wrapped(MacroGenerator, tuple):  # type: ignore[type-arg]
        """A `MacroGenerator` that is a tuple: made without its three constructors."""

        macro = property(itemgetter(0))
        context = property(itemgetter(1))
        node = property(itemgetter(2))
        stack = property(itemgetter(3))

        # Like any other `MacroGenerator`, and unlike a tuple, one is equal to itself alone.
        __hash__ = object.__hash__
        __eq__ = object.__eq__
        __ne__ = object.__ne__

    wrap = partial(tuple.__new__, Wrapped)

    def build_namespace(
        self: Any, macros_by_package: Mapping[str, Mapping[str, Any]], ctx: dict[str, Any]
    ) -> Namespace:
        shared = (repeat(ctx), repeat(self.node), repeat(self.thread_ctx))
        wrapped = {}
        for package, macros in macros_by_package.items():
            fields = zip(macros.values(), *shared, strict=False)  # the shared ones never end
            wrapped[package] = dict(zip(macros, map(wrap, fields), strict=True))
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


def _contexts() -> Iterator[_Patch]:
    """Make what few templates ask for when it is asked for."""
    from dbt.context import providers as dbt_providers
    from dbt.context.exceptions_jinja import CONTEXT_EXPORTS, wrapper

    class Exports(Mapping[str, Any]):
        """Functions that name the node in the errors that they raise."""

        def __init__(self, node: Any) -> None:
            self._wrap = wrapper(node)  # type: ignore[no-untyped-call]

        def __getitem__(self, name: str) -> Any:
            return self._wrap(CONTEXT_EXPORTS[name])

        def __iter__(self) -> Iterator[str]:
            return iter(CONTEXT_EXPORTS)

        def __len__(self) -> int:
            return len(CONTEXT_EXPORTS)

    providers: Any = dbt_providers
    list_options: Callable[[Any], dict[str, Any]] = providers.args_to_dict
    # One invocation has one set of options; kept with its own key, which no other can then have.
    listed: list[tuple[Any, dict[str, Any]]] = []

    def options(arguments: Any) -> dict[str, Any]:
        for known, found in listed:
            if known is arguments:
                return dict(found)
        listed[:] = [(arguments, list_options(arguments))]
        return dict(listed[0][1])

    yield providers, "wrapped_exports", Exports
    yield providers, "args_to_dict", options


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
