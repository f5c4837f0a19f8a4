"""The machine that is measured on, as the report names it."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

from grulearn import _core
from grulearn.benchmark.core_model import fma_peak

__all__ = ["Machine", "describe_machine", "read_processor"]

_CPU_INFO = Path("/proc/cpuinfo")
_PEAKS = 9


@dataclass(frozen=True)
class Machine:
    """Hardware and system.

    Parameters
    ----------
    processor, vendor : str
        As the system names them; the vendor is empty where it is not told.
    cores : int
        Those that this process may use.
    system, python : str
    instruction_set : str
        In use by grulearn.
    instruction_sets : tuple of str
        Those that it could use here.
    peak : float
        The best of nine measurements of 20 ms: operations a second of fused multiply-adds on the benchmark's
        threads. Every fraction is taken of a peak measured beside the case, not of this one.
    """

    processor: str
    vendor: str
    cores: int
    system: str
    python: str
    instruction_set: str
    instruction_sets: tuple[str, ...]
    peak: float


def describe_machine(threads: int) -> Machine:
    """Look at the machine, and measure its peak with that many threads.

    Examples
    --------
    >>> from grulearn.benchmark.machine import describe_machine
    >>> describe_machine(1).cores >= 1
    True
    """
    processor, vendor = read_processor(_CPU_INFO.read_text() if _CPU_INFO.exists() else "")
    return Machine(
        processor=processor or platform.processor() or platform.machine(),
        vendor=vendor,
        cores=_core.available_cores(),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        instruction_set=_core.instruction_set(),
        instruction_sets=tuple(_core.instruction_sets()),
        peak=max(fma_peak(threads) for _ in range(_PEAKS)),
    )


def read_processor(cpu_info: str) -> tuple[str, str]:
    r"""Read the processor's name and vendor from the text of /proc/cpuinfo; empty if they are not there.

    Examples
    --------
    >>> from grulearn.benchmark.machine import read_processor
    >>> read_processor("vendor_id\t: GenuineIntel\nmodel name\t: Xeon(R)  Gold\n")
    ('Xeon(R) Gold', 'GenuineIntel')
    """
    found = {"model name": "", "vendor_id": ""}
    for line in cpu_info.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in found and not found[name.strip()]:
            found[name.strip()] = " ".join(value.split())
    return found["model name"], found["vendor_id"]
