"""Manifests: read from YAML with every error at its place, rendered with inputs, described as JSON Schema."""

from orchex.manifest.load import load_manifest, parse_manifest
from orchex.manifest.render import render
from orchex.manifest.schema import schema, schema_text

__all__ = ["load_manifest", "parse_manifest", "render", "schema", "schema_text"]
