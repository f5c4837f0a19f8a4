"""Which libraries are found, and what is said about the others."""

from __future__ import annotations

import numpy as np

from grulearn.benchmark.cases import Case
from grulearn.benchmark.peers import KNOWN, Known, open_libraries
from grulearn.benchmark.peers.grulearn_peer import GrulearnLibrary

OWN = "grulearn.benchmark.peers.grulearn_peer:GrulearnLibrary"


def known(*packages, home=OWN):
    return Known("other", "Other", packages, "pip install other more", home)


def test_opens_what_is_there():
    libraries, missing = open_libraries(1, [known("numpy")])
    assert [type(library) for library in libraries] == [GrulearnLibrary]
    assert missing == ()


def test_says_how_to_install_what_is_not():
    libraries, (missing,) = open_libraries(1, [known("no_such_package", "numpy")])
    assert libraries == ()
    assert (missing.key, missing.label) == ("other", "Other")
    assert missing.reason == "not installed (pip install other more)"


def test_names_the_part_that_alone_is_missing():
    _, (missing,) = open_libraries(1, [known("numpy", "no_such_package")])
    assert missing.reason == (
        "installed, but not no_such_package, which the comparison needs (pip install no_such_package)"
    )


def test_a_library_that_cannot_be_imported_is_missing_too():
    _, (missing,) = open_libraries(1, [known("numpy", home="no_such_package:Library")])
    assert missing.reason.startswith("installed, but cannot be imported: No module named")


def test_the_libraries_of_the_comparison():
    assert [candidate.label for candidate in KNOWN] == ["PyTorch", "ONNX Runtime", "JAX"]
    assert all(candidate.install.startswith("pip install ") for candidate in KNOWN)


def test_grulearn_streams_what_it_computes_at_once():
    case = Case(1, 6, 3, 5)
    library = GrulearnLibrary(1)
    stream = library.stream(case)
    h = stream.state
    for x, expected in zip(stream.inputs, library.model(case).outputs()[0], strict=True):
        h = stream.step(x, h, h)
        np.testing.assert_array_equal(stream.as_array(h), expected)
