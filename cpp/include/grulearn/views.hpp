// How data enters the core: views of the caller's memory, never copies.
#pragma once

#include <cstdint>
#include <span>

namespace grulearn {

// Sequences as a list view: sequence i is the rows starts[i] .. starts[i] + lengths[i] of a row-major matrix. Sequences
// may overlap and may be empty. The memory must outlive the call (or the object) it is given to.
struct SequencePositions {
    std::int64_t n_rows = 0;
    std::int64_t n_features = 0;  // columns
    std::span<const std::int64_t> starts;
    std::span<const std::int64_t> lengths;
    std::int64_t n_categorical = 0;
    const std::int32_t* codes = nullptr;  // (n_rows, n_categorical), C-contiguous, of the rows' categorical features

    [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(lengths.size()); }
};

// The same with the rows.
template <class Real>
struct SequencesView : SequencePositions {
    const Real* rows = nullptr;  // (n_rows, n_features), C-contiguous
};

struct NetworkConfig;

// Throws InvalidArgument, saying where, unless the rows have the columns and codes that such a network reads, and every
// sequence lies inside them.
void check(const SequencePositions& sequences, const NetworkConfig& config);

}  // namespace grulearn
