"""Spares dbt work that nobody sees, while this process runs it.

A dbt node of this project costs DuckDB a few milliseconds and dbt's own Python ten times as much.
Profiles name five causes, none of which has an option in dbt 1.11:

- For every node (2.6 times, in fact) it wraps each of some 700 macros anew and looks each of them
  up again: here a macro is wrapped when a template asks for it, most never.
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

from collections.abc import (
    Callable,
    Collection,
    ItemsView,
    Iterator,
    KeysView,
    Mapping,
    ValuesView,
)
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
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


class _MadeWhenAskedFor(dict[str, Any]):
    """A dictionary of what was put into it, and of what can be made.

    To whoever looks, all of it is there.
    """

    def __init__(self, sources: Mapping[str, Any], make: Callable[[Any], Any]) -> None:
        """Begin empty; `make` gets the source of a name."""
        super().__init__()
        self._sources = sources
        self._make = make

    def make_instead(self, names: Collection[str]) -> None:
        """Forget what was put in under these names where there is something to make."""
        for name in self._sources.keys() & names:
            self.pop(name, None)

    def __missing__(self, name: str) -> Any:
        made = self[name] = self._make(self._sources[name])
        return made

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self._sources

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self else default  # noqa: SIM401

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

    def __bool__(self) -> bool:
        return bool(self._sources) or super().__len__() > 0

    def keys(self) -> Any:
        return KeysView(self)

    def values(self) -> Any:
        return ValuesView(self)

    def items(self) -> Any:
        return ItemsView(self)

    def _names(self) -> list[str]:
        return list(dict.fromkeys((*super().__iter__(), *self._sources)))


_Macros = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class _Names:
    """The macros that a template may name.

    Attributes:
        packages: macros by the name of a package that is not dbt's own.
        of_dbt: macros of dbt and of its adapter, of which the first wins.
        flat: a macro, or the name of a package, by the name under which a template finds it.
    """

    packages: _Macros
    of_dbt: Mapping[str, Any]
    flat: Mapping[str, Any]

    @classmethod
    def read(cls, macros: _Macros, builder: Any) -> _Names:
        """Of a node's package and project, which the builder of dbt's namespaces knows."""
        from dbt.include.global_project import PROJECT_NAME

        of_dbt: dict[str, Any] = {}
        for package in reversed(builder.internal_package_names_order):
            of_dbt |= macros.get(package, {})
        own = builder.internal_package_names
        packages = {name: macros[name] for name in macros if name not in own}
        # The last that names a macro wins: the package of the node, then the project.
        flat = {
            **of_dbt,
            **{name: name for name in (PROJECT_NAME, *packages)},
            **packages.get(builder.root_package, {}),
            **packages.get(builder.search_package, {}),
        }
        return cls(packages, of_dbt, flat)


def _macros() -> Iterator[_Patch]:
    """Wrap a macro for a context when a template asks for it."""
    from dbt.clients.jinja import MacroGenerator
    from dbt.context.configured import ConfiguredContext
    from dbt.context.manifest import ManifestContext
    from dbt.exceptions import PackageNotFoundForMacroError
    from dbt.include.global_project import PROJECT_NAME
    from dbt_common.clients.jinja import MacroFuzzTemplate, NativeSandboxTemplate

    class Namespace:
        """What finds the macros of a package, for `adapter.dispatch`."""

        def __init__(
            self,
            context: Mapping[str, Any],
            flat: Collection[str],
            packages: Mapping[str, Mapping[str, Any]],
        ) -> None:
            self._context = context
            self._flat = flat
            self._packages = packages

        def get_from_package(self, package_name: str | None, name: str) -> Any:
            if package_name is None:
                return self._context[name] if name in self._flat else None
            if package_name in self._packages:
                return self._packages[package_name].get(name)
            raise PackageNotFoundForMacroError(package_name)

    read_names = _kept_by_packages(_Names.read)
    whole: Callable[[Any], dict[str, Any]] = ManifestContext.to_dict
    without_macros: Callable[[Any], dict[str, Any]] = ConfiguredContext.to_dict

    def build_namespace(self: Any) -> Namespace:
        builder = self._get_namespace_builder()
        names = read_names(self.manifest.get_macros_by_package(), builder)

        def wrap(macro: Any) -> Any:
            if isinstance(macro, str):
                return packages[macro]
            return MacroGenerator(macro, context, builder.node, builder.thread_ctx)

        context = _MadeWhenAskedFor(names.flat, wrap)
        own = {PROJECT_NAME: names.of_dbt, **names.packages}
        packages = {name: _MadeWhenAskedFor(macros, wrap) for name, macros in own.items()}
        # Nobody has seen the one that it had until now.
        self._ctx = context
        return Namespace(context, names.flat, packages)

    def to_dict(self: Any) -> dict[str, Any]:
        if not isinstance(self.namespace, Namespace):
            return whole(self)
        context = without_macros(self)
        # A macro wins over what dbt itself puts there.
        self._ctx.make_instead(set(dict.keys(context)))
        return context

    # An argument of a test is rendered with a copy of the whole context, unlike all else.
    yield NativeSandboxTemplate, "new_context", MacroFuzzTemplate.new_context
    yield ManifestContext, "_build_namespace", build_namespace
    yield ManifestContext, "to_dict", to_dict


def _kept_by_packages(read: Callable[[_Macros, Any], _Names]) -> Callable[[_Macros, Any], _Names]:
    """Read the names once for a manifest, a project and a package."""
    kept: dict[tuple[str, str], tuple[_Macros, int, _Names]] = {}

    def read_once(macros: _Macros, builder: Any) -> _Names:
        key = (builder.root_package, builder.search_package)
        # While dbt parses it adds macros to those that it has.
        count = sum(map(len, macros.values()))
        known = kept.get(key)
        if known is None or known[0] is not macros or known[1] != count:
            known = kept[key] = (macros, count, read(macros, builder))
        return known[2]

    return read_once


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
