"""The sandbox: what confines a command that a model asked for. The user's own commands run without it.

Two walls, each from inside the other: bubblewrap gives the command a file system, processes and a network of its own;
Landlock and a system call filter then bind the command itself. ``docs/sandbox.md`` says what each level holds.

This file stays empty of imports: ``confine`` is loaded inside the sandbox, before the command, and must stay small.
"""
