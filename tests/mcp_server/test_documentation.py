"""What the documentation tells somebody to paste works when it is pasted."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from mcp_server.examples import examples
from orchex.manifest import parse_manifest
from tests.cli.conftest import environment
from tests.conftest import BIN
from tests.e2e.manifests import manifest, write
from tests.mcp_server.conftest import Stdio, data

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "mcp_server" / "manifest-guide.md"


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


PAGES = pytest.mark.parametrize("page", ["README.md", "docs/mcp.md"])


def entry(page: str) -> dict[str, Any]:
    """The block of the documentation that starts a server of one's own."""
    found = [json.loads(block) for block in blocks(ROOT / page, "json")]
    return next(block["mcpServers"]["orchex"] for block in found if "command" in block["mcpServers"]["orchex"])


@PAGES
@pytest.mark.e2e
async def test_the_configuration_block_works_from_a_folder_that_is_not_the_projects(
    home: Path, project: Path, tmp_path: Path, page: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    env = environment(home, PATH=f"{BIN}:/usr/local/bin:/usr/bin:/bin")
    server = StdioServerParameters(**entry(page), env=env, cwd=str(elsewhere))
    async with Client(server) as client:
        call = {"task": "hello", "manifest": manifest(write("hello.txt", "hello")), "project": str(project), "wait": 45}
        assert data(await client.call_tool("orchex_execute", call))["status"] == "success"
    assert (project / "hello.txt").exists()
    assert list(elsewhere.iterdir()) == []


@pytest.mark.e2e
async def test_what_models_read_about_manifests_is_true(stdio: Stdio) -> None:
    async with stdio.client() as client:
        guide = (await client.read_resource("orchex://docs/manifest")).contents[0].model_dump()
        assert guide["mime_type"] == "text/markdown"
        (example,) = re.findall(r"^```yaml\n(.*?)^```$", guide["text"], re.MULTILINE | re.DOTALL)
        answer = data(await client.call_tool("orchex_execute", {"manifest": example, "wait": 45}))
        assert answer["status"] == "success"
        execution = (await client.read_resource(f"orchex://executions/{answer['executionId']}")).contents[0]
        assert json.loads(execution.model_dump()["text"])["status"] == "completed"
        templates = {one.uri_template for one in (await client.list_resource_templates()).resource_templates}
        assert templates == {
            "orchex://executions/{id}",
            "orchex://executions/{id}/patch",
            "orchex://executions/{id}/artifacts/{+name}",
            "orchex://manifests/{name}",
        }
        for name in examples():
            text = (await client.read_resource(f"orchex://manifests/{name}")).contents[0].model_dump()["text"]
            assert parse_manifest(text, name).name


def test_the_guide_names_every_field_of_a_manifest() -> None:
    from orchex.manifest import schema

    stream = next(found for name, found in schema()["$defs"].items() if name == "Stream")
    text = GUIDE.read_text()
    assert [name for name in stream["properties"] if f"`{name}" not in text] == []
    assert [name for name in schema()["properties"] if f"`{name}`" not in text] == []
