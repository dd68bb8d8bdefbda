"""Manifests: read from YAML with every error at its place, rendered with inputs, described as JSON Schema."""

from orchex.manifest.load import Check, load_manifest, parse_manifest
from orchex.manifest.references import without_references
from orchex.manifest.render import render
from orchex.manifest.rules import Finding
from orchex.manifest.schema import schema, schema_text

__all__ = [
    "Check",
    "Finding",
    "load_manifest",
    "parse_manifest",
    "render",
    "schema",
    "schema_text",
    "without_references",
]
