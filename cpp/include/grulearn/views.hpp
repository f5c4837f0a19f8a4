// How data enters the core: views of the caller's memory, never copies.
#pragma once

#include <cstdint>
#include <span>

namespace grulearn {

// Sequences as a list view: sequence i is the rows starts[i] .. starts[i] + lengths[i] of a row-major matrix. Sequences
// may overlap and may be empty. The memory must outlive the call (or the object) it is given to.
struct SequencePositions {
    std::int64_t n_rows = 0;
    std::int64_t n_features = 0;
    std::span<const std::int64_t> starts;
    std::span<const std::int64_t> lengths;

    [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(lengths.size()); }
};

// The same with the rows.
template <class Real>
struct SequencesView : SequencePositions {
    const Real* rows = nullptr;  // (n_rows, n_features), C-contiguous
};

// Throws InvalidArgument, saying where, unless the rows have n_features columns and every sequence lies inside them.
void check(const SequencePositions& sequences, std::int64_t n_features);

}  // namespace grulearn
