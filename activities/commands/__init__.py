"""Commands: resolve a name to a program, run it in a fenced view of the project, leave no process behind.

This file stays empty of imports: the spawner process loads the package and must stay small.
"""
