"""Which files of the project a plan and its turns are given to read."""

from activities.context.gathering import gather
from activities.context.pack import ContextFile, ContextPack, LeftOut

__all__ = ["ContextFile", "ContextPack", "LeftOut", "gather"]
