"""Every path and option, as one typed object read from the environment (`NORTHSTAR_*`)."""

from __future__ import annotations

from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from orchestration.errors import SettingsError

REPOSITORY = Path(__file__).resolve().parent.parent
DBT_PROJECT_DIR = REPOSITORY / "dbt_project"


class Settings(BaseSettings):
    """What a run needs to know. Relative paths start at the repository, not at the caller."""

    model_config = SettingsConfigDict(env_prefix="NORTHSTAR_", frozen=True, extra="ignore")

    data_dir: Path = Field(Path("data"), description="Holds landing, warehouse, published, state.")
    landing_dir: Path | None = Field(None, description="The exports; default `<data_dir>/landing`.")
    sources_dir: Path = Field(Path("data/sources"), description="Tracking plans and mappings.")
    secret: SecretStr | None = Field(None, description="The pseudonym key, 16 characters or more.")
    reporting_timezone: str = Field("Europe/Paris", description="Zone in which days begin.")
    week_start: Literal["monday", "sunday"] = Field("monday", description="First day of a week.")
    as_of: date | None = Field(
        None, description="Judge as of this day instead of the newest export."
    )
    lock_wait_seconds: float = Field(900, ge=0, description="How long to wait for another rebuild.")
    keep_publications: int = Field(3, ge=1, description="Publications that are kept.")
    threads: int | None = Field(None, ge=1, description="DuckDB threads; default all cores.")
    memory_limit: str = Field("2GB", description="DuckDB memory limit, such as `2GB`.")
    max_quarantined_share: float = Field(
        0.05, ge=0, le=1, description="Publishing stops above this share of quarantined rows."
    )
    dbt_target_dir: Path | None = Field(
        None, description="Where dbt writes its manifest; default `dbt_project/target`."
    )
    allow_missing_files: bool = Field(
        False, description="Accept that more than half of the loaded files left the landing folder."
    )

    @field_validator("reporting_timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{value!r} is not a time zone such as Europe/Paris") from error
        return value

    @field_validator("secret")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 16:
            raise ValueError("must have 16 characters or more")
        return value

    @cached_property
    def data(self) -> Path:
        """The data folder, absolute."""
        return REPOSITORY / self.data_dir.expanduser()

    @property
    def landing(self) -> Path:
        """The folder of exports, never written to except by the demo and by an erasure."""
        if self.landing_dir is None:
            return self.data / "landing"
        return REPOSITORY / self.landing_dir.expanduser()

    @property
    def sources(self) -> Path:
        """The folder of contracts that analysts edit."""
        return REPOSITORY / self.sources_dir.expanduser()

    @property
    def warehouse(self) -> Path:
        """The DuckDB file that only the pipeline opens."""
        return self.data / "warehouse" / "warehouse.duckdb"

    @property
    def scratch(self) -> Path:
        """Where archives are unpacked while they are loaded; emptied before and after."""
        return self.data / "warehouse" / "scratch"

    @property
    def lock(self) -> Path:
        """The file whose `flock` means that a rebuild runs."""
        return self.data / "warehouse" / "rebuild.lock"

    @property
    def published(self) -> Path:
        """The folder that BI tools read: `northstar.duckdb` and `publications/`."""
        return self.data / "published"

    @property
    def state(self) -> Path:
        """What cannot be rebuilt from landing."""
        return self.data / "state"

    @property
    def dagster_home(self) -> Path:
        """Dagster's own storage of runs and events."""
        return self.data / "dagster"

    @property
    def dbt_target(self) -> Path:
        """Where dbt writes its manifest and compiled SQL."""
        if self.dbt_target_dir is None:
            return DBT_PROJECT_DIR / "target"
        return REPOSITORY / self.dbt_target_dir.expanduser()


def read_settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        SettingsError: naming each variable that is wrong and what it should be. The value is not
            quoted, since it may be the secret.
    """
    try:
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(
            f"NORTHSTAR_{'_'.join(str(part) for part in item['loc']).upper()}: {item['msg']}"
            for item in error.errors(include_input=False, include_url=False)
        )
        raise SettingsError(
            f"A setting is wrong. {wrong}. Correct the variable and run again."
        ) from None
