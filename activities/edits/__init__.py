"""Edits of a workspace: opened beneath its root, unique in what they replace, written all or none."""
