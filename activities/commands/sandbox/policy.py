"""What the person who runs Orchex decided about commands that a model asks for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from activities.commands.sandbox.limits import DEFAULTS, Limits
from orchex.settings import Settings

_MIB = 1 << 20


@dataclass(frozen=True)
class SandboxPolicy:
    """``allow_unsandboxed``: run them even where nothing can confine them. ``readable`` are paths to show beside."""

    allow_unsandboxed: bool = False
    readable: tuple[Path, ...] = ()
    limits: Limits = DEFAULTS

    @classmethod
    def of(cls, settings: Settings) -> Self:
        limits = Limits(
            seconds=settings.sandbox_seconds,
            cpu_seconds=settings.sandbox_cpu_seconds,
            memory=settings.sandbox_memory_mb * _MIB,
            processes=settings.sandbox_processes,
            file_size=settings.sandbox_file_mb * _MIB,
            output=settings.sandbox_output_mb * _MIB,
            free_disk=settings.sandbox_free_disk_mb * _MIB,
        )
        return cls(settings.allow_unsandboxed, settings.sandbox_readable, limits)
