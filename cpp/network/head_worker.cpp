#include "head_worker.hpp"

#include <algorithm>
#include <numeric>

namespace grulearn {

namespace {

// Arrays that a loss does not need have no memory.
template <class T>
T* beyond(T* array, std::int64_t offset) {
    return array == nullptr ? nullptr : array + offset;
}

}  // namespace

template <class Real>
LossSum HeadWorker<Real>::run(const BatchPlan& plan, const Recording<Real>& recording, const Targets<Real>& targets,
                              std::span<const std::int64_t> batch, const PlanMasks<Real>* masks, Real* gradients,
                              int n_jobs) {
    const NetworkConfig& config = network_.config();
    const Run run{plan, recording, targets, batch, masks, config.per_step ? plan.row_steps() : plan.rows};
    resize(run);
    std::int64_t work = 3 * run.items * config.state_size() * config.output_size;
    if (pools()) work += 2 * plan.row_steps() * config.state_size();
    const int threads = worthwhile_threads(n_jobs, work);
    for_row_blocks(threads, run.items, [&](std::int64_t begin, std::int64_t end) {
        losses_[static_cast<std::size_t>(begin / kMaxGroup)] = run_items(run, begin, end);
    });
    add_weight_gradients(run, gradients);
    if (pools()) pooling_.add_query_gradient(gradients);
    LossSum sum;
    for (const LossSum& block : losses_) {
        sum.loss += block.loss;
        sum.weight += block.weight;
    }
    return sum;
}

template <class Real>
void HeadWorker<Real>::resize(const Run& run) {
    const NetworkConfig& config = network_.config();
    const std::int64_t outputs = run.items * config.output_size;
    items_.resize(static_cast<std::size_t>(run.items));
    if (!config.per_step) vectors_.resize(run.plan.rows * config.state_size());
    d_items_.resize(run.items * config.state_size());
    if (run.drops()) {
        factors_.resize(d_items_.size());
        dropped_.resize(d_items_.size());
    }
    if (pools()) {
        Real* d_states = d_states_.resize(run.plan.row_steps() * config.state_size());
        pooling_.begin(run.plan, run.recording.states(config.num_layers - 1), d_states);
    }
    slopes_.resize(outputs);
    if (run.targets.has_classes()) {
        classes_.resize(static_cast<std::size_t>(run.items));
    } else {
        wanted_.resize(run.items * run.targets.columns());
    }
    if (run.targets.weighted()) weights_.resize(run.items * run.targets.columns());
    const Loss loss = run.targets.loss().loss;
    const bool elementwise = loss != Loss::pinball && loss != Loss::gaussian && loss != Loss::cross_entropy;
    if (!elementwise) scratch_.resize(3 * outputs);
    losses_.resize(static_cast<std::size_t>((run.items + kMaxGroup - 1) / kMaxGroup));
}

// The part that is independent for each item.
template <class Real>
LossSum HeadWorker<Real>::run_items(const Run& run, std::int64_t begin, std::int64_t end) {
    const NetworkConfig& config = network_.config();
    collect_items(run, begin, end);
    if (run.drops()) drop_items(run, begin, end);
    take_targets(run, begin, end);

    HeadForward<Real> forward;
    forward.rows = end - begin;
    forward.inputs = config.state_size();
    forward.outputs = config.output_size;
    forward.x = items_.data() + begin;
    forward.w = network_.packed() + network_.layout().head_weight;
    forward.b = network_.packed() + network_.layout().head_bias;
    forward.out = slopes_.data() + begin * config.output_size;
    network_.kernels().head_forward(forward);

    const LossSum sum = loss_and_slope(run, begin, end);

    HeadInputGradient<Real> backward;
    backward.rows = forward.rows;
    backward.inputs = forward.inputs;
    backward.outputs = forward.outputs;
    backward.w = forward.w;
    backward.d_out = forward.out;
    backward.dx = d_items_.data() + begin * forward.inputs;
    network_.kernels().head_input_gradient(backward);
    if (run.drops()) drop_gradients(begin, end);
    for (std::int64_t i = begin; i < end && pools(); ++i) {
        pooling_.backward(i, vectors_.data() + i * forward.inputs, d_items_.data() + i * forward.inputs);
    }
    return sum;
}

template <class Real>
void HeadWorker<Real>::collect_items(const Run& run, std::int64_t begin, std::int64_t end) {
    const NetworkConfig& config = network_.config();
    if (!config.per_step && !pools()) return collect_finals(run, begin, end);
    const RowSpace<Real> states = run.recording.states(config.num_layers - 1);
    for (std::int64_t i = begin; i < end; ++i) {
        Real* vector = config.per_step ? states.base + i * states.stride : vectors_.data() + i * config.state_size();
        if (pools()) pooling_.forward(i, vector);
        items_[static_cast<std::size_t>(i)] = vector;
    }
}

// The final states where they stand, or for two directions copied together.
template <class Real>
void HeadWorker<Real>::collect_finals(const Run& run, std::int64_t begin, std::int64_t end) {
    const NetworkConfig& config = network_.config();
    const std::int64_t top = config.num_layers - 1;
    const RowSpace<Real> states = run.recording.states(top);
    for (std::int64_t i = begin; i < end; ++i) {
        const auto row = static_cast<std::size_t>(i);
        const std::int64_t length = run.plan.length[row];
        if (length > 0 && config.directions() == 1) {
            items_[row] = states.at(run.plan, i, length - 1);
            continue;
        }
        items_[row] = vectors_.data() + i * config.state_size();
        for (std::int64_t direction = 0; direction < config.directions(); ++direction) {
            run.recording.final_states_of(top, direction, vectors_.data() + direction * config.hidden_size,
                                          config.state_size(), nullptr, i, i + 1);
        }
    }
}

// What the head reads becomes a copy with some units taken out.
template <class Real>
void HeadWorker<Real>::drop_items(const Run& run, std::int64_t begin, std::int64_t end) {
    const std::int64_t size = network_.config().state_size();
    Real* factor[kMaxGroup];
    Real* out[kMaxGroup];
    for (std::int64_t i = begin; i < end; ++i) {
        factor[i - begin] = factors_.data() + i * size;
        out[i - begin] = dropped_.data() + i * size;
    }
    run.masks->head_factors(begin, end, factor);
    network_.kernels().scale_rows({end - begin, 0, size, factor, items_.data() + begin, out});
    std::copy_n(out, end - begin, items_.begin() + begin);
}

template <class Real>
void HeadWorker<Real>::drop_gradients(std::int64_t begin, std::int64_t end) {
    // Rows follow one another: one row to the kernel.
    const std::int64_t size = network_.config().state_size();
    const Real* factor = factors_.data() + begin * size;
    Real* gradient = d_items_.data() + begin * size;
    const Real* given = gradient;
    network_.kernels().scale_rows({1, 0, (end - begin) * size, &factor, &given, &gradient});
}

template <class Real>
void HeadWorker<Real>::take_targets(const Run& run, std::int64_t begin, std::int64_t end) {
    const auto sequence_of = [&](std::int64_t row) {
        return run.batch[static_cast<std::size_t>(run.plan.sequence[static_cast<std::size_t>(row)])];
    };
    std::int64_t sequences[kMaxGroup];
    std::int64_t steps[kMaxGroup];  // rows of the targets
    if (network_.config().per_step) {
        RowStep at = run.plan.row_step(begin);
        for (std::int64_t i = 0; i < end - begin; ++i, at = run.plan.next(at)) {
            sequences[i] = sequence_of(at.row);
            steps[i] = run.targets.row_of(sequences[i], run.plan.first_step + at.step);
        }
    } else {
        for (std::int64_t i = 0; i < end - begin; ++i) sequences[i] = sequence_of(begin + i);
    }
    const std::int64_t* rows = network_.config().per_step ? steps : sequences;
    const std::int64_t at = begin * run.targets.columns();
    run.targets.take(end - begin, sequences, rows, beyond(wanted_.data(), at), beyond(classes_.data(), begin),
                     beyond(weights_.data(), at));
}

template <class Real>
LossSum HeadWorker<Real>::loss_and_slope(const Run& run, std::int64_t begin, std::int64_t end) {
    const Targets<Real>& targets = run.targets;
    const std::int64_t columns = targets.columns();
    LossRows<Real> rows;
    rows.loss = targets.loss().loss;
    rows.rows = end - begin;
    rows.outputs = network_.config().output_size;
    rows.targets = columns;
    rows.out = slopes_.data() + begin * rows.outputs;
    rows.wanted = beyond(wanted_.data(), begin * columns);
    rows.classes = beyond(classes_.data(), begin);
    rows.weights = targets.weighted() ? weights_.data() + begin * columns : nullptr;
    rows.scratch = beyond(scratch_.data(), 3 * begin * rows.outputs);
    rows.delta = static_cast<Real>(targets.loss().delta);
    rows.quantiles = targets.quantiles();
    rows.n_quantiles = static_cast<std::int64_t>(targets.loss().quantiles.size());
    rows.anchor = targets.anchor();
    rows.smoothing = static_cast<Real>(targets.loss().label_smoothing);
    LossSum sum;
    sum.loss = network_.kernels().loss_and_slope(rows);
    const auto terms = static_cast<double>(targets.loss().terms_of_a_target());
    const auto count = static_cast<double>(rows.rows * columns);
    sum.weight =
        terms *
        (rows.weights == nullptr ? count : std::accumulate(rows.weights, rows.weights + rows.rows * columns, 0.0));
    return sum;
}

template <class Real>
void HeadWorker<Real>::add_weight_gradients(const Run& run, Real* gradients) const {
    HeadWeightGradient<Real> weight;
    weight.rows = run.items;
    weight.inputs = network_.config().state_size();
    weight.outputs = network_.config().output_size;
    weight.x = items_.data();
    weight.d_out = slopes_.data();
    weight.dw = gradients + network_.layout().head_weight;
    weight.db = gradients + network_.layout().head_bias;
    network_.kernels().head_weight_gradient(weight);
}

template <class Real>
typename Recording<Real>::OutputGradients HeadWorker<Real>::state_gradients() const {
    const NetworkConfig& config = network_.config();
    typename Recording<Real>::OutputGradients given;
    if (config.per_step || pools()) {
        auto* base = const_cast<Real*>(config.per_step ? d_items_.data() : d_states_.data());  // only read
        given.outputs = {base, config.state_size(), RowOrder::time, nullptr};
        return given;
    }
    given.final_states = {d_items_.data(), config.state_size(), nullptr};
    given.first_cell = (config.num_layers - 1) * config.directions();
    given.cell_stride = config.hidden_size;
    return given;
}

template class HeadWorker<float>;
template class HeadWorker<double>;

}  // namespace grulearn
