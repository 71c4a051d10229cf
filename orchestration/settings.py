"""Every path and option, as one typed object read from the environment (`NORTHSTAR_*`)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
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
    secret_file: Path | None = Field(
        None, description="A file that holds the secret, which then stands in no environment."
    )
    reporting_timezone: str = Field("Europe/Paris", description="Zone in which days begin.")
    week_start: Literal["monday", "sunday"] = Field("monday", description="First day of a week.")
    as_of: date | None = Field(
        None, description="Judge as of this day instead of the newest export."
    )
    lock_wait_seconds: float = Field(900, ge=0, description="How long to wait for another rebuild.")
    keep_publications: int = Field(3, ge=1, description="Publications that are kept.")
    threads: int | None = Field(None, ge=1, description="DuckDB threads; default all cores.")
    memory_limit: str = Field(
        "2GB",
        pattern=r"^\d+(\.\d+)? ?[KMGT]i?B$",
        description="DuckDB memory limit, such as `2GB`.",
    )
    max_quarantined_share: float = Field(
        0.05, ge=0, le=1, description="Publishing stops above this share of quarantined rows."
    )
    max_inflated_mb: int = Field(
        16_384, ge=1, description="A landed file, unpacked, may have so many MiB; more is not read."
    )
    max_inflation_ratio: int = Field(
        200, ge=1, description="And so many times its packed size: a bomb has more, up to 1032."
    )
    dbt_target_dir: Path | None = Field(
        None, description="Where dbt writes its manifest; default `dbt_project/target`."
    )
    allow_missing_files: bool = Field(
        False, description="Accept that more than half of the loaded files left the landing folder."
    )

    @model_validator(mode="before")
    @classmethod
    def _secret_of_its_file(cls, values: dict[str, Any]) -> dict[str, Any]:
        if not values.get("secret_file"):
            return values
        if values.get("secret"):
            raise ValueError("NORTHSTAR_SECRET and NORTHSTAR_SECRET_FILE are both set; keep one")
        path = REPOSITORY / Path(values["secret_file"]).expanduser()
        try:
            return {**values, "secret": path.read_text(encoding="utf-8").strip()}
        except (OSError, UnicodeDecodeError) as error:
            kind = type(error).__name__
            raise ValueError(f"NORTHSTAR_SECRET_FILE cannot be read ({kind})") from None

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
    def alerts(self) -> Path:
        """The log of alerts, and what is still to be delivered."""
        return self.data / "alerts"

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


class AlertSettings(BaseSettings):
    """Whom to tell when something is wrong: `NORTHSTAR_ALERT_*`.

    Apart from the others, so that a wrong one among those can still be told.
    """

    model_config = SettingsConfigDict(
        env_prefix="NORTHSTAR_ALERT_",
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        populate_by_name=True,
    )

    data_dir: Path = Field(Path("data"), validation_alias="NORTHSTAR_DATA_DIR")
    webhook: SecretStr | None = Field(None, description="Address that alerts are posted to.")
    webhook_format: Literal["text", "json"] = Field(
        "text", description="`text` for Slack and its like; `json` adds fields for programs."
    )
    email_to: str | None = Field(None, description="Addresses, with commas between them.")
    email_from: str | None = Field(None, description="The sender; default the first recipient.")
    smtp_host: str | None = Field(None, description="The mail server.")
    smtp_port: int = Field(587, ge=1, le=65535, description="Of the mail server.")
    smtp_security: Literal["starttls", "tls", "none"] = Field("starttls")
    smtp_user: str | None = Field(None, description="Where the mail server asks for one.")
    smtp_password: SecretStr | None = Field(None, description="Of that user.")
    timeout_seconds: float = Field(10, gt=0, le=30, description="Of one attempt to deliver.")
    stale_hours: float = Field(72, ge=0, description="Exports older than this; 0 for never.")

    @field_validator("webhook")
    @classmethod
    def _is_address(cls, value: SecretStr | None) -> SecretStr | None:
        # Never quoted: whoever knows the address of a webhook can write to it.
        problem = "must be an address such as https://hooks.example.org/..."
        if value is not None:
            address = value.get_secret_value()
            try:
                parts = urlsplit(address)
                is_known = parts.scheme in ("http", "https") and bool(parts.hostname)
                is_known = is_known and parts.port != 0
            except ValueError:
                raise ValueError(problem) from None
            if not is_known or not address.isascii() or not address.isprintable():
                raise ValueError(problem)
        return value

    @field_validator("email_to", "email_from")
    @classmethod
    def _are_mail_addresses(cls, value: str | None) -> str | None:
        for address in (value or "").split(",") if value is not None else ():
            name, _, host = address.strip().rpartition("@")
            if not name or not host or not address.strip().isprintable() or " " in address.strip():
                raise ValueError("must be mail addresses such as ops@example.org, with commas")
        return value

    @model_validator(mode="after")
    def _mail_is_complete(self) -> AlertSettings:
        if self.email_to is not None and self.smtp_host is None:
            raise ValueError("NORTHSTAR_ALERT_EMAIL_TO needs NORTHSTAR_ALERT_SMTP_HOST")
        if self.smtp_password is not None and self.smtp_user is None:
            raise ValueError("NORTHSTAR_ALERT_SMTP_PASSWORD needs NORTHSTAR_ALERT_SMTP_USER")
        if self.smtp_user is not None and self.smtp_security == "none":
            raise ValueError(
                "NORTHSTAR_ALERT_SMTP_SECURITY=none would send the password readable: use "
                "starttls or tls"
            )
        return self

    @property
    def recipients(self) -> tuple[str, ...]:
        """Who gets e-mails; nobody by default."""
        return tuple(address.strip() for address in (self.email_to or "").split(",") if address)

    @property
    def channels(self) -> tuple[Literal["webhook", "e-mail"], ...]:
        """The ways to a person besides the log."""
        webhook: tuple[Literal["webhook"], ...] = ("webhook",) if self.webhook else ()
        mail: tuple[Literal["e-mail"], ...] = ("e-mail",) if self.recipients else ()
        return (*webhook, *mail)

    @property
    def folder(self) -> Path:
        """The log of alerts, and what is still to be delivered."""
        return REPOSITORY / self.data_dir.expanduser() / "alerts"


def read_settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        SettingsError: naming each variable that is wrong and what it should be. The value is not
            quoted, since it may be the secret.
    """
    return _read(Settings, secret=_withheld[-1]) if _withheld else _read(Settings)


@contextmanager
def secret_withheld() -> Iterator[None]:
    """Let no process that is started in a block inherit the secret; `read_settings` still has it.

    Libraries start little helpers, such as `file`, that have no business with it.
    """
    secret = os.environ.pop(_SECRET, None)
    if secret is None:
        yield
        return
    _withheld.append(SecretStr(secret))
    try:
        yield
    finally:
        _withheld.pop()
        os.environ[_SECRET] = secret


def read_alert_settings() -> AlertSettings:
    """Read whom to tell from the environment.

    Raises:
        SettingsError: as `read_settings` does.
    """
    return _read(AlertSettings)


_SECRET = "NORTHSTAR_SECRET"  # noqa: S105
_withheld: list[SecretStr] = []
_S = TypeVar("_S", bound=BaseSettings)


def _read(kind: type[_S], **values: Any) -> _S:
    try:
        return kind(**values)
    except ValidationError as error:
        prefix = kind.model_config.get("env_prefix", "")
        wrong = "; ".join(
            f"{_variable(prefix, item['loc'])}{item['msg']}"
            for item in error.errors(include_input=False, include_url=False)
        )
        raise SettingsError(
            f"A setting is wrong. {wrong}. Correct the variable and run again."
        ) from None


def _variable(prefix: str, location: tuple[int | str, ...]) -> str:
    """The environment's variable that a field is read from; of several fields their text tells."""
    name = "_".join(str(part) for part in location).upper()
    if not name:
        return ""
    return f"{name if name.startswith('NORTHSTAR_') else prefix + name}: "
