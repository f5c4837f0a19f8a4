"""A GRU in JAX: jit around lax.scan, in the plain lines that one would write."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grulearn.benchmark.cases import BETAS, CLIP_NORM, EPSILON, LEARNING_RATE, WEIGHT_DECAY, Case
from grulearn.benchmark.peers.protocol import Stream

__all__ = ["JaxLibrary"]

Weights = dict[str, Any]


class JaxLibrary:
    """JAX on the CPU."""

    key = "jax"
    label = "JAX"

    def __init__(self, threads: int) -> None:
        with _thread_limit(threads):
            import jax

            jax.config.update("jax_platforms", "cpu")
            jax.devices()  # makes the thread pool
        self.version = str(jax.__version__)
        self.details = "jit, lax.scan; XLA compiles for the processor it finds; PJRT_NPROC limits its threads"

    def model(self, case: Case) -> JaxModel:
        """Build a case."""
        return JaxModel(case)

    def stream(self, case: Case) -> Stream | None:
        """Single steps are not compared: a call of a compiled function alone costs several microseconds."""
        return None


class JaxModel:
    """A case. lax.scan goes along the first axis, so the data are kept as (T, N, F)."""

    def __init__(self, case: Case) -> None:
        import jax

        self._run = jax.jit(_states)
        self._train = jax.jit(_training_step, donate_argnums=(0, 1, 2, 3))
        self._inputs = jax.numpy.asarray(case.inputs.swapaxes(0, 1))
        self._targets = jax.numpy.asarray(case.targets)
        self._weights = {name: jax.numpy.array(value) for name, value in case.weights.items()}
        trained = jax.tree.map(jax.numpy.copy, self._weights)
        moments = [jax.tree.map(jax.numpy.zeros_like, trained) for _ in range(2)]
        self._training_state = (trained, *moments, jax.numpy.float32(0))

    def inference(self) -> Any:
        """Run the sequences."""
        return self._run(self._weights, self._inputs).block_until_ready()

    def training_step(self) -> float:
        """Take one step; return the loss before it."""
        *state, loss = self._train(*self._training_state, self._inputs, self._targets)
        self._training_state = tuple(state)
        return float(loss)

    def outputs(self) -> NDArray[np.float32]:
        """Return the states after each step, shape (N, T, H)."""
        return np.asarray(self.inference()).swapaxes(0, 1)


def _states(weights: Weights, x: Any) -> Any:
    """Return the states after each step, (T, N, H), of inputs (T, N, F)."""
    import jax
    from jax import numpy as jnp

    # Transposed once outside the scan, inference at N1 T100 F32 H64 took a quarter of the time. One product
    # with W for all steps before the scan took 1.5 to 3 times as long as one in each step from N = 32 on.
    W, U = weights["weight_ih_l0"].T, weights["weight_hh_l0"].T
    b, c = weights["bias_ih_l0"], weights["bias_hh_l0"]

    def step(h: Any, x_t: Any) -> tuple[Any, Any]:
        from_x, from_h = jnp.split(x_t @ W + b, 3, axis=1), jnp.split(h @ U + c, 3, axis=1)
        r = jax.nn.sigmoid(from_x[0] + from_h[0])
        z = jax.nn.sigmoid(from_x[1] + from_h[1])
        n = jnp.tanh(from_x[2] + r * from_h[2])
        h = (1 - z) * n + z * h
        return h, h

    return jax.lax.scan(step, jnp.zeros((x.shape[1], U.shape[0])), x)[1]


def _loss(weights: Weights, x: Any, y: Any) -> Any:
    from jax import numpy as jnp

    predicted = _states(weights, x)[-1] @ weights["head.weight"].T + weights["head.bias"]
    return jnp.mean((predicted - y) ** 2)


def _training_step(weights: Weights, m: Weights, v: Weights, t: Any, x: Any, y: Any) -> tuple[Any, ...]:
    """Take one step of AdamW; return weights, both moments, the number of steps, and the loss before it."""
    import jax
    from jax import numpy as jnp

    loss, gradients = jax.value_and_grad(_loss)(weights, x, y)
    norm = jnp.sqrt(sum(jnp.sum(g * g) for g in gradients.values()))
    scale = jnp.minimum(1.0, CLIP_NORM / norm)
    t = t + 1
    step_size, new = LEARNING_RATE / (1 - BETAS[0] ** t), {}
    new_m, new_v = {}, {}
    for name, weight in weights.items():
        g = scale * gradients[name]
        new_m[name] = BETAS[0] * m[name] + (1 - BETAS[0]) * g
        new_v[name] = BETAS[1] * v[name] + (1 - BETAS[1]) * g * g
        decay = 0.0 if "bias" in name else LEARNING_RATE * WEIGHT_DECAY
        update = new_m[name] / (jnp.sqrt(new_v[name] / (1 - BETAS[1] ** t)) + EPSILON)
        new[name] = (1 - decay) * weight - step_size * update
    return new, new_m, new_v, t, loss


@contextmanager
def _thread_limit(threads: int) -> Iterator[None]:
    """Have XLA make a pool of this size; it reads the variable when it makes the pool.

    With PJRT_NPROC=1 a product of two large matrices kept 1.0 cores busy; with XLA_FLAGS=
    --xla_cpu_multi_thread_eigen=false, which is often named for this, 2.0 (jaxlib 0.10).
    """
    before = os.environ.get("PJRT_NPROC")
    os.environ["PJRT_NPROC"] = str(threads)
    try:
        yield
    finally:
        if before is None:
            del os.environ["PJRT_NPROC"]
        else:
            os.environ["PJRT_NPROC"] = before
