"""Compare the instructions that the kernels execute with the limits in instruction_counts.toml.

``python count_instructions.py PROGRAM``, of grulearn_native_tests. Counts do not depend on
what else the machine does, as times do. Callgrind knows no AVX-512; the problem asks for AVX2 by name.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

LIMITS = Path(__file__).with_name("instruction_counts.toml")
# What is counted, with all that it calls. The inputs' part of a forward step may be made ahead of it.
COUNTED = {
    "forward_step": ("forward_step", "input_product"),
    "backward_step": ("backward_step",),
    "weight_gradient": ("weight_gradient",),
}
MORE, LESS = 1.03, 0.90  # beyond: fails; below: the limit should follow


def count(program: str, name: str) -> tuple[str, float]:
    """Return the compiler and the instructions of a part for each of its multiply-adds."""
    toggles = [f"--toggle-collect=grulearn::avx2::*::{function}(*" for function in COUNTED[name]]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "callgrind.out")
        options = [f"--callgrind-out-file={out}", "--collect-atstart=no", *toggles]
        command = ["valgrind", "--tool=callgrind", "--quiet", *options, program, "--count"]
        printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        total = re.search(r"^totals: (\d+)", out.read_text(), re.MULTILINE)
    needed = dict(line.split(" ", 1) for line in printed.splitlines())
    instructions = int(total[1]) if total else 0
    if instructions == 0:
        raise SystemExit(
            f"{name}: no instructions were counted; is the function still called {COUNTED[name]}?"
        )
    return needed["compiler"], instructions / int(needed[name])


def main(program: str) -> int:
    table = tomllib.loads(LIMITS.read_text(encoding="utf-8"))
    failed = False
    for name in COUNTED:
        compiler, value = count(program, name)
        verdict = f"not judged, {LIMITS.name} has no limits for {compiler}"
        if compiler in table:
            limit = table[compiler][name]
            verdict = f"limit {limit:.3f}: ok"
            if value > limit * MORE:
                failed, verdict = True, f"limit {limit:.3f}: FAILED, {value / limit - 1:.1%} above it"
            elif value < limit * LESS:
                verdict = f"limit {limit:.3f}: {1 - value / limit:.1%} below it, please tighten {LIMITS.name}"
        print(f"{name:16} {value:.3f} instructions per multiply-add; {verdict}", flush=True)
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
