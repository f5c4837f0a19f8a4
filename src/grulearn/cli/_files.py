"""Writing files: checked before the work, and then whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from grulearn.cli._errors import BadInput


def check_can_write(*paths: Path | None) -> None:
    """Raise BadInput unless each of the files could be written now. Leaves nothing behind."""
    for path in paths:
        if path is None:
            continue
        if path.is_dir():
            raise BadInput(f"{path} is a folder; expected the name of a file to write")
        if path.exists() and not path.is_file():
            raise BadInput(f"{path} is a device or a pipe; expected the name of a file to write")
        if not path.parent.is_dir():
            raise BadInput(f"{path} cannot be written: there is no folder {path.parent}")
        _check_folder(path.parent, path)


def check_can_make_folder(folder: Path) -> None:
    """Raise BadInput unless files can be written in the folder, or it can be made. Leaves nothing behind."""
    nearest = next(path for path in [folder, *folder.absolute().parents] if path.exists())
    if not nearest.is_dir():
        raise BadInput(f"the folder {folder} cannot be made: {nearest} is a file")
    _check_folder(nearest, folder)


def check_all_differ(**paths: Path | None) -> None:
    """Raise BadInput if two arguments name the same file: one would destroy the other."""
    seen: dict[Path, str] = {}
    for name, path in paths.items():
        if path is None:
            continue
        other = seen.setdefault(path.resolve(), name)
        if other != name:
            raise BadInput(f"{name} and {other} are the same file, {path}; give two names")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; what was written there takes its place if nothing is raised.

    The folder is made if there is none; a link is followed.
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    # Not `tempfile`, whose files only their owner may read.
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def _check_folder(folder: Path, path: Path) -> None:
    # Only trying tells: permission bits say little on network and read-only file systems, or to root.
    probe = _temporary(folder / "probe")
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}") from error
