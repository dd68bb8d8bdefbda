"""The tools a turn may call, the same for a runbook and for a model."""

from activities.tools.definitions import tool_definitions
from activities.tools.outcome import CommandAnswer, CommandRecord, ToolOutcome
from activities.tools.toolbox import ToolBox

__all__ = ["CommandAnswer", "CommandRecord", "ToolBox", "ToolOutcome", "tool_definitions"]
