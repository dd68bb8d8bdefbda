import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from orchex.cli import starter
from orchex.manifest import load_manifest, schema_text
from tests.cli.conftest import Orchex
from tests.cli.test_usage import MANIFEST

Write = Callable[[str, str], Path]


def test_a_valid_manifest_is_ok(alone: Orchex, write: Write) -> None:
    manifest = write("m.yaml", MANIFEST)
    ended = alone("validate", str(manifest))
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"{manifest}: ok\n", "")


def test_one_bad_manifest_among_good_ones_fails_the_lot(alone: Orchex, write: Write) -> None:
    good, bad = write("good.yaml", MANIFEST), write("bad.yaml", MANIFEST.replace("streams", "stream"))
    ended = alone("validate", str(good), str(bad))
    assert ended.returncode == 2
    assert ended.stdout == f"{good}: ok\n"
    assert f"{bad}:4:1: stream: " in ended.stderr
    assert 'did you mean "streams"?' in ended.stderr


def test_diagnostics_come_as_json(alone: Orchex, write: Write) -> None:
    good, bad = write("good.yaml", MANIFEST), write("bad.yaml", MANIFEST.replace("plan:", "plann:"))
    ended = alone("validate", str(good), str(bad), "--format", "json")
    assert (ended.returncode, ended.stderr) == (2, "")
    first, second = json.loads(ended.stdout)["manifests"]
    assert first == {"file": str(good), "valid": True, "diagnostics": []}
    assert not second["valid"]
    unknown = next(entry for entry in second["diagnostics"] if entry["suggestion"])
    assert (unknown["line"], unknown["column"], unknown["suggestion"]) == (7, 5, "plan")


def test_schema_prints_the_schema(alone: Orchex) -> None:
    assert alone("schema").stdout == schema_text()


def test_the_first_manifest_is_valid_and_its_schema_is_beside_it(alone: Orchex) -> None:
    ended = alone("init")
    assert ended.returncode == 0
    assert "next: orchex exec orchex.yaml" in ended.stdout
    text = (alone.folder / "orchex.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=orchex.schema.json\n")
    assert (alone.folder / "orchex.schema.json").read_text() == schema_text()
    assert alone("validate", "orchex.yaml").returncode == 0


def test_init_never_overwrites(alone: Orchex) -> None:
    (alone.folder / "orchex.yaml").write_text("mine")
    ended = alone("init")
    assert ended.returncode == 2
    assert (alone.folder / "orchex.yaml").read_text() == "mine"
    assert not (alone.folder / "orchex.schema.json").exists()


def test_the_first_manifest_runs_the_tests_the_project_has(project: Path) -> None:
    (project / "Makefile").write_text("test:\n\ttrue\n")
    (project / "orchex.yaml").write_text(starter.manifest_text(project))
    manifest = load_manifest(project / "orchex.yaml")
    assert [command.command for command in manifest.streams["hello"].commands] == ["test"]
    assert "# Makefile: make test" in (project / "orchex.yaml").read_text()


def test_a_project_without_tests_gets_a_manifest_without_commands(project: Path) -> None:
    (project / "orchex.yaml").write_text(starter.manifest_text(project))
    assert load_manifest(project / "orchex.yaml").streams["hello"].commands == ()


def test_a_folder_with_any_name_gets_a_valid_manifest(tmp_path: Path) -> None:
    for name in ('a "quoted" one', "new\nline", "日本語", "$(touch x)", "x" * 200, ". ", "{braces}"):
        folder = tmp_path / name
        folder.mkdir()
        written = starter.write(folder)
        assert load_manifest(written[0]).model == "runbook"


def test_init_in_another_folder_says_how_to_run_it_there(alone: Orchex, tmp_path: Path) -> None:
    (tmp_path / "other place").mkdir()
    subprocess.run(["git", "init", "-q"], cwd=tmp_path / "other place", check=True)
    ended = alone("init", str(tmp_path / "other place"))
    assert "--project" in ended.stdout


RUNBOOKS = """
name: two
version: 1.0.0
description: two runbooks
model: runbook
inputs:
  name: {type: string}
streams:
  good:
    description: fine, whatever its input is
    plan: |
      1. Write

         ```text path=${{ inputs.name }}.txt
         ${{ inputs.name }}
         ```
  bad:
    description: not fine
    plan: |
      1. Write

         ```text path=out.txt
         never closed
  modelled:
    description: not a runbook
    model: some-model
    plan: Do what is to be done.
"""


def test_a_runbook_that_cannot_be_carried_out_is_told(alone: Orchex, write: Write) -> None:
    manifest = write("m.yaml", RUNBOOKS)
    ended = alone("validate", str(manifest))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.splitlines()[0] == (
        f"{manifest}:19:11: streams.bad.plan: plan line 3: the fence is never closed. "
        "End it with ``` on a line of its own, indented as it starts"
    )
    fixed = write("fixed.yaml", RUNBOOKS.replace("never closed", "closed\n         ```"))
    assert alone("validate", str(fixed)).returncode == 0
