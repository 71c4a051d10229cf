"""Copy audited marts to the file that BI tools read, and tell whether that file is up to date.

Knows the warehouse's marts and `data/published/`, nothing of Dagster or dbt: importing it is cheap,
so that a run with nothing new can say so at once.
"""

from orchestration.publishing.chain import SCHOOLS, School, verify
from orchestration.publishing.exporting import export_csv
from orchestration.publishing.figures import Figure, read_figures
from orchestration.publishing.fingerprint import (
    Fingerprint,
    contracts_digest,
    dbt_digest,
    settings_digest,
)
from orchestration.publishing.headline import Headline, headline, render_headline
from orchestration.publishing.publications import (
    Publication,
    PublishedTable,
    current_publication,
    nothing_new,
    published_file,
    restricted_file,
)
from orchestration.publishing.writing import publish

__all__ = [
    "SCHOOLS",
    "Figure",
    "Fingerprint",
    "Headline",
    "Publication",
    "PublishedTable",
    "School",
    "contracts_digest",
    "current_publication",
    "dbt_digest",
    "export_csv",
    "headline",
    "nothing_new",
    "publish",
    "published_file",
    "read_figures",
    "render_headline",
    "restricted_file",
    "settings_digest",
    "verify",
]
