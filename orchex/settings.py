"""What the environment configures. Built by ``load_settings``, never at import."""

import os
from base64 import b64decode
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from orchex.domain.addresses import Network
from orchex.domain.errors import InvalidInput

_TEMPORAL_CLIENT_VARIABLES = ("TEMPORAL_ADDRESS", "TEMPORAL_PROFILE", "TEMPORAL_CONFIG_FILE")


_KEY_BYTES = 32


def _state_home() -> Path:
    """``$XDG_STATE_HOME/orchex``, else ``~/.local/state/orchex``.

    The XDG base directory specification says that a relative ``XDG_STATE_HOME`` is to be ignored.
    """
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    if state.is_absolute():
        return state / "orchex"
    try:
        return Path.home() / ".local" / "state" / "orchex"
    except RuntimeError:
        raise InvalidInput(
            "There is no home directory to keep Orchex's state in: HOME is not set, and this user is not in "
            "the password database.",
            hint="Set ORCHEX_HOME to a folder that this user alone can write.",
        ) from None


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser().absolute()
    except RuntimeError as error:
        raise ValueError(f"{path} cannot be expanded: {error}") from None


def _database(url: str) -> str:
    known = url.startswith(("postgresql://", "postgres://", "postgresql+psycopg://", "sqlite:///"))
    try:
        known = known and urlsplit(url).port != 0  # which raises for what is no number
    except ValueError:
        known = False
    if not known:
        raise ValueError("must be the address of a database: postgresql://USER@HOST/NAME or sqlite:////PATH")
    return url


def _encryption_keys(value: SecretStr) -> SecretStr:
    try:
        fitting = all(len(b64decode(key, validate=True)) == _KEY_BYTES for key in _parts(value))
    except ValueError:
        fitting = False
    if not (fitting and _parts(value)):
        raise ValueError(
            "must be 32 random bytes in base64, as `openssl rand -base64 32` prints them; or several, separated by"
            " commas, of which the first one encrypts"
        )
    return value


def _parts(value: SecretStr) -> list[str]:
    return [part.strip() for part in value.get_secret_value().split(",") if part.strip()]


AbsolutePath = Annotated[Path, AfterValidator(_expanded)]


def _paths(value: object) -> object:
    return [name for name in value.split(os.pathsep) if name] if isinstance(value, str) else value


def _networks(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())


class Settings(BaseSettings):
    """The settings of one process. Each field is read from ``ORCHEX_<FIELD>``; an empty variable is an
    unset one.
    """

    model_config = SettingsConfigDict(
        env_prefix="ORCHEX_", env_ignore_empty=True, frozen=True, extra="ignore", hide_input_in_errors=True
    )

    home: AbsolutePath = Field(default_factory=_state_home)
    """Where everything of Orchex lives: the stack, its databases, private repositories, blobs, logs."""
    database_url: Annotated[str, AfterValidator(_database)] | None = None
    """Where the store is, as an SQLAlchemy URL; none means a SQLite file under ``home``."""
    idle_seconds: float = Field(default=900, ge=1, allow_inf_nan=False)
    """How long a stack in the background stays with no client and nothing unfinished, in seconds."""
    secret_key: SecretStr | None = Field(default=None, min_length=32)
    """What API keys are hashed with and webhook secrets sealed with; the same on every server and worker of one
    database. None: a file of this home, made once."""
    encryption_key: Annotated[SecretStr, AfterValidator(_encryption_keys)] | None = None
    """What enters Temporal is sealed with it: 32 bytes in base64. Several are separated by commas: the first one seals,
    each opens. The same on every server and worker of one namespace."""
    plans: AbsolutePath | None = None
    """A ``plans.yaml`` to use in place of the one that comes with Orchex."""
    billing_provider: Literal["local", "stripe"] = "local"
    """Who takes the teams' payments: nobody (the operator settles with them), or Stripe."""
    billing_return_url: str | None = Field(default=None, pattern=r"^https?://", max_length=2000)
    """Where a person is sent after paying for a change of plan, or after not paying."""
    stripe_api_key: SecretStr | None = None
    stripe_webhook_secret: SecretStr | None = None
    """Of the endpoint ``/v1/billing/notices``, as Stripe shows it (``whsec_…``)."""
    stripe_api_base: str | None = Field(default=None, pattern=r"^https?://", max_length=2000)
    """Where Stripe's API is, if not at its own address."""
    rate_limit_url: SecretStr | None = None
    """A Redis or Valkey server (``redis://…``) that several API processes count requests in; none: each for itself."""
    temporal_profile: AbsolutePath | None = None
    """A ``temporal-dev.yaml`` to use in place of the one that comes with Orchex."""
    prices: AbsolutePath | None = None
    """A file of model prices that come before the built-in ones."""
    retention_days: int | None = Field(default=None, ge=1, le=36_500)
    """How many days after its end an execution is deleted, with its blobs; none keeps them all."""
    webhook_allowed_ranges: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)] = ()
    """Ranges that webhooks may be sent to although they are not of the public internet, also by ``http://``: networks
    in CIDR notation, separated by commas."""
    task_queue: str = Field(default="orchex", min_length=1, max_length=200)
    """The Temporal task queue that workflows and activities run on."""

    api_host: str = Field(default="127.0.0.1", min_length=1, max_length=255)
    """The address that the API listens at."""
    api_port: int | None = Field(default=None, ge=0, le=65535)
    """The port that the API listens at, 0 for any free one; none means 8460, or a free one where that is taken."""
    api_hosts: str = Field(default="", max_length=4000)
    """The names that clients reach this server by, separated by commas: what MCP takes as Host and Origin besides
    this machine's own."""
    projects: str | None = None
    """The projects that the API's executions may name: a mapping from name to folder, in JSON or YAML."""
    projects_file: AbsolutePath | None = None
    """A file with that mapping."""

    allow_unsandboxed: bool = False
    """Run commands that a model asks for even where nothing can confine them."""
    sandbox_readable: Annotated[tuple[AbsolutePath, ...], NoDecode, BeforeValidator(_paths)] = ()
    """Folders that such commands may read besides the system's and toolchains, separated by colons as in PATH."""
    sandbox_seconds: float = Field(default=600, ge=1, allow_inf_nan=False)
    """How long one of them may take, in seconds."""
    sandbox_cpu_seconds: int = Field(default=1200, ge=1)
    """How long each process of one may compute, in seconds."""
    sandbox_memory_mb: int = Field(default=8192, ge=64)
    """How much memory the processes of one may have in use together, and each of them may allocate, in MiB."""
    sandbox_processes: int = Field(default=512, ge=8)
    """How many processes of one may run at once."""
    sandbox_file_mb: int = Field(default=4096, ge=1)
    """How large a file may become, in MiB."""
    sandbox_output_mb: int = Field(default=64, ge=1)
    """How much one may print, in MiB."""
    sandbox_free_disk_mb: int = Field(default=256, ge=0)
    """How much has to stay free on the disk of the workspace, in MiB."""

    @property
    def clear_secret_key(self) -> str | None:
        return self.secret_key.get_secret_value() if self.secret_key else None

    @property
    def encryption_keys(self) -> tuple[bytes, ...]:
        return tuple(map(b64decode, _parts(self.encryption_key))) if self.encryption_key else ()

    @property
    def external_temporal(self) -> bool:
        """Whether Temporal's own environment configuration names a server; then none is started here."""
        return any(os.environ.get(name) for name in _TEMPORAL_CLIENT_VARIABLES)


def load_settings() -> Settings:
    """Read the settings from the environment. Raises ``InvalidInput`` with each variable and what it
    allows.
    """
    try:
        return Settings()
    except ValidationError as error:
        problems = [
            f"ORCHEX_{str(detail['loc'][0]).upper()}: {detail['msg'].removeprefix('Value error, ')}"
            if detail["loc"]
            else detail["msg"]
            for detail in error.errors(include_url=False, include_input=False)
        ]
        raise InvalidInput(
            "The environment holds a setting that cannot be used. " + "; ".join(problems),
            hint="Correct the variable, or unset it to get the default.",
        ) from None
