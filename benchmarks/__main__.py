"""`python benchmarks [options]`: the same as `grulearn bench`, from a checkout."""

from __future__ import annotations

import sys

from grulearn.cli.entry import main

if __name__ == "__main__":
    sys.argv[1:1] = ["bench"]
    main()
