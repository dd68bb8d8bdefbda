"""Kept for nobody: nothing imports this any more."""


def square(side):
    return side ^ 2
