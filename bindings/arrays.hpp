// NumPy arrays at the door: the argument's type is the check (dtype, rank, order, device).
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>

#include "grulearn/errors.hpp"
#include "grulearn/views.hpp"

namespace nb = nanobind;

namespace grulearn::bindings {

template <class T, int Rank>
using In = nb::ndarray<const T, nb::ndim<Rank>, nb::c_contig, nb::device::cpu>;
template <class T, int Rank>
using Out = nb::ndarray<nb::numpy, T, nb::ndim<Rank>>;

inline std::int64_t extent(const auto& array, std::size_t axis) { return static_cast<std::int64_t>(array.shape(axis)); }

// A new uninitialised NumPy array.
template <class T, int Rank>
Out<T, Rank> fresh(const std::int64_t (&shape)[Rank]) {
    std::size_t sizes[Rank];
    std::size_t count = 1;
    for (int i = 0; i < Rank; ++i) count *= sizes[i] = static_cast<std::size_t>(shape[i]);
    auto* data = new T[count];
    nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<T*>(p); });
    return Out<T, Rank>(data, Rank, sizes, owner);
}

inline std::span<const std::int64_t> view(const In<std::int64_t, 1>& array) { return {array.data(), array.size()}; }

using Codes = std::optional<In<std::int32_t, 2>>;  // None: no categorical features

template <class Real>
SequencesView<Real> view(const In<Real, 2>& rows, const In<std::int64_t, 1>& starts, const In<std::int64_t, 1>& lengths,
                         const Codes& codes = {}) {
    SequencesView<Real> sequences{{extent(rows, 0), extent(rows, 1), view(starts), view(lengths)}, rows.data()};
    if (!codes) return sequences;
    if (extent(*codes, 0) != sequences.n_rows) {
        throw InvalidArgument("codes must have one row for each of the " + std::to_string(sequences.n_rows) +
                              " rows, got " + std::to_string(extent(*codes, 0)));
    }
    sequences.n_categorical = extent(*codes, 1);
    sequences.codes = codes->data();
    return sequences;
}

template <class Array>
void expect_shape(const char* name, const Array& array, std::initializer_list<std::int64_t> expected) {
    std::string wanted, given;
    bool same = array.ndim() == expected.size();
    std::size_t axis = 0;
    for (const std::int64_t size : expected) {
        wanted += (axis == 0 ? "" : ", ") + std::to_string(size);
        given += (axis == 0 ? "" : ", ") + std::to_string(array.shape(axis));
        same = same && extent(array, axis) == size;
        ++axis;
    }
    if (!same) throw InvalidArgument(std::string(name) + " must have shape (" + wanted + "), got (" + given + ")");
}

inline int checked_jobs(int n_jobs) {
    if (n_jobs < 1) throw InvalidArgument("n_jobs must be at least 1, got " + std::to_string(n_jobs));
    return n_jobs;
}

inline std::int64_t checked_checkpoint_steps(std::int64_t steps) {
    if (steps < 0) {
        throw InvalidArgument("checkpoint_steps must be at least 1, or 0 to keep all steps, got " +
                              std::to_string(steps));
    }
    return steps;
}

}  // namespace grulearn::bindings
