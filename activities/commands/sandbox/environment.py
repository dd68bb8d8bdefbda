"""The environment of a confined command: a list of what may pass. For the user's own, it is one of what may not."""

import re
from collections.abc import Mapping, Sequence

from activities.commands.environment import secret_values
from activities.commands.redaction import without_values

_OURS = frozenset({"ORCHEX_EXECUTION_ID", "ORCHEX_STEP_ID", "ORCHEX_MARKER", "ORCHEX_ENVIRONMENT"})
_PASSES = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TERM|COLORTERM|NO_COLOR|FORCE_COLOR|CLICOLOR(_FORCE)?|TZ|CI"
    # Where toolchains are, and how they build. Nothing that holds the address of a registry: it may hold a password.
    r"|LD_LIBRARY_PATH|LIBRARY_PATH|CPATH|PKG_CONFIG_PATH|CC|CXX|AR|LD|C(PP|XX)?FLAGS|LDFLAGS|MAKEFLAGS"
    r"|SSL_CERT_(FILE|DIR)|SOURCE_DATE_EPOCH"
    r"|VIRTUAL_ENV|PYTHON(PATH|HOME|UNBUFFERED|DONTWRITEBYTECODE|HASHSEED|WARNINGS|UTF8|IOENCODING)"
    r"|PYENV_(ROOT|VERSION)|CONDA_(PREFIX|DEFAULT_ENV|EXE)|POETRY_HOME|PIPX_(HOME|BIN_DIR)"
    r"|NODE_(PATH|ENV|OPTIONS)|NVM_(DIR|BIN|INC)|FNM_\w*DIR|VOLTA_HOME|PNPM_HOME|BUN_INSTALL|DENO_(DIR|INSTALL)"
    r"|CARGO_HOME|RUSTUP_(HOME|TOOLCHAIN)|RUSTFLAGS|RUST_(BACKTRACE|LOG)|GOROOT|GOPATH|GOFLAGS|GOMODCACHE|GOTOOLCHAIN"
    r"|JAVA_HOME|JDK_HOME|M2_HOME|MAVEN_HOME|GRADLE_HOME|SDKMAN_DIR|KOTLIN_HOME|SCALA_HOME"
    r"|RBENV_(ROOT|VERSION)|GEM_(HOME|PATH)|BUNDLE_(PATH|GEMFILE)|RUBY(LIB|OPT)"
    r"|ASDF_(DIR|DATA_DIR)|MISE_DATA_DIR|DOTNET_ROOT|ANDROID_(HOME|SDK_ROOT)|SDKROOT|NIX_(PATH|PROFILES)"
)


def confined_environment(command: Mapping[str, str], pass_env: Sequence[str]) -> dict[str, str]:
    """Of ``command``, the environment that the user's own command would get, what a model's command may see.

    ``pass_env`` names what passes beside, whatever it holds: naming it is the user's decision. A value that is, or
    holds, one of the environment's secrets, however spelled, passes under no other name.
    """
    secrets = secret_values(command)

    def passes(name: str, value: str) -> bool:
        if name in _OURS or name in pass_env:
            return True
        return _PASSES.fullmatch(name) is not None and without_values(value, secrets) == value

    return {name: value for name, value in command.items() if passes(name, value)}
