#include "chunk_sums.hpp"

#include <algorithm>

#include "thread_pool.hpp"

namespace grulearn {

template <class Real>
void ChunkSums<Real>::resize_row_pointers(const Chunk& chunk) {
    const auto count = static_cast<std::size_t>(offset(chunk.end) - offset(chunk.begin));
    scratch_.inputs.resize(count);
    scratch_.previous.resize(count);
    if (!shape_.reset_after) scratch_.resets.resize(count);
    if (data_.fades()) scratch_.gaps.resize(count);
}

template <class Real>
void ChunkSums<Real>::collect_rows(const Chunk& chunk, std::int64_t t, std::int64_t begin, std::int64_t end) const {
    const std::int64_t at = offset(t) - offset(chunk.begin) + begin;
    data_.input_rows(cell_, t, begin, end, scratch_.inputs.data() + at);
    data_.product_rows(cell_, t, begin, end, scratch_.previous.data() + at);
    if (data_.fades()) data_.gap_rows(t, begin, end, scratch_.gaps.data() + at);
    if (shape_.reset_after) return;
    for (std::int64_t i = at; i < at + end - begin; ++i) {
        scratch_.resets[static_cast<std::size_t>(i)] = scratch_.reset_states.data() + i * padded_;
    }
}

template <class Real>
typename ChunkSums<Real>::Sums ChunkSums<Real>::sums_of(const Chunk& chunk) {
    resize_row_pointers(chunk);
    const CellLayout& layout = cell_.network->layout().cells[static_cast<std::size_t>(cell_.index())];
    Sums sums;
    sums.w.shape = shape_;
    const auto place = places_.at(chunk, GradientBy::inputs, chunk.begin, 0);
    sums.w.gates = place.gates;
    sums.w.gates_panel = place.panel;
    sums.w.inputs = scratch_.inputs.data();
    sums.w.n_inputs = shape_.inputs;
    sums.w.out = gradients_.d_parameters + layout.w;

    sums.u[0] = sums.w;
    sums.u[0].gates = places_.at(chunk, GradientBy::states, chunk.begin, 0).gates;
    sums.u[0].inputs = scratch_.previous.data();
    sums.u[0].n_inputs = shape_.hidden;
    sums.u[0].out = gradients_.d_parameters + layout.u;
    if (shape_.reset_after) {
        sums.u[0].slots[2] = 3;
    } else {
        sums.u[0].n_gates = 2;
        sums.u[1] = sums.u[0];
        sums.u[1].first_gate = 2;
        sums.u[1].n_gates = 1;
        sums.u[1].slots[0] = 2;
        sums.u[1].inputs = scratch_.resets.data();
        sums.n_u = 2;
    }

    sums.bias.shape = shape_;
    sums.bias.gates = places_.at(chunk, GradientBy::gates, chunk.begin, 0).gates;
    sums.bias.gates_panel = place.panel;
    if (layout.bias >= 0) sums.bias.out = gradients_.d_parameters + layout.bias;

    const std::int64_t count = offset(chunk.end) - offset(chunk.begin);
    const std::int64_t skipped = without_state(chunk);
    sums.w.count = sums.bias.count = count;
    for (WeightGradient<Real>& each : sums.u) {
        each.gates += skipped * shape_.slots() * width_;
        if (each.inputs != nullptr) each.inputs += skipped;
        each.count = count - skipped;
    }
    return sums;
}

template <class Real>
void ChunkSums<Real>::gain_gradients(const Chunk& chunk) const {
    const CellLayout& layout = cell_.network->layout().cells[static_cast<std::size_t>(cell_.index())];
    const auto saved = gradients_.gates.at(chunk.begin, 0);
    NormGainGradient<Real> sums;
    sums.count = offset(chunk.end) - offset(chunk.begin);
    sums.d_gates = places_.at(chunk, GradientBy::gates, chunk.begin, 0).gates;
    sums.panel = places_.at(chunk, GradientBy::gates, chunk.begin, 0).panel;
    sums.saved = saved.gates;
    sums.saved_panel = saved.panel;
    sums.out = gradients_.d_parameters + layout.gain;
    const int threads = worthwhile_threads(threads_, 6 * sums.count * shape_.hidden);
    parallel_for(threads, shape_.panels, [&](std::int64_t panel, int) {
        NormGainGradient<Real> part = sums;
        part.panel_begin = panel;
        part.panel_end = panel + 1;
        cell_.network->kernels().norm_gain_gradient(part);
    });
}

template <class Real>
void ChunkSums<Real>::rate_gradients(const Chunk& chunk) const {
    const std::int64_t skipped = without_state(chunk);
    const DecayLayout& layout = cell_.network->layout().decay;
    DecayRateGradient<Real> sums;
    sums.count = offset(chunk.end) - offset(chunk.begin) - skipped;
    sums.features = cell_.network->config().input_size;
    sums.hidden = shape_.hidden;
    sums.gap = scratch_.gaps.data() + skipped;
    sums.d_rates = scratch_.d_rates.data() + skipped * padded_;
    sums.d_weight = gradients_.d_parameters + layout.hidden_weight;
    sums.d_bias = gradients_.d_parameters + layout.hidden_bias;
    const int threads = worthwhile_threads(threads_, sums.count * sums.features * shape_.hidden);
    parallel_for(threads, shape_.panels, [&](std::int64_t panel, int) {
        DecayRateGradient<Real> part = sums;
        part.panel_begin = panel;
        part.panel_end = panel + 1;
        cell_.network->kernels().decay_rate_gradient(part);
    });
}

template <class Real>
std::int64_t ChunkSums<Real>::without_state(const Chunk& chunk) const {
    return chunk.begin == 0 && data_.h0 == nullptr ? active(0) : 0;
}

// Each item owns a part of the output (one panel, some inputs), so no two threads add to the same sum.
template <class Real>
void ChunkSums<Real>::sum_by_panel(const Sums& sums, int threads) const {
    constexpr std::int64_t kInputs = 64;
    const std::int64_t w_items = (shape_.inputs + kInputs - 1) / kInputs;
    const std::int64_t u_items = sums.u[0].count == 0 ? 0 : (shape_.hidden + kInputs - 1) / kInputs;
    const std::int64_t per_panel = w_items + u_items;
    const KernelTable<Real>& kernels = cell_.network->kernels();
    const auto run = [&](WeightGradient<Real> part, std::int64_t panel, std::int64_t item) {
        part.panel_begin = panel;
        part.panel_end = panel + 1;
        part.input_begin = item * kInputs;
        part.input_end = std::min(part.n_inputs, part.input_begin + kInputs);
        kernels.weight_gradient(part);
    };
    parallel_for(threads, shape_.panels * per_panel, [&](std::int64_t index, int) {
        const std::int64_t panel = index / per_panel;
        const std::int64_t item = index % per_panel;
        if (item < w_items) {
            run(sums.w, panel, item);
        } else {
            for (int i = 0; i < sums.n_u; ++i) run(sums.u[i], panel, item - w_items);
        }
        if (item == 0 && sums.bias.out != nullptr) {
            BiasGradient<Real> part = sums.bias;
            part.panel_begin = panel;
            part.panel_end = panel + 1;
            kernels.bias_gradient(part);
        }
    });
}

template <class Real>
void ChunkSums<Real>::add_parameter_gradients(const Chunk& chunk) {
    const Sums sums = sums_of(chunk);
    for (std::int64_t t = chunk.begin; t < chunk.end; ++t) collect_rows(chunk, t, 0, active(t));
    const std::int64_t count = offset(chunk.end) - offset(chunk.begin);
    const int threads = worthwhile_threads(threads_, multiply_adds(shape_, count));
    sum_by_panel(sums, threads);
    if (data_.fades()) rate_gradients(chunk);
    if (cell_.normalises()) gain_gradients(chunk);
}

template <class Real>
void ChunkSums<Real>::input_gradients(const Chunk& chunk) const {
    const std::int64_t first = offset(chunk.begin);
    const std::int64_t count = offset(chunk.end) - first;
    const auto place = places_.at(chunk, GradientBy::inputs, chunk.begin, 0);
    const int threads = worthwhile_threads(threads_, count * 3 * shape_.hidden * gradients_.n_inputs);
    for_row_blocks(threads, count, [&](std::int64_t begin, std::int64_t end) {
        Real* to[kMaxGroup];
        RowStep at = plan_.row_step(first + begin);
        for (std::int64_t i = 0; i < end - begin; ++i, at = plan_.next(at)) {
            to[i] = gradients_.d_inputs.at(plan_, at.row, cell_.position(plan_, at.row, at.step));
        }
        InputGradient<Real> step;
        step.shape = shape_;
        step.rows = end - begin;
        step.w_t = gradients_.w_t;
        step.gates = place.gates + begin * shape_.slots() * width_;
        step.gates_panel = place.panel;
        step.dx = to;
        step.panel_begin = gradients_.first_input / width_;
        step.panel_end = (gradients_.first_input + gradients_.n_inputs + width_ - 1) / width_;
        step.add = gradients_.add_to_inputs;
        cell_.network->kernels().input_gradient(step);
    });
}

template class ChunkSums<float>;
template class ChunkSums<double>;

}  // namespace grulearn
