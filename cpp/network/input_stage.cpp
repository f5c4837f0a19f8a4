#include "input_stage.hpp"

#include <algorithm>

#include "thread_pool.hpp"

namespace grulearn {

namespace {

// Codes were checked; whatever the caller has done to them since, they lead to no memory outside of the table.
std::int32_t within(const EmbeddingTable& table, std::int32_t code) {
    return code >= 0 && code < table.codes ? code : 0;
}

template <class Real>
DecayInputs<Real> decay_step(const Network<Real>& network, std::int64_t rows, const Real* const* x, Real* const* out) {
    DecayInputs<Real> step;
    step.rows = rows;
    step.features = network.config().input_size;
    step.x = x;
    step.weight = network.packed() + network.layout().decay.input_weight;
    step.bias = network.packed() + network.layout().decay.input_bias;
    step.out = out;
    return step;
}

}  // namespace

template <class Real>
void prepare_rows(const Network<Real>& network, std::int64_t count, const Real* const* from,
                  const std::int32_t* const* codes, Real* const* to) {
    const NetworkConfig& config = network.config();
    if (config.decay) {
        network.kernels().decay_inputs(decay_step(network, count, from, to));
    } else {
        for (std::int64_t i = 0; i < count; ++i) std::copy_n(from[i], config.input_size, to[i]);
    }
    std::int64_t column = config.numeric_inputs();
    for (std::size_t k = 0; k < config.tables.size(); ++k) {
        const EmbeddingTable& table = config.tables[k];
        const Real* vectors = network.packed() + network.layout().tables[k];
        for (std::int64_t i = 0; i < count; ++i) {
            std::copy_n(vectors + within(table, codes[i][k]) * table.size, table.size, to[i] + column);
        }
        column += table.size;
    }
}

template <class Real>
LayerInputs<Real> InputStage<Real>::forward(const BatchPlan& plan, const SequencesView<Real>& sequences, int n_jobs) {
    LayerInputs<Real> inputs;
    inputs.rows = caller_rows(plan, sequences);
    if (!config_.prepares_inputs()) return inputs;
    if (config_.decay) {
        inputs.gaps = inputs.rows;
        inputs.gaps.base += 2 * config_.input_size;
    }
    plan_ = &plan;
    sequences_ = &sequences;
    const std::int64_t width = config_.cell_inputs();
    inputs.rows = {rows_.resize(plan.row_steps() * width), width, RowOrder::time, nullptr};
    const int threads = worthwhile_threads(n_jobs, plan.row_steps() * width);
    for_row_blocks(threads, plan.row_steps(), [&](std::int64_t begin, std::int64_t end) {
        const Real* from[kMaxGroup];
        const std::int32_t* codes[kMaxGroup];
        Real* to[kMaxGroup];
        collect(begin, end - begin, from, codes);
        for (std::int64_t i = begin; i < end; ++i) to[i - begin] = inputs.rows.base + i * width;
        prepare_rows(network_, end - begin, from, codes, to);
    });
    return inputs;
}

template <class Real>
void InputStage<Real>::collect(std::int64_t begin, std::int64_t count, const Real** rows,
                               const std::int32_t** codes) const {
    RowStep at = plan_->row_step(begin);
    for (std::int64_t i = 0; i < count; ++i, at = plan_->next(at)) {
        const std::int64_t row = plan_->start[static_cast<std::size_t>(at.row)] + at.step;
        rows[i] = sequences_->rows + row * sequences_->n_features;
        codes[i] = sequences_->codes + row * sequences_->n_categorical;
    }
}

template <class Real>
RowSpace<Real> InputStage<Real>::d_rows() {
    if (!config_.prepares_inputs()) return {};
    const std::int64_t width = config_.cell_inputs();
    return {d_rows_.resize(plan_->row_steps() * width), width, RowOrder::time, nullptr};
}

template <class Real>
void InputStage<Real>::backward(Real* gradients, std::vector<TableGradients<Real>>& tables) {
    if (!config_.prepares_inputs()) return;
    if (config_.decay) add_rate_gradients(gradients);
    const std::int64_t width = config_.cell_inputs();
    std::int64_t column = config_.numeric_inputs();
    tables.resize(config_.tables.size());
    for (std::size_t k = 0; k < tables.size(); ++k) {
        const EmbeddingTable& table = config_.tables[k];
        codes_.clear();
        for (std::int64_t position = 0; position < plan_->steps; ++position) {
            for (std::int64_t i = 0; i < plan_->active[static_cast<std::size_t>(position)]; ++i) {
                const std::int64_t row = plan_->start[static_cast<std::size_t>(i)] + position;
                const std::int32_t* own = sequences_->codes + row * sequences_->n_categorical;
                codes_.push_back(within(table, own[k]));
            }
        }
        tables[k].sum(table, codes_, d_rows_.data() + column, width);
        column += table.size;
    }
}

template <class Real>
void InputStage<Real>::add_rate_gradients(Real* gradients) const {
    const std::int64_t width = config_.cell_inputs();
    const Real* x[kMaxGroup];
    const std::int32_t* codes[kMaxGroup];
    const Real* d_out[kMaxGroup];
    for (std::int64_t begin = 0; begin < plan_->row_steps(); begin += kMaxGroup) {
        const std::int64_t count = std::min(kMaxGroup, plan_->row_steps() - begin);
        collect(begin, count, x, codes);
        for (std::int64_t i = 0; i < count; ++i) d_out[i] = d_rows_.data() + (begin + i) * width;
        DecayInputs<Real> step = decay_step<Real>(network_, count, x, nullptr);
        step.d_out = d_out;
        step.d_weight = gradients + network_.layout().decay.input_weight;
        step.d_bias = gradients + network_.layout().decay.input_bias;
        network_.kernels().decay_inputs_gradient(step);
    }
}

template void prepare_rows(const Network<float>&, std::int64_t, const float* const*, const std::int32_t* const*,
                           float* const*);
template class InputStage<float>;
template void prepare_rows(const Network<double>&, std::int64_t, const double* const*, const std::int32_t* const*,
                           double* const*);
template class InputStage<double>;

}  // namespace grulearn
