"""A published table as CSV, for whoever opens it in a spreadsheet.

A spreadsheet takes a cell that begins like a formula for one, and runs it: a course's title or a
channel may come from anybody. Such a text gets an apostrophe in front, as spreadsheets have it for
text; numbers and dates are not text and stay as they are.
"""

from __future__ import annotations

import re
from pathlib import Path

import duckdb

from orchestration.errors import PublishingError
from orchestration.publishing.publications import published_file
from orchestration.publishing.tables import Relation, identifier, literal, read_columns
from orchestration.settings import Settings

# What spreadsheets take for the beginning of a formula, also behind blanks, and in the wide letters
# that East Asian ones fold; a tab or line end in front ends the quotes for some importers.
_FORMULA = r"^(\s|\x{a0}|\x{feff})*[=+\-@＝＋－＠]|^[\t\r\n]"  # noqa: RUF001
# Types whose values cannot begin like a formula, or are numbers, which begin so rightly.
_PLAIN = re.compile(
    r"U?(TINY|SMALL|BIG)?INT(EGER)?|DECIMAL\(.*\)|DOUBLE|FLOAT|BOOLEAN|DATE|TIMESTAMP.*|UUID"
)


def export_csv(settings: Settings, table: str, target: Path) -> int:
    """Write a table of the published file as CSV (UTF-8, comma, header), and return its rows.

    Args:
        settings: say where the published file is.
        table: as `schema.table`.
        target: the file to write; a stream such as `/dev/stdout` will do.

    Raises:
        PublishingError: there is no such table, or the file cannot be written.
    """
    path = published_file(settings)
    if not path.is_file():
        raise PublishingError(f"{path} does not exist yet. Run `make run` first.")
    relation = Relation.parse(table)
    with duckdb.connect(str(path), read_only=True) as reader:
        catalog = path.stem
        columns = read_columns(reader, catalog, relation)
        if not columns:
            known = reader.execute(
                "select schema_name || '.' || table_name from duckdb_tables() order by all"
            ).fetchall()
            raise PublishingError(
                f"{relation} is not published. There are {', '.join(name for (name,) in known)}."
            )
        cells = ", ".join(
            f"{_cell(column.name, str(column.type))} as {identifier(_defused(column.name))}"
            for column in columns
        )
        try:
            written = reader.execute(
                f"copy (select {cells} from {relation.sql(catalog)} order by all) "
                f"to {literal(str(target))} (format csv, header, delimiter ',')"
            ).fetchall()
        except duckdb.IOException as error:
            raise PublishingError(
                f"{target} cannot be written ({type(error).__name__}). Name a file in a folder "
                "that exists and is yours."
            ) from None
    return int(written[0][0])


def _cell(name: str, kind: str) -> str:
    column = identifier(name)
    if _PLAIN.fullmatch(kind):
        return column
    text = f"{column}::varchar"
    return (
        f"case when regexp_matches({text}, {literal(_FORMULA)}) then '''' || {text} else {text} end"
    )


def _defused(name: str) -> str:
    return f"'{name}" if name[:1] in "=+-@\t\r" else name
