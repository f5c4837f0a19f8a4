#include "pooling.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace grulearn {

template <class Real>
void Pooling<Real>::begin(const BatchPlan& plan, const RowSpace<Real>& states, Real* d_states) {
    plan_ = &plan;
    const auto row_steps = static_cast<std::size_t>(plan.row_steps());
    first_.resize(static_cast<std::size_t>(plan.rows));
    x_.resize(row_steps);
    if (d_states != nullptr) dx_.resize(row_steps);
    if (network_.config().pool == Pool::attention) weights_.resize(plan.row_steps());
    std::size_t next = 0;
    for (std::int64_t row = 0; row < plan.rows; ++row) {
        const auto i = static_cast<std::size_t>(row);
        first_[i] = static_cast<std::int64_t>(next);
        for (std::int64_t position = 0; position < plan.length[i]; ++position, ++next) {
            x_[next] = states.at(plan, row, position);
            if (d_states != nullptr) dx_[next] = d_states + (x_[next] - states.base);
        }
    }
}

template <class Real>
PoolRows<Real> Pooling<Real>::rows_of(std::int64_t row) {
    const NetworkConfig& config = network_.config();
    const std::int64_t first = first_[static_cast<std::size_t>(row)];
    PoolRows<Real> rows;
    rows.count = plan_->length[static_cast<std::size_t>(row)];
    rows.size = config.state_size();
    rows.x = x_.data() + first;
    rows.dx = dx_.empty() ? nullptr : dx_.data() + first;
    if (config.pool == Pool::attention) {
        rows.query = network_.packed() + network_.layout().pool_query;
        rows.scale = static_cast<Real>(1.0 / std::sqrt(static_cast<double>(rows.size)));
        rows.weights = weights_.data() + first;
    }
    return rows;
}

template <class Real>
void Pooling<Real>::forward(std::int64_t row, Real* pooled) {
    const NetworkConfig& config = network_.config();
    const KernelTable<Real>& kernels = network_.kernels();
    PoolRows<Real> rows = rows_of(row);
    rows.out = pooled;
    const bool from_below = config.pool == Pool::max && rows.count > 0;
    std::fill_n(pooled, rows.size, from_below ? -std::numeric_limits<Real>::infinity() : Real{0});
    if (rows.count == 0) return;
    if (config.pool == Pool::max) kernels.pool_max(rows);
    if (config.pool == Pool::attention) kernels.attention(rows);
    if (config.pool != Pool::mean) return;
    // Each direction in the order in which it reads: so the sum can be taken while it runs.
    rows.size = config.hidden_size;
    for (std::int64_t direction = 0; direction < config.directions(); ++direction) {
        rows.column = direction * config.hidden_size;
        rows.reverse = direction > 0;
        rows.out = pooled + rows.column;
        kernels.pool_sum(rows);
    }
    mean_of_sum(pooled, config.state_size(), rows.count);
}

template <class Real>
void Pooling<Real>::backward(std::int64_t row, Real* pooled, Real* d_pooled) {
    const NetworkConfig& config = network_.config();
    PoolRows<Real> rows = rows_of(row);
    rows.out = pooled;
    rows.d_out = d_pooled;
    if (rows.count == 0) return;
    if (config.pool == Pool::max) network_.kernels().pool_max_gradient(rows);
    if (config.pool == Pool::attention) network_.kernels().attention_gradient(rows);
    if (config.pool != Pool::mean) return;
    mean_of_sum(d_pooled, rows.size, rows.count);
    for (std::int64_t t = 0; t < rows.count; ++t) std::copy_n(d_pooled, rows.size, rows.dx[t]);
}

template <class Real>
void Pooling<Real>::add_query_gradient(Real* gradients) const {
    if (network_.config().pool != Pool::attention) return;
    // It is the weight of an output "score" on every state.
    HeadWeightGradient<Real> weight;
    weight.rows = plan_->row_steps();
    weight.inputs = network_.config().state_size();
    weight.outputs = 1;
    weight.x = x_.data();
    weight.d_out = weights_.data();
    weight.dw = gradients + network_.layout().pool_query;
    Real bias = 0;  // which a score has not
    weight.db = &bias;
    network_.kernels().head_weight_gradient(weight);
}

template class Pooling<float>;
template class Pooling<double>;

}  // namespace grulearn
