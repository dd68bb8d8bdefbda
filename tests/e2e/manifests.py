"""Small manifests for end-to-end tests: steps as shell scripts."""

from textwrap import indent


def manifest(*steps: str, commands: str = "[]", constraints: str = "{}", more: str = "") -> str:
    """A manifest of one stream ``s`` whose steps are shell scripts, or fences when they start with one."""
    plan = "\n".join(
        f"{number}. step {number}\n\n{indent(step if step.startswith('```') else _shell(step), '   ')}\n"
        for number, step in enumerate(steps, 1)
    )
    return (
        "name: test\nversion: 1.0.0\ndescription: a test\nmodel: runbook\nstreams:\n  s:\n    description: d\n"
        f"    commands: {commands}\n    constraints: {constraints}\n{more}    plan: |\n{indent(plan, '      ')}\n"
    )


def _shell(script: str) -> str:
    return f"```sh\n{script}\n```"


def write(path: str, text: str) -> str:
    return f"```text path={path}\n{text}\n```"
