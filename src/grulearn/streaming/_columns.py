"""Where the features of a step stand in what a user hands in."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["StepColumns"]


@dataclass(frozen=True)
class StepColumns:
    """The columns of a step, numeric and categorical ones in the order in which the model was fitted on them.

    Parameters
    ----------
    numeric : tuple of int, length F
        The position of each numeric feature.
    categorical : tuple of int, length C, default=()
        The position of each categorical feature.
    names : tuple of str, length F + C, or None, default=None
        What the columns are called.
    tokens : {"char", "word", "item"} or None, default=None
        What a step is, if the model was fitted on texts or lists of items.

    Examples
    --------
    >>> from grulearn.streaming import StepColumns
    >>> columns = StepColumns((0, 2), (1,), ("load", "mode", "speed"))
    >>> columns.size, columns.label(2), StepColumns((0, 1)).label(1)
    (3, "feature 'speed' (2)", 'feature 1')
    """

    numeric: tuple[int, ...]
    categorical: tuple[int, ...] = ()
    names: tuple[str, ...] | None = None
    tokens: str | None = None

    @property
    def size(self) -> int:
        """Number of columns."""
        return len(self.numeric) + len(self.categorical)

    def label(self, column: int) -> str:
        """Return what messages call a column."""
        return f"feature {column}" if self.names is None else f"feature {self.names[column]!r} ({column})"
