"""How often the edits of models are applied, refused, or applied wrongly: see ``python -m benchmarks.edits -h``."""
