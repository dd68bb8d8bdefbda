"""Areas."""

from math import pi


def circle(radius: float) -> float:
    return pi * radius**2


def square(side: float) -> float:
    return side * side
