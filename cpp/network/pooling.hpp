// The states of all steps of a sequence become one vector, and back.
#pragma once

#include <cstdint>
#include <vector>

#include "cell_pass.hpp"

namespace grulearn {

// Divides sums over `count` steps by it.
template <class Real>
void mean_of_sum(Real* sum, std::int64_t size, std::int64_t count) {
    const auto share = static_cast<Real>(1.0 / static_cast<double>(count));
    for (std::int64_t k = 0; k < size; ++k) sum[k] *= share;
}

// Mean, max or attention over the rows of a plan, with the memory for it, kept from one plan to the next. Rows may be
// taken in several threads at once.
template <class Real>
class Pooling {
public:
    explicit Pooling(const Network<Real>& network) : network_(network) {}

    // states: (row-steps, D * H) in time order; d_states the same, or null if no backward follows.
    void begin(const BatchPlan& plan, const RowSpace<Real>& states, Real* d_states);

    // The vector of a row into pooled (D * H); zeros for a sequence without steps.
    void forward(std::int64_t row, Real* pooled);

    // The gradients of a row's states, given its vector and that one's gradient, which is overwritten.
    void backward(std::int64_t row, Real* pooled, Real* d_pooled);

    // Once all rows went backward: adds the gradient of the query, if there is one, to packed gradients.
    void add_query_gradient(Real* gradients) const;

private:
    [[nodiscard]] PoolRows<Real> rows_of(std::int64_t row);

    const Network<Real>& network_;
    const BatchPlan* plan_ = nullptr;
    std::vector<std::int64_t> first_;  // [rows] where a row's steps begin in the arrays below
    std::vector<const Real*> x_;       // [row-steps] states, row after row
    std::vector<Real*> dx_;            // [row-steps] where their gradients go
    Buffer<Real> weights_;             // [row-steps] attention: of each step, then the derivatives of the scores
};

}  // namespace grulearn
