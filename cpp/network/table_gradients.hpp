// Gradients of embedding tables, of which a batch reads few vectors.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "grulearn/buffer.hpp"
#include "grulearn/network.hpp"

namespace grulearn {

// Those of the codes that occur in a part of a batch: a sum for each, so that neither its memory nor its work grows
// with the table.
template <class Real>
class TableGradients {
public:
    // Of one table: codes [count]; the gradient of the vector that row-step i has read is at d_vectors + i * stride.
    void sum(const EmbeddingTable& table, std::span<const std::int32_t> codes, const Real* d_vectors,
             std::int64_t stride);

    // Adds the sums of codes in [begin, end) to the gradient of the whole table.
    void add_to(Real* gradient, std::int64_t begin, std::int64_t end) const;

    [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(codes_.size()); }

private:
    void sort(std::int64_t n_codes, std::span<const std::int32_t> codes);

    std::int64_t vector_size_ = 0;
    std::vector<std::int32_t> codes_;  // that occur, rising
    Buffer<Real> sums_;                // [codes_][vector_size_]
    std::vector<std::uint64_t> sorted_, unsorted_;  // a code and a row-step in one number
};

// The gradients of all tables from those of all parts of a batch, part after part: packed gradients are added to.
template <class Real>
void add_table_gradients(const Network<Real>& network,
                         std::span<const std::vector<TableGradients<Real>>> parts,  // [part][table]
                         Real* gradients, int n_jobs);

}  // namespace grulearn
