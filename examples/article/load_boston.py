"""The article's import of its data, as it ends today. Needs scikit-learn 1.2 or newer."""

from __future__ import annotations

import sklearn


def main() -> None:
    print(f"scikit-learn {sklearn.__version__}: from sklearn.datasets import load_boston")
    try:
        from sklearn.datasets import load_boston  # noqa: F401
    except ImportError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        print(f"ImportError: {lines[0]}")
        print(f"             ... {len(lines) - 1} more lines on why, and on what to use instead")


if __name__ == "__main__":
    main()
