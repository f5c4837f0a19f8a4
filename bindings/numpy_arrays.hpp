// NumPy's arrays by their own fields. Reading them costs 5 ns an array where the buffer protocol costs 150, and a step
// of a small network takes some 100. Each source that includes this reads NumPy's table of functions for itself: it
// calls import_numpy() once, when the module is imported.
#pragma once

#include <nanobind/nanobind.h>

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#include <numpy/arrayobject.h>

#include <cstdint>
#include <type_traits>

namespace grulearn::bindings {

namespace {

inline void import_numpy() {
    if (_import_array() < 0) throw nanobind::python_error();
}

template <class T>
constexpr int numpy_type() {
    if constexpr (std::is_same_v<T, float>) return NPY_FLOAT;
    if constexpr (std::is_same_v<T, double>) return NPY_DOUBLE;
    if constexpr (std::is_same_v<T, std::int64_t>) return NPY_INT64;
}

// The array if the object is one, of exactly NumPy's class, aligned, in C order and in the machine's byte order.
inline PyArrayObject* plain_array(nanobind::handle object, bool writable = false) {
    if (!PyArray_CheckExact(object.ptr())) return nullptr;
    auto* array = reinterpret_cast<PyArrayObject*>(object.ptr());
    constexpr int kRead = NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED;
    const int flags = writable ? kRead | NPY_ARRAY_WRITEABLE : kRead;
    return PyArray_CHKFLAGS(array, flags) && !PyArray_ISBYTESWAPPED(array) ? array : nullptr;
}

inline bool has_shape(PyArrayObject* array, int rank, const npy_intp* shape) {
    return PyArray_NDIM(array) == rank && PyArray_CompareLists(PyArray_DIMS(array), shape, rank);
}

template <class T>
T* data_of(PyArrayObject* array) {
    return static_cast<T*>(PyArray_DATA(array));
}

// A new uninitialised array.
inline nanobind::object new_array(int rank, const npy_intp* shape, int type) {
    nanobind::object array = nanobind::steal(PyArray_SimpleNew(rank, shape, type));
    if (!array.is_valid()) throw nanobind::python_error();
    return array;
}

}  // namespace

}  // namespace grulearn::bindings
