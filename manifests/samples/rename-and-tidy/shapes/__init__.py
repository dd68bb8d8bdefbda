"""Shapes and their areas."""

from shapes.utils import circle, square

__all__ = ["circle", "square"]
