"""From a chart to something that a page can show without asking anybody for anything."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any, Protocol

from orchestration.errors import ChartingError

if TYPE_CHECKING:
    import altair as alt

# Each run keeps its plots in Dagster's event log, for ever: a plot is a glance, not an archive.
MOST_BYTES = 60_000
# Vega labels every mark for screen readers. Inside of an image nobody reads them out, and they are
# most of the bytes.
_LABELS = re.compile(r' (?:aria-[a-z]+|role)="[^"]*"')
_LONG_NUMBERS = re.compile(r"(\d\.\d\d)\d+(?=[^<>]*>)")


class _Chart(Protocol):
    """What every chart of Altair can do, alone or as a part of a larger one."""

    def to_dict(self) -> dict[str, Any]: ...


def render(chart: _Chart) -> bytes:
    """Draw a chart of Altair as SVG, without a browser and without the internet.

    White behind the chart, since pages have dark themes; texts stay texts.

    Raises:
        ChartingError: the drawing has more than `MOST_BYTES`; draw fewer points.
    """
    import vl_convert

    specification = chart.to_dict()
    specification.setdefault("background", "white")
    svg = vl_convert.vegalite_to_svg(json.dumps(specification, default=str))
    drawn = _LONG_NUMBERS.sub(r"\1", _LABELS.sub("", svg)).encode()
    if len(drawn) > MOST_BYTES:
        raise ChartingError(
            f"The drawing has {len(drawn):,} bytes, more than {MOST_BYTES:,}. Draw fewer points: "
            "fewer months or series, or sums instead of rows."
        )
    return drawn


def as_markdown(drawing: bytes, title: str) -> str:
    """A drawing as a Markdown image that carries its own bytes.

    Args:
        drawing: SVG, or PNG.
        title: what is shown where images are not.
    """
    kind = "png" if drawing.startswith(b"\x89PNG") else "svg+xml"
    alt_text = title.replace("[", "(").replace("]", ")")
    return f"![{alt_text}](data:image/{kind};base64,{base64.b64encode(drawing).decode()})"


def inline(rows: object) -> alt.Data:
    """Rows as the data of a chart; Altair's own way would want a data frame."""
    import altair as alt

    return alt.Data(values=json.loads(json.dumps(rows, default=str)))  # type: ignore[no-untyped-call]
