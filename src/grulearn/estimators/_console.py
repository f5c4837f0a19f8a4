"""What a fit prints with ``verbose``."""

from __future__ import annotations

from collections.abc import Callable

from grulearn.training import EpochReport

__all__ = ["console_report"]

_LINES = 100


def console_report(
    verbose: int, on_epoch: Callable[[EpochReport], None] | None
) -> Callable[[EpochReport], None] | None:
    """Return a hook that prints epochs, then calls `on_epoch`.

    Parameters
    ----------
    verbose : int
        0 prints nothing, 1 about a hundred lines at most, 2 every epoch.
    on_epoch : callable or None
    """
    if not verbose:
        return on_epoch

    def report(epoch: EpochReport) -> None:
        every = 1 if verbose > 1 else max(1, epoch.max_iter // _LINES)
        if epoch.epoch == 1 or epoch.epoch % every == 0:
            line = f"epoch {epoch.epoch}/{epoch.max_iter}  training loss {epoch.training_loss:.6g}"
            if epoch.validation_loss is not None:
                line += f"  validation loss {epoch.validation_loss:.6g}{'  best' if epoch.best else ''}"
            print(line)
        if on_epoch is not None:
            on_epoch(epoch)

    return report
