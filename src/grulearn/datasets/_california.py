"""California housing, 1990."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from grulearn.datasets._bundled import load_bundled

if TYPE_CHECKING:
    from sklearn.utils import Bunch


def load_california_housing(*, return_X_y: bool = False, as_frame: bool = False) -> Bunch | tuple[Any, Any]:
    """Load the California housing data (regression).

    One row for each of 20,640 census block groups of 1990, in the columns of scikit-learn's
    ``fetch_california_housing``, read from a file in the package.

    ===========  ==========================================  =========
    column       meaning                                     unit
    ===========  ==========================================  =========
    MedInc       median household income                     10,000 $
    HouseAge     median age of the houses, at most 52        years
    AveRooms     rooms per household
    AveBedrms    bedrooms per household
    Population   people in the block group
    AveOccup     people per household
    Latitude     latitude                                    degrees
    Longitude    longitude                                   degrees
    MedHouseVal  target: median value, capped at 5.00001     100,000 $
    ===========  ==========================================  =========

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        Return pandas objects instead of arrays.

    Returns
    -------
    Bunch
        ``data`` of shape (20640, 8) and ``target`` of shape (20640,), both float64; ``frame``, the two
        together if ``as_frame``, else None; ``feature_names`` and ``target_names``; ``DESCR``, the
        description with origin and licence.

    References
    ----------
    R. K. Pace and R. Barry, "Sparse spatial autoregressions", Statistics & Probability Letters 33 (1997)
    291-297.

    Examples
    --------
    >>> from grulearn.datasets import load_california_housing
    >>> houses = load_california_housing()
    >>> houses.data.shape
    (20640, 8)
    >>> houses.target[:3]
    array([4.526, 3.585, 3.521])
    """
    return load_bundled("california_housing", return_X_y=return_X_y, as_frame=as_frame)
