"""Each dtype has classes of the core that compute in it."""

from __future__ import annotations

import numpy as np
import pytest

from grulearn.precision import core_classes
from grulearn.spec import DTYPES


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_of_the_specification_has_its_classes(dtype):
    network = core_classes(dtype).network(2, 3, output_size=1)
    assert network.parameters().dtype == dtype
    rows, positions = np.ones((4, 2), dtype), np.arange(4)
    trainer = core_classes(dtype).trainer(
        network, rows, positions, np.ones(4, np.int64), np.ones((4, 1), dtype), batch_size=4, n_jobs=1
    )
    trainer.run_epoch(None, 0.1)
    assert network.parameters().any()


@pytest.mark.parametrize("dtype", ["float16", "double", np.float64, np.dtype("float64"), None, ["float64"]])
def test_others_are_refused(dtype):
    with pytest.raises(ValueError, match="dtype: expected 'float32' or 'float64', got"):
        core_classes(dtype)
