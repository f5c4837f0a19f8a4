#include "table_gradients.hpp"

#include <algorithm>

#include "cell_pass.hpp"
#include "thread_pool.hpp"

namespace grulearn {

namespace {

std::int32_t code_of(std::uint64_t item) { return static_cast<std::int32_t>(item >> 32); }
std::int64_t row_step_of(std::uint64_t item) { return static_cast<std::int64_t>(item & 0xFFFFFFFF); }

}  // namespace

// By code, and row-steps of one code in their order: a radix sort, stable and linear, with a pass for each byte that
// codes of this table have.
template <class Real>
void TableGradients<Real>::sort(std::int64_t n_codes, std::span<const std::int32_t> codes) {
    sorted_.resize(codes.size());
    unsorted_.resize(codes.size());
    for (std::size_t i = 0; i < codes.size(); ++i) {
        sorted_[i] = static_cast<std::uint64_t>(codes[i]) << 32 | static_cast<std::uint64_t>(i);
    }
    for (int shift = 32; (n_codes - 1) >> (shift - 32) > 0; shift += 8) {
        std::size_t first[257] = {};
        const auto digit = [&](std::uint64_t item) { return static_cast<std::size_t>(item >> shift & 0xFF); };
        sorted_.swap(unsorted_);
        for (const std::uint64_t item : unsorted_) ++first[digit(item) + 1];
        for (std::size_t i = 1; i < 257; ++i) first[i] += first[i - 1];
        for (const std::uint64_t item : unsorted_) sorted_[first[digit(item)]++] = item;
    }
}

template <class Real>
void TableGradients<Real>::sum(const EmbeddingTable& table, std::span<const std::int32_t> codes, const Real* d_vectors,
                               std::int64_t stride) {
    constexpr std::int64_t kBlock = 128;  // short sums keep float32 accurate
    sort(table.codes, codes);
    vector_size_ = table.size;
    codes_.clear();
    for (const std::uint64_t item : sorted_) {
        if (codes_.empty() || codes_.back() != code_of(item)) codes_.push_back(code_of(item));
    }
    Real* to = sums_.resize_zeroed(size() * vector_size_);
    Buffer<Real> block(vector_size_);
    const auto end = sorted_.end();
    for (auto from = sorted_.begin(); from != end;) {
        const std::int32_t code = code_of(*from);
        std::fill_n(block.data(), vector_size_, Real{0});
        for (std::int64_t n = 0; n < kBlock && from != end && code_of(*from) == code; ++n, ++from) {
            const Real* d_vector = d_vectors + row_step_of(*from) * stride;
            for (std::int64_t k = 0; k < vector_size_; ++k) block.data()[k] += d_vector[k];
        }
        for (std::int64_t k = 0; k < vector_size_; ++k) to[k] += block.data()[k];
        if (from != end && code_of(*from) != code) to += vector_size_;
    }
}

template <class Real>
void TableGradients<Real>::add_to(Real* gradient, std::int64_t begin, std::int64_t end) const {
    for (auto at = std::lower_bound(codes_.begin(), codes_.end(), begin); at != codes_.end() && *at < end; ++at) {
        Real* to = gradient + *at * vector_size_;
        const Real* from = sums_.data() + (at - codes_.begin()) * vector_size_;
        for (std::int64_t k = 0; k < vector_size_; ++k) to[k] += from[k];
    }
}

template <class Real>
void add_table_gradients(const Network<Real>& network, std::span<const std::vector<TableGradients<Real>>> parts,
                         Real* gradients, int n_jobs) {
    constexpr std::int64_t kCodes = 1024;  // of a piece of work
    const std::vector<EmbeddingTable>& tables = network.config().tables;
    for (std::size_t i = 0; i < tables.size(); ++i) {
        Real* gradient = gradients + network.layout().tables[i];
        std::int64_t sums = 0;
        for (const auto& part : parts) sums += part[i].size();
        const int threads = worthwhile_threads(n_jobs, sums * tables[i].size);
        parallel_for(threads, (tables[i].codes + kCodes - 1) / kCodes, [&](std::int64_t piece, int) {
            for (const auto& part : parts) part[i].add_to(gradient, piece * kCodes, (piece + 1) * kCodes);
        });
    }
}

template class TableGradients<float>;
template void add_table_gradients(const Network<float>&, std::span<const std::vector<TableGradients<float>>>, float*,
                                  int);
template class TableGradients<double>;
template void add_table_gradients(const Network<double>&, std::span<const std::vector<TableGradients<double>>>, double*,
                                  int);

}  // namespace grulearn
