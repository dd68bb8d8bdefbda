"""Text that every record and every wire can carry."""


def encodable(text: str) -> str:
    """``text`` as UTF-8 can hold it: halves of characters are put together, and what stands alone is replaced.

    A lone half is what Python has for a byte of a file's name that is no text, and what JSON may hold of a character.
    """
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
