"""The model file: what comes back, what is refused, and what a failure leaves behind."""

from __future__ import annotations

import json
import math
import os
import pickle
import stat
import sys

import numpy as np
import pytest
import safetensors.numpy

from grulearn.formats.model_file import FORMAT_VERSION, ModelFileError, read_model, write_model

ARRAYS = {"weight": np.arange(6, dtype=np.float32).reshape(2, 3), "scale": np.array([0.5, math.pi])}
METADATA = {"estimator": "GRURegressor", "history": [1.0, 0.1, 1e-300], "spec": {"cell": {"hidden_size": 2}}}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.gru"


def write_bytes(path, text, tensors=ARRAYS):
    """Write a safetensors file with any text as its description."""
    path.write_bytes(safetensors.numpy.save(dict(tensors), None if text is None else {"grulearn": text}))


def test_everything_comes_back(path):
    write_model(path, ARRAYS, METADATA)
    arrays, metadata = read_model(path)
    assert metadata == METADATA
    assert sorted(arrays) == sorted(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array, strict=True)
        assert arrays[name].flags.writeable


@pytest.mark.parametrize(
    "array",
    [
        np.array(3.5),
        np.empty((0, 4), dtype=np.float32),
        np.array([True, False]),
        np.array([-(2**63), 2**63 - 1]),
        np.array([1, 2], dtype=np.uint8),
        np.array([np.nan, np.inf, -0.0], dtype=np.float16),
        np.arange(12.0).reshape(3, 4).T,
        np.arange(12.0).reshape(3, 4)[:, ::2],
        np.arange(3, dtype=">f4"),
    ],
    ids=["scalar", "empty", "bool", "int64", "uint8", "float16", "transposed", "strided", "big-endian"],
)
def test_arrays_of_every_kind(path, array):
    write_model(path, {"a": array}, {})
    back = read_model(path)[0]["a"]
    np.testing.assert_array_equal(back, array)
    assert back.shape == array.shape
    assert back.dtype == array.dtype.newbyteorder("=")


def test_no_array_at_all(path):
    write_model(path, {}, {"a": 1})
    assert read_model(path) == ({}, {"a": 1})


def test_metadata_of_every_kind(path):
    metadata = {
        "null": None,
        "big": 2**80,
        "float": 0.1 + 0.2,
        "infinite": [math.inf, -math.inf],
        "text": '房价 "quoted" \\ \n \0 \ud800',
        "zeros": "0" * 200,
        "nested": [[{"a": []}]],
    }
    write_model(path, ARRAYS, metadata)
    assert read_model(path)[1] == metadata
    write_model(path, ARRAYS, {"nan": math.nan})
    assert math.isnan(read_model(path)[1]["nan"])


def test_the_file_is_safetensors(path):
    write_model(path, ARRAYS, METADATA)
    np.testing.assert_array_equal(safetensors.numpy.load_file(path)["weight"], ARRAYS["weight"])
    with safetensors.safe_open(path, framework="np") as file:
        description = json.loads(file.metadata()["grulearn"])
    assert description["format_version"] == FORMAT_VERSION
    assert description["metadata"] == METADATA


def test_the_same_model_gives_the_same_bytes(path):
    write_model(path, ARRAYS, METADATA)
    first = path.read_bytes()
    write_model(path, ARRAYS, METADATA)
    assert path.read_bytes() == first


# What is refused


def refused(path, match):
    with pytest.raises(ModelFileError, match=match) as caught:
        read_model(path)
    assert str(path) in str(caught.value)


def test_a_file_cut_short_anywhere(path):
    write_model(path, ARRAYS, METADATA)
    data = path.read_bytes()
    for size in range(len(data)):
        path.write_bytes(data[:size])
        refused(path, "cut short|empty")
    path.write_bytes(data[:-1])
    refused(path, f"is cut short: it has {len(data) - 1} of {len(data)} bytes")


def test_any_flipped_bit(path):
    write_model(path, {"a": np.arange(2.0)}, {"history": [1e-5], "name": "Höhe"})
    data = path.read_bytes()
    for i in range(len(data)):
        for bit in range(8):
            altered = bytearray(data)
            altered[i] ^= 1 << bit
            path.write_bytes(altered)
            with pytest.raises(ModelFileError):
                read_model(path)


def test_flipped_weights_are_called_damaged(path):
    write_model(path, ARRAYS, METADATA)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    refused(path, "is damaged: its content has changed since it was written")


def test_bytes_added(path):
    write_model(path, ARRAYS, METADATA)
    path.write_bytes(path.read_bytes() + b"\0")
    refused(path, "is damaged")


@pytest.mark.parametrize(
    "data",
    [
        b"longitude,latitude\n-122.23,37.88\n",
        b"\x89PNG\r\n\x1a\n" + bytes(64),
        bytes(64),
        b"\xff" * 64,
        (2).to_bytes(8, "little") + b"[]",
        (10**5).to_bytes(8, "little") + b"[" * 10**5,
    ],
    ids=["csv", "png", "zeros", "ones", "json-list", "deep-json"],
)
def test_a_foreign_file(path, data):
    path.write_bytes(data)
    refused(path, "is not a model file of grulearn")


def test_a_pickle_is_not_executed(path, tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    path.write_bytes(pickle.dumps(Trap()))
    refused(path, "is not a model file of grulearn")
    assert not (tmp_path / "executed").exists()


def test_safetensors_of_others(path):
    write_bytes(path, None)
    refused(path, "a safetensors file, but not one that grulearn wrote")
    path.write_bytes(safetensors.numpy.save(dict(ARRAYS), {"format": "pt"}))
    refused(path, "a safetensors file, but not one that grulearn wrote")


def test_an_empty_file_and_a_folder(path, tmp_path):
    path.touch()
    refused(path, "is empty")
    refused(tmp_path, "is a folder")


def test_a_missing_file_is_a_file_not_found_error(path):
    with pytest.raises(FileNotFoundError) as caught:
        read_model(path)
    assert caught.value.filename == str(path)


def test_a_path_through_a_file(path):
    path.touch()
    with pytest.raises(ModelFileError, match="cannot be read: Not a directory"):
        read_model(path / "model.gru")


def test_a_newer_format(path):
    write_bytes(path, json.dumps({"format_version": FORMAT_VERSION + 1, "anything": "else"}))
    refused(path, f"has format version {FORMAT_VERSION + 1}, .* update grulearn")


@pytest.mark.parametrize(
    "description",
    [
        "",
        "[]",
        "null",
        '"text"',
        "{}",
        '{"format_version": "1"}',
        '{"format_version": 0}',
        '{"format_version": null}',
        '{"format_version": 1}',
        '{"format_version": 1, "metadata": {}}',
        '{"format_version": 1, "sha256": "", "metadata": {}}',
        '{"format_version": 1, "sha256": "\\ud800", "metadata": {}}',
        '{"format_version": 1, "sha256": "' + "0" * 64 + '", "metadata": []}',
        '{"format_version": 1, "sha256": "' + "0" * 64 + '", "metadata": {}}',
        "[" * 10**5,
    ],
)
def test_a_description_that_makes_no_sense(path, description):
    write_bytes(path, description)
    refused(path, "is damaged")


# What a failure leaves behind


@pytest.mark.parametrize(
    "array", [np.array(["a"]), np.array([None]), np.array([1j]), np.zeros(2, dtype="datetime64[s]")]
)
def test_arrays_that_are_not_numbers(path, array):
    with pytest.raises(TypeError, match="array 'a' has dtype"):
        write_model(path, {"a": array}, {})
    assert not list(path.parent.iterdir())


@pytest.mark.parametrize("value", [np.int64(1), {1, 2}, object(), b"bytes"])
def test_metadata_that_is_not_json(path, value):
    with pytest.raises(TypeError, match="the metadata is not plain JSON"):
        write_model(path, {}, {"a": value})
    assert not list(path.parent.iterdir())


def test_metadata_that_holds_itself(path):
    circle: dict = {}
    circle["self"] = circle
    with pytest.raises(TypeError, match="not plain JSON"):
        write_model(path, {}, circle)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(path, monkeypatch, error, function):
    write_model(path, ARRAYS, METADATA)
    before = path.read_bytes()

    def fail(*args):
        raise error

    monkeypatch.setattr(os, function, fail)
    with pytest.raises(type(error)):
        write_model(path, {}, {})
    assert [p.name for p in path.parent.iterdir()] == ["model.gru"]
    assert path.read_bytes() == before


def test_a_place_that_cannot_be_written(path):
    missing = path / "model.gru"
    with pytest.raises(FileNotFoundError, match="the model cannot be written") as caught:
        write_model(missing, ARRAYS, METADATA)
    assert caught.value.filename == str(missing)
    path.mkdir()
    with pytest.raises(IsADirectoryError, match="the model cannot be written"):
        write_model(path, ARRAYS, METADATA)
    assert not list(path.iterdir())


def test_a_link_stays_a_link(path, tmp_path):
    link = tmp_path / "latest.gru"
    write_model(path, {}, {})
    link.symlink_to(path)
    write_model(link, ARRAYS, METADATA)
    assert link.is_symlink()
    assert read_model(path)[1] == METADATA


def test_the_file_has_the_usual_permissions(path, tmp_path):
    other = tmp_path / "other"
    other.touch()
    write_model(path, ARRAYS, METADATA)
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(other.stat().st_mode)


def test_text_and_bytes_paths(tmp_path):
    for path in (str(tmp_path / "a.gru"), os.fsencode(tmp_path / "b.gru")):
        write_model(path, ARRAYS, METADATA)
        assert read_model(path)[1] == METADATA


def test_a_file_name_as_long_as_the_system_takes(tmp_path):
    path = tmp_path / ("m" * 251 + ".gru")
    write_model(path, ARRAYS, METADATA)
    assert read_model(path)[1] == METADATA


def test_neither_pickle_nor_torch_is_there_to_be_used():
    module = sys.modules[read_model.__module__]
    assert not {"pickle", "torch"}.intersection(vars(module))


def test_a_pipe_is_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="it is not a regular file"):
        write_model(pipe, {"w": np.zeros(1)}, {})
    assert pipe.is_fifo()
    assert [file.name for file in tmp_path.iterdir()] == ["pipe"]
