"""The environment a command gets: that of whoever started the execution, less what is not a command's business."""

import re
from collections.abc import Mapping, Sequence

from activities.commands.reaper import MARKER

_OURS = re.compile(r"ORCHEX_.*", re.DOTALL)
_SECRETS_OF_THE_MODEL = re.compile(
    r"(ANTHROPIC|CLAUDE)_(.*_)?(API_?KEY|KEY|AUTH|TOKEN|SECRET|PASSWORD|CREDENTIALS?|HEADERS)(_.*)?", re.DOTALL
)
_SECRETS_OF_TEMPORAL = re.compile(
    r"TEMPORAL_(API_KEY|TLS_.*(KEY|CERT).*|CODEC_AUTH|CLOUD_API_KEY|GRPC_META.*)", re.DOTALL
)
_GIT_LOCATION = re.compile(
    r"GIT_(DIR|WORK_TREE|IMPLICIT_WORK_TREE|INDEX_FILE|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES|COMMON_DIR"
    r"|NAMESPACE|PREFIX|INTERNAL_SUPER_PREFIX|GRAFT_FILE|SHALLOW_FILE|REPLACE_REF_BASE|CONFIG|CONFIG_PARAMETERS"
    r"|QUARANTINE_PATH)"
)
_STALE = frozenset({"PWD", "OLDPWD", "_"})
_SECRET_NAME = re.compile(
    r"(^|[_-])([A-Z0-9]*KEY|[A-Z0-9]*TOKEN|[A-Z0-9]*SECRETS?|[A-Z0-9]*PASSWORD|PASSWD|PASS|PASSPHRASE|PAT"
    r"|CREDENTIALS?|CREDS|AUTH|DSN|COOKIE|BEARER|JWT|HEADERS)($|[_-])",
    re.IGNORECASE,
)
_PLACE_NAME = re.compile(r"[_-](HOST|HOSTNAME|PORT|FILE|PATH|DIR|SOCK|USER|USERNAME)$", re.IGNORECASE)
"""``AUTH_SERVICE_HOST``, ``SSH_AUTH_SOCK``: where something is, not what opens it."""

_WORDS = frozenset({"localhost", "password", "postgres", "postgresql"})
"""Values that stand in many a project's own files: to hide them would hide no secret, and spoil what is read."""

_USERINFO = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^\s/@:]*):([^\s/@]+)@")
SHORTEST_SECRET = 8


def command_environment(
    inherited: Mapping[str, str],
    *,
    execution: str,
    stream: str,
    step_id: str,
    label: str | None,
    pass_env: Sequence[str],
) -> dict[str, str]:
    """``inherited`` without Orchex's, the model's and Temporal's secrets, with what names the step.

    ``pass_env`` lets a secret through by its exact name. Nothing lets git's location variables through: in the
    workspace they would point at the user's own repository. The values of this process's own environment are never
    looked at. ``step_id`` stays the same over all attempts of a step, so that effects can be keyed by it.
    """
    kept = {name: value for name, value in inherited.items() if _passes(name, value, pass_env)}
    kept |= {
        "ORCHEX_EXECUTION_ID": execution,
        "ORCHEX_STEP_ID": step_id,
        MARKER: marker(execution, stream),
    }
    if label is not None:
        kept["ORCHEX_ENVIRONMENT"] = label
    return kept


def marker(execution: str, stream: str) -> str:
    """What every process of a stream carries as ``ORCHEX_MARKER``, for ``reap`` to find it by."""
    return f"{execution}/{stream}"


def secret_values(env: Mapping[str, str]) -> list[str]:
    """The values in ``env`` that must not be recorded, longest first.

    Those of eight characters and more under a name that tells of a secret (``…_KEY``, ``…_TOKEN``, ``PGPASSWORD``),
    and passwords inside URLs under any name; but for words that are nobody's secret, such as ``postgres``.
    """
    found: set[str] = set()
    for name, value in env.items():
        if names_a_secret(name):
            found.add(value.strip())
        found.update(password for _, password in _USERINFO.findall(value))
    kept = (value for value in found if len(value) >= SHORTEST_SECRET and value not in _WORDS)
    return sorted(kept, key=lambda it: (-len(it), it))


def names_a_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None and _PLACE_NAME.search(name) is None


def _passes(name: str, value: str, pass_env: Sequence[str]) -> bool:
    if not name or name in _STALE or _GIT_LOCATION.fullmatch(name):
        return False
    if name in pass_env:
        return True
    if _OURS.fullmatch(name) or _SECRETS_OF_THE_MODEL.fullmatch(name) or _SECRETS_OF_TEMPORAL.fullmatch(name):
        return False
    return not (name.startswith("ANTHROPIC_") and _USERINFO.search(value))
