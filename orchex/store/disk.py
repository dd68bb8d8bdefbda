"""What a disk refuses, in our words."""

import errno

from orchex.domain.errors import StorageError, StorageFull

_FULL = (errno.ENOSPC, errno.EDQUOT)


def refused(error: OSError, what: str) -> StorageError:
    """The error to raise from ``error``; ``what`` could not be done."""
    kind = StorageFull if error.errno in _FULL else StorageError
    return kind(f"{what}: {error.strerror}", hint="Free disk space, or point ORCHEX_HOME at a folder you can write to.")
