"""The tools in the form of the Messages API: a name, a description, and a JSON schema of the input."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchex.domain.errors import EditRefused
from orchex.domain.turn import ToolDefinition

Path = Annotated[str, Field(description="A path relative to the project's root, with forward slashes.")]


class ToolInput(BaseModel):
    """The docstring of a tool's input is the tool's description."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class View(ToolInput):
    """Show a text file with line numbers, or the entries of a folder."""

    path: Path
    view_range: list[int] | None = Field(
        default=None,
        min_length=2,
        max_length=2,
        description="First and last line to show, from 1; -1 as the last means the end of the file.",
    )


class Create(ToolInput):
    """Write a whole file, new or over an existing one, which keeps its mode, encoding and line ends."""

    path: Path
    file_text: str = Field(description="The contents of the file.")


class StrReplace(ToolInput):
    """Replace a piece of a file. It must stand at exactly one place; quote enough lines to make it unique."""

    path: Path
    old_str: str = Field(description="The text to replace, exactly as it stands in the file.")
    new_str: str = Field(default="", description="The text to put in its place; nothing removes it.")


class Insert(ToolInput):
    """Insert whole lines into a file."""

    path: Path
    insert_line: int = Field(ge=0, description="The line after which to insert; 0 inserts at the top.")
    insert_text: str = Field(description="The lines to insert.")


class Delete(ToolInput):
    """Delete a file."""

    path: Path


class Rename(ToolInput):
    """Move a file to a name that is free."""

    path: Path
    new_path: Path


class ApplyPatch(ToolInput):
    """Apply a unified diff to one or more files. Context must match at one place; line numbers may be off."""

    patch: str = Field(description="The diff, with '--- old' and '+++ new' lines before the hunks of each file.")


class List(ToolInput):
    """List the files beneath a folder."""

    path: Path = "."


class Search(ToolInput):
    """Find the lines of files that match a regular expression (RE2 syntax)."""

    pattern: str = Field(min_length=1, max_length=1000, description="The regular expression.")
    path: Path = "."
    ignore_case: bool = False


class RunCommand(ToolInput):
    """Run a shell command in the project's root."""

    command: str = Field(min_length=1, description="The command line.")


TOOLS: dict[str, type[ToolInput]] = {
    "view": View,
    "create": Create,
    "str_replace": StrReplace,
    "insert": Insert,
    "delete": Delete,
    "rename": Rename,
    "apply_patch": ApplyPatch,
    "list": List,
    "search": Search,
    "run_command": RunCommand,
}


def tool_definitions() -> tuple[ToolDefinition, ...]:
    """What goes into ``tools`` of a Messages request."""
    return tuple(
        ToolDefinition(name=name, description=tool.__doc__ or "", input_schema=_schema(tool))
        for name, tool in TOOLS.items()
    )


def read_input(name: str, given: dict[str, Any]) -> ToolInput:
    """The checked input of a call. Raises EditRefused that says what is wrong with it."""
    tool = TOOLS.get(name)
    if tool is None:
        raise EditRefused(f"there is no tool {name!r}", hint=f"The tools are: {', '.join(TOOLS)}.")
    try:
        return tool.model_validate(given)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc'])) or name}: {fault['msg']}" for fault in error.errors())
        raise EditRefused(f"the input of {name} is not right: {faults}") from None


def _schema(tool: type[ToolInput]) -> dict[str, Any]:
    schema = tool.model_json_schema()
    schema.pop("description", None)
    schema.pop("title", None)
    return schema
