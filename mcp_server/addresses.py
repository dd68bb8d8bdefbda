"""The addresses of what can be read beside the tools."""

from urllib.parse import quote

EXECUTION = "orchex://executions/{id}"
PATCH = "orchex://executions/{id}/patch"
ARTIFACT = "orchex://executions/{id}/artifacts/{+name}"
MANIFEST = "orchex://manifests/{name}"
GUIDE = "orchex://docs/manifest"


def patch_of(execution_id: str) -> str:
    return PATCH.format(id=execution_id)


def artifact_of(execution_id: str, name: str) -> str:
    """``name`` has slashes of its own, as in ``s/001-1.log``."""
    return ARTIFACT.replace("{+name}", quote(name, safe="/")).replace("{id}", execution_id)
