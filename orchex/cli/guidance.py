"""What somebody is told who has neither a runbook nor a model: the ways on, with something to paste."""

import shlex
from collections.abc import Mapping

from orchex.domain.errors import InvalidInput

_MODEL_VARIABLES = (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_MODEL",
    "ORCHEX_MODEL",
    "ORCHEX_CASSETTE",
)

_RUNBOOK = """\
cat > fix.md <<'END'
1. Put the right word in:

   ```sh
   printf 'hello\\n' > greeting.txt
   ```

2. See that it is there:

   ```sh
   grep -q hello greeting.txt
   ```
END
"""


def has_model(environ: Mapping[str, str]) -> bool:
    """Whether the environment names somebody who could take turns; whether they do shows when they are asked."""
    return any(environ.get(name) for name in _MODEL_VARIABLES)


def no_plan_for(task: str) -> InvalidInput:
    """For ``orchex run`` without ``--plan`` and ``--model``."""
    return InvalidInput(
        f"nobody can plan {task!r}: no runbook was given, and there is no model",
        hint=_ways_on(f"orchex run {shlex.quote(task)} --plan fix.md"),
    )


def no_model_for(stream: str, manifest: str) -> InvalidInput:
    """For ``orchex exec`` of streams that name no model."""
    return InvalidInput(
        f"stream {stream!r} of {manifest} names no model, so nobody can carry out its plan",
        hint=_ways_on(
            f"orchex exec {shlex.quote(manifest)} --model runbook",
            "Give the stream's plan fenced blocks as below, and add `model: runbook` to the manifest, or run",
        ),
    )


def _ways_on(command: str, lead: str = "You write the plan, and its fenced blocks are carried out. Paste this:") -> str:
    body = f"{_RUNBOOK}{command}" if lead.endswith(":") else f"    {command}"
    return f"""
There are three ways on.

1. A runbook: no model, no key, no network. {lead}

{body}

   `orchex init` writes a first manifest with a runbook for this project.

2. A key for Claude: put it into ANTHROPIC_API_KEY, and run the same again.

3. A model of your own, on any server that speaks the Messages API (llama.cpp, vLLM, Ollama, LM Studio):
   put its address into ANTHROPIC_BASE_URL, such as http://127.0.0.1:8080, and run the same again."""
