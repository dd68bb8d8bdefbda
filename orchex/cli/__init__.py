"""The command line. Thin: a command parses, calls and prints; one module per group of commands.

What a client needs loads neither Temporal nor SQL; only what has to (the worker, reading without a stack) imports
them, inside the command. Rich is loaded for a terminal alone.
"""
