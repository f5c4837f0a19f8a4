"""Boston housing, 1970: kept for a reproduction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from grulearn.datasets._bundled import load_bundled

if TYPE_CHECKING:
    from sklearn.utils import Bunch


def load_boston_housing(*, return_X_y: bool = False, as_frame: bool = False) -> Bunch | tuple[Any, Any]:
    """Load the Boston housing data (regression); **for reproducing older work only**.

    scikit-learn removed this data set in version 1.2, because column B encodes race: it is
    ``1000 (Bk - 0.63)^2``, with Bk the share of Black residents in the town, under the untested assumption
    that segregation raises house prices. It is bundled because the article that grulearn began with trains
    on it (``grulearn demo --article``). For everything else use `load_california_housing`, or your own data.

    One row for each of 506 census tracts of 1970; 13 features (``DESCR`` has their meanings and units); the
    target MEDV is the median value of owner-occupied houses in 1,000 $, capped at 50.

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        Return pandas objects instead of arrays.

    Returns
    -------
    Bunch
        ``data`` of shape (506, 13) and ``target`` of shape (506,), both float64; ``frame``, the two
        together if ``as_frame``, else None; ``feature_names`` and ``target_names``; ``DESCR``, the
        description with origin, licence and the reasons above.

    References
    ----------
    D. Harrison and D. L. Rubinfeld, "Hedonic housing prices and the demand for clean air", Journal of
    Environmental Economics and Management 5 (1978) 81-102.

    Examples
    --------
    >>> from grulearn.datasets import load_boston_housing
    >>> X, y = load_boston_housing(return_X_y=True)
    >>> X.shape, float(y[0])
    ((506, 13), 24.0)
    """
    return load_bundled("boston_housing", return_X_y=return_X_y, as_frame=as_frame)
