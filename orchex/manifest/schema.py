"""The JSON Schema of a manifest, for editors."""

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from orchex.domain.manifest import Manifest


class _ForEditors(GenerateJsonSchema):
    """No key of a manifest may be null: an optional one is left out. A title that repeats the key is noise."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        found = super().default_schema(schema)
        if found.get("default") is None or isinstance(found["default"], dict):
            found.pop("default", None)
        return found

    def field_title_should_be_set(self, schema: object) -> bool:
        return False


def schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12, with a description of every field and no unknown keys allowed."""
    body = Manifest.model_json_schema(by_alias=True, schema_generator=_ForEditors)
    return {"$schema": GenerateJsonSchema.schema_dialect, **body, "title": "Orchex manifest"}


def schema_text() -> str:
    """The schema as ``manifests/schema.json`` holds it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
