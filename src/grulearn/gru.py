"""GRU: a network with given weights as a function on arrays, for whole sequences and step by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grulearn.formats.weights import (
    cell_parameter_shapes,
    cell_weights_of,
    flatten,
    infer_cell,
    unflatten,
)
from grulearn.precision import core_classes
from grulearn.threads import resolve_n_jobs

__all__ = ["GRU"]


class GRU:
    """A gated recurrent network with given weights, on the native core.

    Shapes are those of ``torch.nn.GRU(batch_first=True)``: N sequences, T steps, F features, H hidden
    units, L layers, D directions (2 if bidirectional). Sizes are read from the weights.

    Parameters
    ----------
    weights : mapping of str to array
        In PyTorch's names and shapes, gates stacked as r, z, n: ``weight_ih_l0`` (3H, F),
        ``weight_hh_l0`` (3H, H), and ``bias_ih_l0``, ``bias_hh_l0`` (3H,) or no biases at all; ``_l1``
        and so on for more layers, ``_reverse`` for the second direction.
    reset_after : bool, default=True
        The reset form. True: the reset gate scales ``U_n h + c_n`` (PyTorch, cuDNN). False: it scales h
        before the product (Cho et al. 2014, third version). Weights trained in one form give other
        outputs in the other, and nothing in them shows which it was.
    n_jobs : int or None, default=None
        Threads for whole sequences; None means the cores this process may use, and 1 inside a joblib or
        loky worker. The result has the same bits for any number.
    dtype : {"float32", "float64"}, default="float32"
        What weights, inputs and states are rounded to and computed in.

    Attributes
    ----------
    input_size, hidden_size, num_layers : int
        F, H and L.
    bidirectional, bias, reset_after : bool
    dtype : str

    Raises
    ------
    ValueError
        If the names and shapes are not those of one GRU; the message names the first that does not fit.
        If `dtype` is not one of the above.
    TypeError
        If a weight does not hold real numbers.

    References
    ----------
    Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine
    Translation", 2014 (arXiv:1406.1078v3). The formulas stand in :mod:`grulearn.equations`.

    Examples
    --------
    >>> import numpy as np
    >>> from grulearn import GRU
    >>> rng = np.random.default_rng(0)
    >>> gru = GRU({"weight_ih_l0": rng.normal(size=(12, 3)), "weight_hh_l0": rng.normal(size=(12, 4))})
    >>> gru
    GRU(input_size=3, hidden_size=4, bias=False)
    >>> outputs, h_n = gru(rng.normal(size=(2, 5, 3)))
    >>> outputs.shape, h_n.shape
    ((2, 5, 4), (1, 2, 4))
    """

    def __init__(
        self,
        weights: Mapping[str, ArrayLike],
        *,
        reset_after: bool = True,
        n_jobs: int | None = None,
        dtype: str = "float32",
    ) -> None:
        cell_weights = cell_weights_of(weights)
        self.input_size, self._cell = infer_cell(cell_weights, reset_after=reset_after)
        self.n_jobs = n_jobs
        self._dtype = dtype
        self._shapes = cell_parameter_shapes(self.input_size, self._cell)
        self._build(flatten(cell_weights, self._shapes, dtype))

    def _build(self, parameters: NDArray[Any]) -> None:
        self._network = core_classes(self.dtype).network(
            self.input_size,
            self.hidden_size,
            num_layers=self.num_layers,
            bidirectional=self.bidirectional,
            reset_after=self.reset_after,
            bias=self.bias,
        )
        self._network.set_parameters(parameters)

    @classmethod
    def from_torch(
        cls,
        state_dict: Mapping[str, Any],
        *,
        prefix: str = "",
        n_jobs: int | None = None,
        dtype: str = "float32",
    ) -> Self:
        """Take the weights of a ``torch.nn.GRU``.

        Parameters
        ----------
        state_dict : mapping of str to tensor or array
            ``module.state_dict()`` of the GRU, or of a module around it with `prefix`.
        prefix : str, default=""
            What the names of the GRU's weights begin with, such as ``"gru."``; other names are left out.
        n_jobs : int or None, default=None
            As for the class.
        dtype : {"float32", "float64"}, default="float32"
            As for the class; the tensors' own dtype does not matter.

        Returns
        -------
        GRU

        Raises
        ------
        ValueError
            If the names and shapes are not those of one GRU.

        Examples
        --------
        >>> import numpy as np
        >>> from grulearn import GRU
        >>> state = {"gru.weight_ih_l0": np.zeros((6, 3)), "gru.weight_hh_l0": np.zeros((6, 2))}
        >>> GRU.from_torch(state | {"fc.weight": np.zeros((1, 2))}, prefix="gru.")
        GRU(input_size=3, hidden_size=2, bias=False)
        """
        weights = {
            name[len(prefix) :]: value for name, value in state_dict.items() if name.startswith(prefix)
        }
        return cls(weights, reset_after=True, n_jobs=n_jobs, dtype=dtype)

    @property
    def hidden_size(self) -> int:
        """Number of hidden units H."""
        return self._cell.hidden_size

    @property
    def num_layers(self) -> int:
        """Number of layers L."""
        return self._cell.num_layers

    @property
    def bidirectional(self) -> bool:
        """Whether each layer also reads the sequence from its end."""
        return self._cell.bidirectional

    @property
    def reset_after(self) -> bool:
        """The reset form."""
        return self._cell.reset_after

    @property
    def bias(self) -> bool:
        """Whether there are biases."""
        return self._cell.bias

    @property
    def dtype(self) -> str:
        """What it computes in, "float32" or "float64"."""
        return self._dtype

    @property
    def weights(self) -> dict[str, NDArray[Any]]:
        """A copy of the weights, of `dtype`, in PyTorch's names and order."""
        return unflatten(self._network.parameters(), self._shapes)

    def __call__(
        self, x: ArrayLike, h0: ArrayLike | None = None, lengths: ArrayLike | None = None
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Run whole sequences.

        Parameters
        ----------
        x : array-like, shape (N, T, F) or (T, F)
            N sequences, or one; real numbers of any dtype, rounded to the network's. A NaN makes NaN of
            what depends on it in its own sequence, and of nothing else.
        h0 : array-like, shape (L * D, N, H) or (L * D, H) for one sequence, default=None
            States before the first step; None means zeros.
        lengths : array-like of int, shape (N,), default=None
            Steps of each sequence, 0 to T; None means T. Steps beyond are not read. The reverse direction
            begins at a sequence's own last step.

        Returns
        -------
        outputs : ndarray of `dtype`, shape (N, T, D * H) or (T, D * H)
            The top layer's states after each step, forward then reverse; zeros beyond a sequence's length.
        h_n : ndarray of `dtype`, shape (L * D, N, H) or (L * D, H)
            The state of each layer and direction after its last step; of a sequence of length 0, its h0.

        Raises
        ------
        ValueError
            If a shape does not fit; the message names it and what was expected.

        Examples
        --------
        >>> import numpy as np
        >>> from grulearn import GRU
        >>> gru = GRU({"weight_ih_l0": np.ones((6, 1)), "weight_hh_l0": np.ones((6, 2))})
        >>> outputs, h_n = gru(np.ones((2, 3, 1)), lengths=[3, 1])
        >>> outputs[1].any(axis=1).tolist()
        [True, False, False]
        """
        values = _as_real("x", x, self.dtype)
        if values.ndim == 2:
            return self._run_one(values, h0, lengths)
        self._check_input(values)
        n, n_steps, _ = values.shape
        initial = None if h0 is None else self._initial_states(h0, n)
        steps = np.full(n, n_steps) if lengths is None else _check_lengths(lengths, n, n_steps)
        outputs, h_n = self._network.forward(
            values.reshape(n * n_steps, self.input_size),
            np.arange(n, dtype=np.int64) * n_steps,
            steps,
            initial,
            resolve_n_jobs(self.n_jobs),
        )
        if lengths is None:
            return outputs.reshape(n, n_steps, outputs.shape[1]), h_n
        padded = np.zeros((n, n_steps, outputs.shape[1]), dtype=self.dtype)
        padded[np.arange(n_steps) < steps[:, np.newaxis]] = outputs
        return padded, h_n

    def _run_one(
        self, x: NDArray[Any], h0: ArrayLike | None, lengths: ArrayLike | None
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        if lengths is not None:
            raise ValueError(
                "lengths: one sequence of shape (steps, features) has all its steps; leave it out"
            )
        if h0 is not None:
            states = np.asarray(h0)
            expected = (self._n_states, self.hidden_size)
            if states.shape != expected:
                raise ValueError(f"h0: expected shape {expected} for one sequence, got {states.shape}")
            h0 = states[:, np.newaxis]
        outputs, h_n = self(x[np.newaxis], h0)
        return outputs[0], h_n[:, 0]

    def step(
        self, x_t: ArrayLike, h: ArrayLike | None = None, out: NDArray[Any] | None = None
    ) -> NDArray[Any]:
        """Advance every sequence by one step; only for networks in one direction.

        Parameters
        ----------
        x_t : array-like, shape (N, F) or (F,)
            The inputs of this step.
        h : array-like, shape (L, N, H) or (L, H), default=None
            The states before it; None means zeros.
        out : ndarray of `dtype`, shape (L, N, H) or (L, H), default=None
            Where to write, C-contiguous; may be `h`. None makes a new array.

        Returns
        -------
        h : ndarray of `dtype`, shape (L, N, H) or (L, H)
            The states after it (`out` if given); the last layer's, ``h[-1]``, is the output. The same
            bits as a call on whole sequences.

        Raises
        ------
        ValueError
            If the network is bidirectional, or a shape does not fit.
        TypeError
            If `out` is not a writable C-contiguous array of `dtype`.

        Examples
        --------
        >>> import numpy as np
        >>> from grulearn import GRU
        >>> gru = GRU({"weight_ih_l0": np.ones((6, 1)), "weight_hh_l0": np.ones((6, 2))})
        >>> h = gru.step([1.0])
        >>> gru.step([1.0], h, out=h).shape
        (1, 2)
        """
        after: Any = self._network.plain_step(x_t, h, out)
        return self._step_of_any(x_t, h, out) if after is None else after

    def _step_of_any(self, x_t: ArrayLike, h: ArrayLike | None, out: NDArray[Any] | None) -> NDArray[Any]:
        """Do a step whose arrays need converting, or say what is wrong with them."""
        x = _as_real("x_t", x_t, self.dtype)
        if x.ndim not in (1, 2) or x.shape[-1] != self.input_size:
            raise ValueError(
                f"x_t: expected shape (sequences, {self.input_size}) or ({self.input_size},), got {x.shape}"
            )
        shape = (self.num_layers, *x.shape[:-1], self.hidden_size)
        before = np.zeros(shape, self.dtype) if h is None else _as_real("h", h, self.dtype)
        if before.shape != shape:
            raise ValueError(f"h: expected shape {shape} for x_t of shape {x.shape}, got {before.shape}")
        if out is not None:
            self._check_output(out, shape)
            x, before = (a.copy() if np.may_share_memory(a, out) else a for a in (x, before))
        rows = x.reshape(-1, self.input_size)
        stacked = (self.num_layers, len(rows), self.hidden_size)
        after = np.empty(shape, self.dtype) if out is None else out
        self._network.step(rows, before.reshape(stacked), after.reshape(stacked))
        return after

    def _check_output(self, out: NDArray[Any], shape: tuple[int, ...]) -> None:
        if not isinstance(out, np.ndarray):
            raise TypeError(f"out: expected a {self.dtype} array to write to, got {type(out).__name__}")
        if out.dtype != self.dtype or not (out.flags.c_contiguous and out.flags.writeable):
            raise TypeError(
                f"out: expected a writable C-contiguous {self.dtype} array, got {out.dtype}"
                f"{'' if out.flags.c_contiguous else ', not contiguous'}"
                f"{'' if out.flags.writeable else ', read-only'}"
            )
        if out.shape != shape:
            raise ValueError(f"out: expected shape {shape}, got {out.shape}")

    @property
    def _n_states(self) -> int:
        return self._cell.num_layers * self._cell.n_directions

    def _check_input(self, x: NDArray[Any]) -> None:
        if x.ndim != 3:
            raise ValueError(
                f"x: expected shape (sequences, steps, {self.input_size}) or (steps, {self.input_size}), "
                f"got {x.shape}"
            )
        if x.shape[2] != self.input_size:
            hint = ""
            if x.shape[1] == self.input_size:
                hint = "; it looks transposed: the order is (sequence, step, feature)"
            raise ValueError(
                f"x: expected {self.input_size} features in the last axis, got shape {x.shape}{hint}"
            )

    def _initial_states(self, h0: ArrayLike, n: int) -> NDArray[Any]:
        values = _as_real("h0", h0, self.dtype)
        expected = (self._n_states, n, self.hidden_size)
        if values.shape != expected:
            raise ValueError(f"h0: expected shape {expected}, got {values.shape}")
        return values

    def __repr__(self) -> str:
        options = [f"input_size={self.input_size}", f"hidden_size={self.hidden_size}"]
        if self.num_layers > 1:
            options.append(f"num_layers={self.num_layers}")
        options += [f"{name}=True" for name in ("bidirectional",) if getattr(self, name)]
        options += [f"{name}=False" for name in ("reset_after", "bias") if not getattr(self, name)]
        if self.dtype != "float32":
            options.append(f"dtype={self.dtype!r}")
        return f"GRU({', '.join(options)})"

    # The core's objects cannot be pickled; sizes and weights say everything.
    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        state["_network"] = self._network.parameters()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        parameters = state.pop("_network")
        self.__dict__.update(state)
        self._build(parameters)


def _as_real(name: str, values: ArrayLike, dtype: str) -> NDArray[Any]:
    given = np.asarray(values)
    if given.dtype.kind == "c":
        raise ValueError(f"{name}: expected real numbers, got complex ones")
    if values is None or given.dtype.kind not in "biufO":  # None and dates would become numbers
        raise ValueError(f"{name}: expected real numbers, got {'None' if values is None else given.dtype}")
    return np.ascontiguousarray(given, dtype=dtype)


def _check_lengths(lengths: ArrayLike, n: int, n_steps: int) -> NDArray[np.int64]:
    values = np.asarray(lengths)
    if values.shape != (n,) or (values.dtype.kind not in "iu" and values.size):
        raise ValueError(
            f"lengths: expected {n} integers, one a sequence, got {values.dtype} of shape {values.shape}"
        )
    wrong = np.flatnonzero((values < 0) | (values > n_steps))
    if wrong.size:
        i = int(wrong[0])
        raise ValueError(
            f"lengths: sequence {i} has length {values[i]}, expected 0 to {n_steps}, the steps of x"
        )
    return values.astype(np.int64)
