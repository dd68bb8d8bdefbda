"""A scripted course of events: a plan, five steps with edits and commands, a failing test, a heal, a green end."""

import json
from pathlib import Path

from tests.chaos.harness import Lab, git
from tests.fakes.messages_script import Answer, Asked

PLAN = {
    "steps": [
        {"title": "Write mul", "text": "Write mul.py.", "files": ["mul.py"], "commands": []},
        {"title": "Mend add", "text": "Make add add.", "files": ["calc.py"], "commands": []},
        {"title": "Move the notes", "text": "Rename it.", "files": ["notes.txt", "NOTES.md"], "commands": []},
        {"title": "Say what add does", "text": "A docstring.", "files": ["calc.py"], "commands": ["python3 -V"]},
        {"title": "Drop the old file", "text": "Delete it.", "files": ["old.py"], "commands": []},
    ]
}

MANIFEST = """
name: story
version: 1.0.0
description: mend a small calculator
streams:
  s:
    description: mend the calculator
    plan: Mend add, and write mul beside it.
    context: {files: ["*.py"], depth: minimal}
    constraints: {timeout: 240000}
    commands:
      - command: python3 -m unittest -q
        critical: true
"""

AFTER = {
    "calc.py": 'def add(a, b):\n    """The sum of a and b."""\n    return a + b\n',
    "mul.py": "def mul(a, b):\n    return a * b\n",
    "NOTES.md": "notes\n",
}

_STEPS: dict[int, list[Answer]] = {
    1: [
        Answer(
            thinking="What is there?",
            tools=[("list", {}), ("create", {"path": "mul.py", "file_text": AFTER["mul.py"]})],
        ),
        Answer(text="mul is written."),
    ],
    2: [
        Answer(tools=[("view", {"path": "calc.py"})]),
        Answer(tools=[("str_replace", {"path": "calc.py", "old_str": "a - b", "new_str": "a * b"})]),
        Answer(text="add adds."),
    ],
    3: [Answer(tools=[("rename", {"path": "notes.txt", "new_path": "NOTES.md"})]), Answer(text="They are moved.")],
    4: [
        Answer(
            tools=[
                (
                    "insert",
                    {"path": "calc.py", "insert_line": 1, "insert_text": '    """The sum of a and b."""'},
                ),
                ("run_command", {"command": "python3 -c 'import calc; print(calc.add(2, 3))'"}),
            ]
        ),
        Answer(text="It says so."),
    ],
    5: [Answer(tools=[("delete", {"path": "old.py"})]), Answer(text="It is gone.")],
}
_HEAL = [
    Answer(tools=[("str_replace", {"path": "calc.py", "old_str": "a * b", "new_str": "a + b"})]),
    Answer(text="It multiplied; now it adds."),
]

TURNS = 1 + sum(map(len, _STEPS.values())) + len(_HEAL)
"""How often the server is asked when nothing goes wrong."""


def answer(asked: Asked) -> Answer:
    """What the script says to a request, by what is asked."""
    if "planner" in asked.system:
        return Answer(text=json.dumps(PLAN))
    if "a validation command fails" in asked.text:
        return _HEAL[asked.turn]
    number = next(number for number in _STEPS if f"<step number={number}>" in asked.text)
    return _STEPS[number][asked.turn]


def project(lab: Lab) -> Path:
    """The small calculator, under git."""
    folder = lab.project()
    (folder / "a.txt").unlink()
    (folder / "calc.py").write_text("def add(a, b):\n    return a - b\n")
    (folder / "notes.txt").write_text("notes\n")
    (folder / "old.py").write_text("# old\n")
    (folder / "test_calc.py").write_text(
        "import unittest\nfrom calc import add\n\n\nclass Adding(unittest.TestCase):\n"
        "    def test_add(self) -> None:\n        self.assertEqual(add(2, 3), 5)\n"
    )
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "the calculator")
    return folder
