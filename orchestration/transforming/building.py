"""`dbt build` in this process, told node by node."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn, cast

from orchestration.errors import TransformError, behind
from orchestration.reducing import reduced
from orchestration.settings import DBT_PROJECT_DIR, REPOSITORY, Settings
from orchestration.transforming.invoking import invoke
from orchestration.transforming.variables import Variables

if TYPE_CHECKING:
    import duckdb
    from dbt_common.events.base_types import EventMsg

# Dbt's events that are listened to.
_NODE_STARTS = "LogStartLine"
_NODE_ENDS = "NodeFinished"
_WITH_ROWS = ("table", "incremental", "seed", "snapshot")
_BUILT = ("success", "pass")
_BAD = ("error", "fail", "runtime error", "partial success")
# Of these dbt's message is its own, such as "Got 2 results"; of others it may be the driver's.
_IN_DBTS_WORDS = (*_BUILT, "fail", "warn")


@dataclass(frozen=True)
class Answer:
    """What a query found in a model that had just been built.

    Attributes:
        rows: by column name; none where it failed.
        error: why it failed, in words.
    """

    rows: Sequence[Mapping[str, Any]] = ()
    error: str | None = None


@dataclass(frozen=True)
class FinishedNode:
    """What became of one model, seed, test or unit test.

    Attributes:
        unique_id: dbt's name of the node, such as `model.northstar.dim_learners`.
        status: success, error, skipped; of tests pass, warn, fail, error, skipped.
        failures: rows that a test found; null for other nodes.
        message: what dbt says about it; of an error its kind, and where its SQL is.
        seconds: how long it took.
        columns: name to type of what was built; empty for tests.
        row_count: rows of what was built; null for tests and views.
        answers: to the queries that were to be asked of it, in their order.
        event: dbt's own event, as a dictionary, with this message.
    """

    unique_id: str
    status: str
    failures: int | None
    message: str | None
    seconds: float
    columns: Mapping[str, str] = field(default_factory=dict)
    row_count: int | None = None
    answers: Sequence[Answer] = ()
    event: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def resource_type(self) -> str:
        """model, test, unit_test, seed ..."""
        return self.unique_id.partition(".")[0]

    @property
    def name(self) -> str:
        """The name without its kind and project."""
        return self.unique_id.split(".")[2]

    @property
    def is_bad(self) -> bool:
        """Whether the marts may not be published because of this node."""
        return self.status in _BAD


@dataclass(frozen=True)
class BuildResult:
    """A finished build.

    Attributes:
        succeeded: every model was built and no error-severity test failed.
        nodes: in the order in which they finished.
    """

    succeeded: bool
    nodes: Sequence[FinishedNode]

    @property
    def bad_nodes(self) -> list[FinishedNode]:
        """What failed, without what was skipped because of it."""
        return [node for node in self.nodes if node.is_bad]

    def raise_for_failures(self) -> None:
        """Raise if anything failed.

        Raises:
            TransformError: naming what failed.
        """
        if self.succeeded:
            return
        bad = "; ".join(f"{node.name} ({node.message or node.status})" for node in self.bad_nodes)
        skipped = sum(node.status == "skipped" for node in self.nodes)
        raise TransformError(
            f"dbt did not finish: {bad or 'nodes were skipped'}. {skipped} nodes after them were "
            "skipped. The published file is as it was. Correct the model or the data and run again."
        )


def build(
    settings: Settings,
    *,
    full_refresh: bool,
    variables: Variables,
    on_event: Callable[[FinishedNode], None],
    select: Sequence[str] = (),
    indirect_selection: str | None = None,
    stop: threading.Event | None = None,
    with_unit_tests: bool = False,
    queries: Mapping[str, Sequence[str]] = MappingProxyType({}),
    project_dir: Path = DBT_PROJECT_DIR,
) -> BuildResult:
    """Build models and run their data tests.

    Args:
        settings: where the warehouse is. The caller holds the rebuild lock and has no connection.
        full_refresh: build incremental models anew.
        variables: handed to dbt.
        on_event: called after each node, from dbt's threads but one call at a time.
        select: dbt's arguments of selection; empty for everything.
        indirect_selection: dbt's option of that name.
        stop: once set, no further node starts.
        with_unit_tests: they judge the code, not the data, and take longer than the models: they
            belong to the tests of the repository.
        queries: by model, asked when it has been built; what it is made from is built by then. One
            that fails fails nothing.
        project_dir: the project.

    Raises:
        TransformError: dbt could not start, or was stopped.
    """
    watcher = _Watcher(on_event, stop or threading.Event(), queries, settings.dbt_target)
    command = ["build", "--no-write-json", *select]
    if not with_unit_tests:
        command.append("--exclude-resource-type=unit_test")
    if full_refresh:
        command.append("--full-refresh")
    if indirect_selection is not None:
        command.append(f"--indirect-selection={indirect_selection}")
    result = invoke(
        settings,
        command,
        variables=variables,
        project_dir=project_dir,
        callback=watcher,
        heard=(_NODE_STARTS, _NODE_ENDS),
    )
    if watcher.error is not None:
        raise watcher.error
    if watcher.stopped:
        raise TransformError("The build was stopped. The published file is as it was.")
    if result.exception is not None:
        _raise_not_built(project_dir, result.exception)
    return BuildResult(succeeded=result.success, nodes=tuple(watcher.nodes))


def _raise_not_built(project_dir: Path, error: BaseException) -> NoReturn:
    import duckdb

    driver = next((one for one in behind(error) if isinstance(one, duckdb.Error)), None)
    said = str(error) if driver is None else reduced(driver)
    # What stands behind an error is recorded with it.
    raise TransformError(
        f"dbt could not build {project_dir}: {said}. Correct what it names."
    ) from (error if driver is None else None)


class _Watcher:
    """Turns dbt's events into finished nodes; dbt calls it from every one of its threads."""

    def __init__(
        self,
        on_event: Callable[[FinishedNode], None],
        stop: threading.Event,
        queries: Mapping[str, Sequence[str]],
        target: Path,
    ) -> None:
        self.nodes: list[FinishedNode] = []
        self.error: Exception | None = None
        self.stopped = False
        self._on_event = on_event
        self._stop = stop
        self._queries = queries
        self._target = target
        self._lock = threading.Lock()

    def __call__(self, message: EventMsg) -> None:
        name = message.info.name
        # The one event of a start whose error dbt makes the node's own; after others it hangs.
        if name == _NODE_STARTS and self._stop.is_set():
            self.stopped = True
            raise TransformError("stopped before it began")
        if name != _NODE_ENDS:
            return
        with self._lock:
            node = _read_event(message, self._queries, self._target)
            self.nodes.append(node)
            try:
                self._on_event(node)
            except Exception as error:
                # dbt would take it for an error of the node; the caller gets it when dbt is done.
                self.error = self.error or error
                self._stop.set()


def _read_event(
    message: EventMsg, queries: Mapping[str, Sequence[str]], target: Path
) -> FinishedNode:
    from dbt_common.events.functions import msg_to_dict

    event = msg_to_dict(message)
    info, result = event["data"]["node_info"], event["data"]["run_result"]
    unique_id, status = info["unique_id"], result["status"]
    if result["message"] and status not in _IN_DBTS_WORDS:
        result["message"] = _told(result["message"], unique_id, info["node_path"], target)
    columns: dict[str, str] = {}
    row_count = None
    answers: list[Answer] = []
    if status in _BUILT and info["materialized"] in (*_WITH_ROWS, "view"):
        relation = info["node_relation"]
        columns, row_count = _inspect(
            relation["schema"], relation["alias"], count=info["materialized"] in _WITH_ROWS
        )
        answers = [_ask(query) for query in queries.get(info["node_name"], ())]
    is_test = unique_id.startswith(("test.", "unit_test."))
    return FinishedNode(
        unique_id=unique_id,
        status=status,
        failures=int(result["num_failures"]) if is_test else None,
        message=result["message"] or None,
        seconds=float(result["execution_time"]),
        columns=columns,
        row_count=row_count,
        answers=answers,
        event=event,
    )


def _told(message: str, unique_id: str, node_path: str, target: Path) -> str:
    """What may be told of a node's error, and which SQL gives the rest of it."""
    compiled = target / "compiled" / unique_id.split(".")[1]
    places = (path for path in compiled.rglob(Path(node_path).name) if path.is_file())
    found = sorted(path for path in places if path.as_posix().endswith(f"/{node_path}"))
    if not found:
        return reduced(message)
    shown = found[0].relative_to(REPOSITORY) if found[0].is_relative_to(REPOSITORY) else found[0]
    return f"{reduced(message)}; to see more, run {shown} on a copy of the warehouse"


def _inspect(schema: str, table: str, *, count: bool) -> tuple[dict[str, str], int | None]:
    """Columns and rows of a table that dbt has just built and committed.

    Asked through a cursor of dbt's own connection, since DuckDB refuses a second connection with
    another configuration.
    """
    with _cursor() as cursor:
        columns = cursor.execute(
            """
            select column_name, data_type
            from duckdb_columns()
            where schema_name = ? and table_name = ?
            order by column_index
            """,
            [schema, table],
        ).fetchall()
        if not count:
            return dict(columns), None
        row = cursor.execute(f'select count(*) from "{schema}"."{table}"').fetchone()
    return dict(columns), row[0] if row else None


def _ask(query: str) -> Answer:
    """The answer to a query, or why there is none; no figure depends on it."""
    import duckdb

    try:
        with _cursor() as cursor:
            asked = cursor.execute(query)
            names = [str(column[0]) for column in asked.description or []]
            return Answer([dict(zip(names, row, strict=True)) for row in asked.fetchall()])
    except duckdb.Error as error:
        return Answer(error=reduced(error))


def _cursor() -> duckdb.DuckDBPyConnection:
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.adapters.duckdb.environments.local import LocalEnvironment

    environment = cast(LocalEnvironment, DuckDBConnectionManager.env())
    return cast("duckdb.DuckDBPyConnection", environment.conn).cursor()
