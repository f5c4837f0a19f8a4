"""The benchmark: grulearn beside other libraries and beside the processor's peak, on the user's machine."""

from __future__ import annotations

from grulearn.benchmark.agreement import DisagreementError
from grulearn.benchmark.run import Report, choose_sections, run
from grulearn.benchmark.sections import SECTIONS
from grulearn.benchmark.settings import Settings

__all__ = ["SECTIONS", "DisagreementError", "Report", "Settings", "choose_sections", "run"]
