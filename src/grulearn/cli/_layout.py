"""Which column of a table is what: as the user said, as the columns tell, and as a model file remembers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from grulearn.cli._errors import BadInput, say
from grulearn.cli._tables import Table, join_names
from grulearn.cli._values import kind_of

_WANTED = {
    "--target": "the target column",
    "--id": "the column of --id",
    "--time": "the column of --time",
    "--categorical": "a column of --categorical",
    "--ignore": "a column to ignore",
}


@dataclass(frozen=True)
class Roles:
    """What the options of ``fit`` say about columns."""

    targets: tuple[str, ...]
    id: str | None = None
    time: str | None = None
    categorical: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    @property
    def long(self) -> bool:
        """Whether a sequence takes many rows."""
        return self.id is not None or self.time is not None

    @property
    def as_text(self) -> tuple[str, ...]:
        """The columns to be read to the letter."""
        return (*self.categorical, *([] if self.id is None else [self.id]))

    def check(self, table: Table) -> None:
        """Raise BadInput if a column is not there, or has two roles that exclude each other."""
        for option, names in self._by_option().items():
            table.require(names, _WANTED[option])
        seen: dict[str, str] = {}
        for option, names in self._by_option().items():
            for name in names:
                if name in seen:
                    both = f"{seen[name]} and {option}" if seen[name] != option else f"{option} twice"
                    raise BadInput(f'the column "{name}" is named by {both}; a column has one role')
                seen[name] = option

    def _by_option(self) -> dict[str, tuple[str, ...]]:
        return {
            "--target": self.targets,
            "--id": () if self.id is None else (self.id,),
            "--time": () if self.time is None else (self.time,),
            "--categorical": self.categorical,
            "--ignore": self.ignored,
        }


@dataclass(frozen=True)
class Layout:
    """Which columns a model reads, and how; a model file keeps it.

    Parameters
    ----------
    targets : tuple of str
    numeric, categorical : tuple of str
        The features, in the order in which the model takes them. Categories are read as texts.
    id, time : str or None
        The columns that say whose row it is and when; None for tables whose rows are sequences of one step.
    by_step : bool
        Whether each row has a target, and not each sequence.
    ignored : tuple of str
        What the user left out, and need not be told of again.
    """

    targets: tuple[str, ...]
    numeric: tuple[str, ...]
    categorical: tuple[str, ...] = ()
    id: str | None = None
    time: str | None = None
    by_step: bool = False
    ignored: tuple[str, ...] = ()

    @property
    def long(self) -> bool:
        """Whether a sequence takes many rows."""
        return self.id is not None or self.time is not None

    @property
    def features(self) -> tuple[str, ...]:
        """All that the model reads of a step."""
        return (*self.numeric, *self.categorical)

    @property
    def as_text(self) -> tuple[str, ...]:
        """The columns to be read to the letter."""
        return (*self.categorical, *([] if self.id is None else [self.id]))

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Take back what `to_dict` returned; what a later version added is left out."""
        known = {field.name for field in fields(cls)}
        taken: Any = {name: value for name, value in values.items() if name in known}
        for name in ("targets", "numeric", "categorical", "ignored"):
            taken[name] = tuple(taken.get(name, ()))
        return cls(**taken)


def find_features(table: Table, roles: Roles) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the numeric and the categorical features: all columns without another role.

    Raises
    ------
    BadInput
        If there is none, or one cannot be told to be either.
    """
    taken = {*roles.targets, *roles.ignored, roles.id, roles.time}
    features = [name for name in table.columns if name not in taken]
    if not features:
        raise BadInput(
            f"{table.source} has no column left to learn from; its columns are {join_names(table.columns)}"
        )
    _warn_of_unnamed(features)
    kinds = {name: "text" if name in roles.categorical else kind_of(table, name) for name in features}
    return (
        tuple(name for name in features if kinds[name] == "numbers"),
        tuple(name for name in features if kinds[name] == "text"),
    )


def _warn_of_unnamed(features: Sequence[str]) -> None:
    for name in features:
        # pandas' name for a column without one: mostly row numbers that were saved along with the table.
        if name.startswith("Unnamed: "):
            say(
                "warning",
                f'a column without a name is used as a feature; leave it out with --ignore "{name}"',
            )
