"""The model file: named arrays and plain metadata in one safetensors file.

The file is an ordinary safetensors file. Its header's metadata has one key, ``grulearn``, with JSON text::

    {"format_version": 1, "sha256": "...", "metadata": {...}}

The SHA-256 is that of the whole file with 64 zeros in the digest's place, so that no damaged bit goes
unnoticed. It guards against accidents; it is no signature. Reading a file parses JSON and numbers, and
never executes anything that is in it. What the arrays and the metadata mean is the caller's business.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

__all__ = ["FORMAT_VERSION", "ModelFileError", "read_model", "write_model"]

FORMAT_VERSION = 1

_KEY = "grulearn"
_DIGEST = re.compile("[0-9a-f]{64}")
_NO_DIGEST = "0" * 64
_HEADER_START = 8  # safetensors: 8 bytes hold the header's length, little endian


class ModelFileError(ValueError):
    """A file is no model of grulearn, is damaged, or needs a newer grulearn."""


def write_model(
    path: str | os.PathLike[str], arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, Any]
) -> None:
    """Write a model file, whole or not at all.

    The bytes go to a new file beside `path`, which then takes its place in one step: whoever reads `path`
    meanwhile, or after a failure, finds the old file.

    Parameters
    ----------
    path : path-like
        An existing file is replaced; a link is followed.
    arrays : mapping of str to ndarray
        Bools, integers and floats of up to 64 bits, of any shape.
    metadata : mapping of str to JSON values
        Infinities and NaN are allowed, as in Python's `json`.

    Raises
    ------
    TypeError
        If an array has another dtype, or the metadata holds something that JSON does not; nothing is
        written then.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from grulearn.formats.model_file import read_model, write_model
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = os.path.join(folder.name, "model.gru")
    >>> write_model(path, {"weight": np.arange(3.0)}, {"epochs": 20})
    >>> arrays, metadata = read_model(path)
    >>> arrays["weight"], metadata
    (array([0., 1., 2.]), {'epochs': 20})
    >>> folder.cleanup()
    """
    _replace_file(os.path.realpath(os.fsdecode(path)), _to_bytes(arrays, metadata))


def read_model(path: str | os.PathLike[str]) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read a model file and check that it is what `write_model` wrote.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    arrays : dict of str to ndarray
    metadata : dict

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelFileError
        If the file cannot be read, is no model of grulearn, is cut short or altered, or has a newer
        format. The message names the file.
    """
    name = os.fsdecode(path)
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        raise
    except IsADirectoryError as error:
        raise ModelFileError(f"{name} is a folder, not a model file") from error
    except OSError as error:
        raise ModelFileError(f"{name} cannot be read: {error.strerror}") from error
    header = _read_header(name, data)
    envelope = _read_envelope(name, header)
    _check_complete(name, data, header)
    digest = envelope["sha256"]
    if _digest(data.replace(digest.encode(), _NO_DIGEST.encode(), 1)) != digest:
        raise ModelFileError(f"{name} is damaged: its content has changed since it was written")
    try:
        arrays = safetensors.numpy.load(data)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"{name} is damaged: {error}") from error
    # safetensors gives views of its input, which cannot be written to.
    return {key: np.array(value) for key, value in arrays.items()}, envelope["metadata"]


def _to_bytes(arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, Any]) -> bytes:
    tensors: dict[str, NDArray[Any]] = {}
    for name, value in arrays.items():
        array = np.asarray(value, order="C")
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            raise TypeError(
                f"model file: array {name!r} has dtype {array.dtype}; expected bool, integer or float"
            )
        tensors[name] = array
    # The digest stands first, so that its zeros are the first 64 in a row, whatever the metadata holds.
    envelope = {"format_version": FORMAT_VERSION, "sha256": _NO_DIGEST, "metadata": dict(metadata)}
    try:
        text = json.dumps(envelope)
    except (TypeError, ValueError) as error:
        raise TypeError(f"model file: the metadata is not plain JSON: {error}") from error
    data = safetensors.numpy.save(tensors, {_KEY: text})
    return data.replace(_NO_DIGEST.encode(), _digest(data).encode(), 1)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _read_header(name: str, data: bytes) -> dict[str, Any]:
    if not data:
        raise ModelFileError(f"{name} is empty; expected a model file of grulearn")
    size = int.from_bytes(data[:_HEADER_START], "little")
    try:
        # JSON that nests deeper than Python's stack allows ends in a RecursionError.
        header = json.loads(data[_HEADER_START : _HEADER_START + size])
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise ModelFileError(f"{name} is not a model file of grulearn, or is cut short or damaged")
    return header


def _read_envelope(name: str, header: dict[str, Any]) -> dict[str, Any]:
    """Return the content of our key, with a version that this code can read."""
    texts = header.get("__metadata__")
    if not isinstance(texts, dict) or _KEY not in texts:
        raise ModelFileError(
            f"{name} is a safetensors file, but not one that grulearn wrote: it has weights, and says no more"
        )
    try:
        envelope = json.loads(texts[_KEY])
        version = envelope["format_version"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelFileError(f"{name} is damaged: its description cannot be read") from error
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise ModelFileError(
            f"{name} has format version {version}, and this grulearn reads up to {FORMAT_VERSION}: "
            "update grulearn to load it"
        )
    if version != FORMAT_VERSION:
        raise ModelFileError(f"{name} is damaged: it states the format version {version!r}")
    digest, metadata = envelope.get("sha256"), envelope.get("metadata")
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest) or not isinstance(metadata, dict):
        raise ModelFileError(f"{name} is damaged: its description is incomplete")
    return dict(envelope)


def _check_complete(name: str, data: bytes, header: dict[str, Any]) -> None:
    try:
        ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
        size = _HEADER_START + int.from_bytes(data[:_HEADER_START], "little") + max(ends, default=0)
    except (TypeError, KeyError, IndexError) as error:
        raise ModelFileError(f"{name} is damaged: its list of arrays cannot be read") from error
    if len(data) < size:
        raise ModelFileError(f"{name} is cut short: it has {len(data)} of {size} bytes")


def _replace_file(path: str, data: bytes) -> None:
    """Put `data` in the place of the file at `path` in one step."""
    # Not `tempfile`, whose files only their owner may read.
    temporary = os.path.join(os.path.dirname(path), f".grulearn-{secrets.token_hex(8)}.tmp")
    try:
        if os.path.isdir(path):
            raise IsADirectoryError(errno.EISDIR, "it is a folder", path)
        if os.path.exists(path) and not os.path.isfile(path):
            # Replacing a device or a pipe would destroy it.
            raise OSError(errno.EINVAL, "it is not a regular file", path)
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            # The user knows `path`, not the temporary file that the error speaks of.
            raise OSError(error.errno, f"the model cannot be written: {error.strerror}", path) from error
        raise
