"""Which files of the project a plan and its turns are given to read, and what they are told of the project."""

from activities.context.brief import project_brief
from activities.context.filling import NO_LIMIT
from activities.context.gathering import gather
from activities.context.pack import ContextFile, ContextPack, Depth, LeftOut
from activities.context.rendering import render

__all__ = ["NO_LIMIT", "ContextFile", "ContextPack", "Depth", "LeftOut", "gather", "project_brief", "render"]
