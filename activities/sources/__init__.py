"""Source code read for its structure: what a file imports, and which of its lines are its outline.

Python by ``ast``; JavaScript, TypeScript and Go by tree-sitter. Parsers run in a process of their own, since a file
can be made that crashes one or keeps it busy for ever.
"""
