"""Keeps the templates that dbt has translated to Python, from one process to the next.

dbt translates each macro, each model and each argument of a test anew in every process: a quarter
of its own time. What a template is translated to depends on its text and on the versions of Python,
Jinja and dbt alone, as with the `.pyc` files of Python; the file is as trustworthy as those are,
and lies where dbt keeps its own, which it reads with no more caution.
"""

from __future__ import annotations

import hashlib
import importlib.util
import marshal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from types import CodeType
from typing import Any
from unittest.mock import patch

from orchestration.durable import write_file

# More are no use: a project that changes leaves old ones behind.
_MOST = 20_000


@contextmanager
def kept_templates(file: Path | None) -> Iterator[None]:
    """Translate no template twice for the time of a block.

    Args:
        file: keeps them; null keeps them for the time of this process only.
    """
    from dbt_common.clients import jinja

    environment = jinja.MacroFuzzEnvironment
    translate: Callable[..., CodeType] = environment.compile
    store = _store(file)
    known = len(store)

    def translate_once(
        self: Any,
        source: Any,
        name: str | None = None,
        filename: str | None = None,
        raw: bool = False,
        defer_init: bool = False,
    ) -> Any:
        # Nothing but what `from_string` asks for, and not while somebody debugs macros.
        if type(source) is not str or name or filename or raw or defer_init or _debugs(jinja):
            return translate(self, source, name, filename, raw, defer_init)
        key = _key(type(self), self.extensions, source)
        if (code := store.get(key)) is None:
            code = store[key] = translate(self, source)
        return code

    with patch.object(environment, "compile", translate_once):
        try:
            yield
        finally:
            if file is not None and len(store) > known:
                # Only time is lost with it.
                with suppress(OSError):
                    _write(file, store)


# By file, for the life of this process.
_stores: dict[Path | None, dict[str, CodeType]] = {}


def _store(file: Path | None) -> dict[str, CodeType]:
    if file not in _stores:
        _stores[file] = {} if file is None else _read(file)
    return _stores[file]


def _key(environment: type, extensions: dict[str, Any], source: str) -> str:
    told = "\0".join((environment.__qualname__, *sorted(extensions), source))
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()


def _debugs(jinja: Any) -> bool:
    return bool(getattr(jinja, "MACRO_DEBUGGING", False))


def _heading() -> bytes:
    """What must be the same for a translation to be of use."""
    versions = [f"{name}={version(name)}" for name in ("jinja2", "dbt-core", "dbt-common")]
    told = [sys.implementation.cache_tag or "", importlib.util.MAGIC_NUMBER.hex(), *versions]
    return " ".join(told).encode() + b"\n"


def _read(file: Path) -> dict[str, CodeType]:
    """What a file keeps; nothing when it is missing, of other versions, or damaged."""
    heading = _heading()
    try:
        content = file.read_bytes()
    except OSError:
        return {}
    digest, packed = content[len(heading) :][:32], content[len(heading) + 32 :]
    if not content.startswith(heading) or hashlib.sha256(packed).digest() != digest:
        return {}
    found: dict[str, CodeType] = marshal.loads(packed)  # noqa: S302
    return found


def _write(file: Path, store: dict[str, CodeType]) -> None:
    # What was translated last comes last.
    kept = dict(list(store.items())[-_MOST:])
    packed = marshal.dumps(kept)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_file(file, _heading() + hashlib.sha256(packed).digest() + packed, 0o600)
