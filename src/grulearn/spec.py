"""What network it is: sizes and options as frozen, JSON-ready data.

A :class:`NetworkSpec` says what a network computes and holds no weight. Engines build from it, the
model file stores it. A field that is missing from stored data means its default here, and a default
never changes: files written before an option existed keep their meaning.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any, Self

__all__ = ["CellSpec", "HeadSpec", "InputSpec", "NetworkSpec", "PoolSpec"]

POOL_KINDS = ("last",)
LOSSES = ("squared_error",)
DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class InputSpec:
    """What one step of a sequence holds.

    Parameters
    ----------
    n_features : int
        Number of input features F of each step; at least 1.

    Raises
    ------
    ValueError, TypeError
        If `n_features` is not an integer of at least 1.
    """

    n_features: int

    def __post_init__(self) -> None:
        _check_size(self, "n_features")


@dataclass(frozen=True)
class CellSpec:
    """The stack of gated recurrent units.

    Parameters
    ----------
    hidden_size : int
        Number of hidden units H of each layer and direction; at least 1.
    num_layers : int, default=1
        Number of layers L; each reads the outputs of the one before.
    bidirectional : bool, default=False
        Whether every layer also reads the sequence from its end; D is then 2.
    reset_after : bool, default=True
        Whether the reset gate scales the recurrent product ``U_n h + c_n`` (PyTorch's form) rather than
        the state that enters it (Cho et al. 2014). See :mod:`grulearn.equations`.
    bias : bool, default=True
        Whether the units have the biases `b` and `c`.

    Raises
    ------
    ValueError, TypeError
        If a size is not an integer of at least 1, or an option is not a bool.

    Examples
    --------
    >>> from grulearn.spec import CellSpec
    >>> CellSpec(16, bidirectional=True).output_size
    32
    """

    hidden_size: int
    num_layers: int = 1
    bidirectional: bool = False
    reset_after: bool = True
    bias: bool = True

    def __post_init__(self) -> None:
        for name in ("hidden_size", "num_layers"):
            _check_size(self, name)
        for name in ("bidirectional", "reset_after", "bias"):
            _check_flag(self, name)

    @property
    def n_directions(self) -> int:
        """Number of directions D in which each layer reads: 1 or 2."""
        return 2 if self.bidirectional else 1

    @property
    def output_size(self) -> int:
        """Width D*H of what a layer hands to the next layer, or to the head."""
        return self.n_directions * self.hidden_size


@dataclass(frozen=True)
class PoolSpec:
    """How the outputs of a sequence's steps become the one vector that the head reads.

    Parameters
    ----------
    kind : {"last"}, default="last"
        "last" concatenates the final states of the last layer's directions: the forward one after the
        last step, the reverse one after it has read back to the first.

    Raises
    ------
    ValueError
        If `kind` is not one of the above.
    """

    kind: str = "last"

    def __post_init__(self) -> None:
        _check_choice(self, "kind", POOL_KINDS)


@dataclass(frozen=True)
class HeadSpec:
    """The linear layer on the pooled state, and the loss that trains it.

    Parameters
    ----------
    n_outputs : int
        Number of outputs O; at least 1.
    loss : {"squared_error"}, default="squared_error"
        The training loss: the mean over samples and outputs of the squared error.

    Raises
    ------
    ValueError, TypeError
        If `n_outputs` is not an integer of at least 1, or `loss` is not one of the above.
    """

    n_outputs: int
    loss: str = "squared_error"

    def __post_init__(self) -> None:
        _check_size(self, "n_outputs")
        _check_choice(self, "loss", LOSSES)


@dataclass(frozen=True)
class NetworkSpec:
    """A whole network: input, cell, pooling and head, and the precision it computes in.

    Parameters
    ----------
    input : InputSpec
    cell : CellSpec
    head : HeadSpec
    pool : PoolSpec, default=PoolSpec()
    dtype : {"float32", "float64"}, default="float32"
        What the weights and all that is computed from them are.

    Raises
    ------
    TypeError
        If a part is not of its class.
    ValueError
        If `dtype` is not one of the above.

    Examples
    --------
    >>> from grulearn.spec import CellSpec, HeadSpec, InputSpec, NetworkSpec
    >>> spec = NetworkSpec(InputSpec(8), CellSpec(32), head=HeadSpec(1))
    >>> NetworkSpec.from_dict(spec.to_dict()) == spec
    True
    """

    input: InputSpec
    cell: CellSpec
    pool: PoolSpec = field(default_factory=PoolSpec)
    head: HeadSpec = field(kw_only=True)
    dtype: str = field(default="float32", kw_only=True)

    def __post_init__(self) -> None:
        for name, part in _PARTS.items():
            if not isinstance(getattr(self, name), part):
                raise TypeError(
                    f"NetworkSpec: {name} must be {part.__name__}, got {type(getattr(self, name)).__name__}"
                )
        _check_choice(self, "dtype", DTYPES)

    def to_dict(self) -> dict[str, Any]:
        """Return the specification as nested dicts of plain values, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild a specification from what `to_dict` returned, now or in an older version.

        Parameters
        ----------
        data : mapping
            A missing field takes its default, the old behaviour.

        Returns
        -------
        NetworkSpec

        Raises
        ------
        ValueError
            If a field has no default and is missing, has a value that is not allowed, or is not known
            here, which happens with a file that a newer grulearn wrote.
        TypeError
            If a part is not a mapping or a value has the wrong type.
        """
        _check_fields(cls, data, "network")
        parts = {
            name: _part_from_dict(_PARTS[name], value, name) if name in _PARTS else value
            for name, value in data.items()
        }
        return cls(**parts)


_PARTS: dict[str, type] = {"input": InputSpec, "cell": CellSpec, "pool": PoolSpec, "head": HeadSpec}


def _part_from_dict(part: type, data: Any, place: str) -> Any:
    _check_fields(part, data, place)
    return part(**data)


def _check_fields(cls: type, data: Any, place: str) -> None:
    """Check that `data` is a mapping with every field of `cls` that has no default, and no other field."""
    if not isinstance(data, Mapping):
        raise TypeError(f"specification, part {place!r}: expected a mapping, got {type(data).__name__}")
    known = {f.name: f.default is not MISSING or f.default_factory is not MISSING for f in fields(cls)}
    unknown = sorted(str(name) for name in data if name not in known)
    if unknown:
        raise ValueError(
            f"specification, part {place!r}: unknown field {', '.join(unknown)}. "
            "It was written by a newer grulearn; update grulearn to read it"
        )
    missing = [name for name, has_default in known.items() if not has_default and name not in data]
    if missing:
        raise ValueError(f"specification, part {place!r}: field {', '.join(missing)} is missing")


def _check_size(spec: Any, name: str) -> None:
    value = getattr(spec, name)
    owner = type(spec).__name__
    try:
        # operator.index takes NumPy's integers and refuses floats. Nobody means True as a size.
        size = operator.index(value) if not isinstance(value, bool) else None
    except TypeError:
        size = None
    if size is None:
        raise TypeError(f"{owner}: {name} must be an integer, got {value!r}")
    if size < 1:
        raise ValueError(f"{owner}: {name} must be at least 1, got {size}")
    object.__setattr__(spec, name, size)


def _check_flag(spec: Any, name: str) -> None:
    value = getattr(spec, name)
    # By name, since NumPy's bool (np.bool in 2.x, np.bool_ before) is no subclass of Python's.
    if type(value).__name__ not in ("bool", "bool_"):
        raise TypeError(f"{type(spec).__name__}: {name} must be True or False, got {value!r}")
    object.__setattr__(spec, name, bool(value))


def _check_choice(spec: Any, name: str, choices: tuple[str, ...]) -> None:
    value = getattr(spec, name)
    # np.dtype("float64") equals "float64" and is not it.
    if not isinstance(value, str) or value not in choices:
        expected = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{type(spec).__name__}: {name} must be one of {expected}; got {value!r}")
