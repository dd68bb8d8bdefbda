"""``temporal-dev.yaml``: the profile of the embedded Temporal dev server, and the command line it comes
to.
"""

import ipaddress
import json
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationError,
)
from pydantic.alias_generators import to_camel

from orchex.domain.errors import InvalidInput
from orchex.stack.yaml_positions import Positions, YamlRefused, read_yaml

OWN_SEARCH_ATTRIBUTES = {"OrchexExecution": "Keyword"}
"""What the workflows set on themselves; a server that does not know an attribute fails their start."""


def _loopback(text: str) -> str:
    try:
        loopback = ipaddress.ip_address(text).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ValueError("a loopback address is needed, like 127.0.0.1: the dev server checks nobody")
    return text


def _port(number: int) -> int:
    if number != 0 and not 1024 <= number <= 65535:
        raise ValueError("0 (pick a free one) or 1024 to 65535 is needed")
    return number


Port = Annotated[int, AfterValidator(_port)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,199}$")]


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, alias_generator=to_camel, hide_input_in_errors=True
    )


class Server(_Part):
    ip: Annotated[str, AfterValidator(_loopback)] = "127.0.0.1"
    port: Port = 0


class Database(_Part):
    pragmas: dict[Annotated[str, StringConstraints(pattern=r"^[a-z_]+$")], str | int] = {
        "journal_mode": "WAL",
        "synchronous": "NORMAL",
        "busy_timeout": 10_000,
    }


class Ui(_Part):
    enabled: bool = False
    port: Port = 0


class Log(_Part):
    level: Literal["debug", "info", "warn", "error", "never"] = "warn"


class TemporalProfile(_Part):
    """``temporal-dev.yaml``, validated. The defaults are the values of the packaged file."""

    server: Server = Server()
    namespace: Name = "default"
    database: Database = Database()
    dynamic_config: dict[Name, JsonValue] = {
        "history.transferProcessorMaxPollRPS": 2000,
        "history.timerProcessorMaxPollRPS": 2000,
        "history.visibilityProcessorMaxPollRPS": 2000,
        "matching.numTaskqueueReadPartitions": 1,
        "matching.numTaskqueueWritePartitions": 1,
    }
    search_attributes: dict[Name, Literal["Text", "Keyword", "Int", "Double", "Bool", "Datetime", "KeywordList"]] = (
        Field(default_factory=dict)
    )
    ui: Ui = Ui()
    log: Log = Log()


def load_profile(path: Path | None) -> TemporalProfile:
    """Read a profile, or the packaged one. Raises ``InvalidInput``, a ``file:line: message`` per problem."""
    path = path or packaged_profile()
    try:
        document, positions = read_yaml(path)
    except OSError as error:
        raise InvalidInput(
            f"Cannot read the Temporal profile {path}: {error.strerror}.",
            hint="Check ORCHEX_TEMPORAL_PROFILE or --profile; unset, the packaged profile is used.",
        ) from error
    except YamlRefused as error:
        raise _invalid([f"{path}:{error.line}: {error}"]) from None
    try:
        return TemporalProfile.model_validate({} if document is None else document)
    except ValidationError as error:
        raise _invalid(_problems(path, positions, error)) from None


def packaged_profile() -> Path:
    """``orchex/share/temporal-dev.yaml`` of an installed Orchex, or the top of a source tree."""
    package = Path(str(resources.files("orchex")))
    installed = package / "share" / "temporal-dev.yaml"
    return installed if installed.is_file() else package.parent / "temporal-dev.yaml"


def start_dev_argv(profile: TemporalProfile, *, binary: Path, port: int, database: Path) -> list[str]:
    """The command line of the dev server. It reads no configuration of the user's ``temporal`` command."""
    argv = [str(binary), "server", "start-dev", "--disable-config-file", "--disable-config-env"]
    argv += ["--ip", profile.server.ip, "--port", str(port), "--db-filename", str(database)]
    argv += ["--namespace", profile.namespace, "--log-level", profile.log.level, "--log-format", "json"]
    argv += _ui_argv(profile.ui)
    for name, value in profile.database.pragmas.items():
        argv += ["--sqlite-pragma", f"{name}={value}"]
    for name, setting in profile.dynamic_config.items():
        argv += ["--dynamic-config-value", f"{name}={json.dumps(setting)}"]
    for name, kind in (profile.search_attributes | OWN_SEARCH_ATTRIBUTES).items():
        argv += ["--search-attribute", f"{name}={kind}"]
    return argv


def _ui_argv(ui: Ui) -> list[str]:
    if not ui.enabled:
        return ["--headless"]
    return ["--ui-disable-news-fetch", *(["--ui-port", str(ui.port)] if ui.port else [])]


def _problems(path: Path, positions: Positions, error: ValidationError) -> list[str]:
    problems = []
    for detail in error.errors(include_url=False, include_input=False, include_context=False):
        where = ".".join(str(part) for part in detail["loc"] if part != "[key]")
        message = "no such key" if detail["type"] == "extra_forbidden" else detail["msg"]
        problems.append(f"{path}:{positions.line(detail['loc'])}: {where or 'the file'}: {message}")
    return problems


def _invalid(problems: list[str]) -> InvalidInput:
    return InvalidInput(
        "The Temporal profile cannot be used.\n" + "\n".join(problems),
        hint=f"The keys and what they allow are described in {packaged_profile()}.",
    )
