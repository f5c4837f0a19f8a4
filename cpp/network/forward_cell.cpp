#include <algorithm>

#include "cell_pass.hpp"
#include "thread_pool.hpp"

namespace grulearn {

template <class Real>
CellShape Cell<Real>::shape() const {
    const NetworkConfig& config = network->config();
    const std::int64_t width = network->kernels().width;
    return {config.inputs_of_layer(layer), config.hidden_size, (config.hidden_size + width - 1) / width,
            config.reset_after};
}

template <class Real>
void CellData<Real>::input_rows(const Cell<Real>& cell, std::int64_t step, std::int64_t begin, std::int64_t end,
                                const Real** out) const {
    for (std::int64_t i = begin; i < end; ++i) *out++ = inputs.at(*plan, i, cell.position(*plan, i, step));
}

template <class Real>
void CellData<Real>::state_rows(const Cell<Real>& cell, std::int64_t step, std::int64_t begin, std::int64_t end,
                                Real** out) const {
    for (std::int64_t i = begin; i < end; ++i) *out++ = states.at(*plan, i, cell.position(*plan, i, step));
}

template <class Real>
bool CellData<Real>::previous_rows(const Cell<Real>& cell, std::int64_t step, std::int64_t begin, std::int64_t end,
                                   const Real** out) const {
    if (step == 0 && h0 == nullptr) return false;
    const std::int64_t hidden = cell.network->config().hidden_size;
    for (std::int64_t i = begin; i < end; ++i) {
        *out++ = step == 0 ? h0 + plan->sequence[static_cast<std::size_t>(i)] * hidden
                           : states.at(*plan, i, cell.position(*plan, i, step - 1));
    }
    return true;
}

std::int64_t group_size(std::int64_t rows, int threads) {
    if (threads <= 1) return kMaxGroup;
    const std::int64_t pieces = std::int64_t{4} * threads;  // sequences of unequal length need some to even out
    const std::int64_t even = (rows + pieces - 1) / pieces;
    return std::clamp<std::int64_t>((even + 7) / 8 * 8, 8, kMaxGroup);
}

int worthwhile_threads(int n_jobs, std::int64_t multiply_adds) {
    constexpr std::int64_t kWorthWaking = 250'000;
    return static_cast<int>(std::clamp<std::int64_t>(multiply_adds / kWorthWaking, 1, n_jobs));
}

std::int64_t multiply_adds(const CellShape& shape, std::int64_t row_steps) {
    return row_steps * 3 * shape.hidden * (shape.inputs + shape.hidden);
}

namespace {

// Scratch of reset_after=False without saved gates: r, z, n and r * h of one group's rows.
template <class Real>
struct ResetBeforeScratch {
    std::int64_t row;  // scalars of gates a row
    Buffer<Real> gates, reset_states;

    ResetBeforeScratch(const Cell<Real>& cell, std::int64_t threads, std::int64_t group)
        : row(cell.shape().slots() * cell.padded_hidden()) {
        if (cell.network->config().reset_after) return;
        gates.resize(threads * group * row);
        reset_states.resize(threads * group * cell.padded_hidden());
    }
};

}  // namespace

template <class Real>
void forward_cell(const Cell<Real>& cell, const CellData<Real>& data, Real* gates, int n_jobs) {
    const BatchPlan& plan = *data.plan;
    if (plan.steps == 0) return;
    const Network<Real>& network = *cell.network;
    const CellShape shape = cell.shape();
    const int threads = worthwhile_threads(n_jobs, multiply_adds(shape, plan.row_steps()));
    const std::int64_t group = group_size(plan.rows, threads);
    ResetBeforeScratch<Real> scratch(cell, threads, group);
    const CellLayout& layout = network.layout().cells[static_cast<std::size_t>(cell.index())];

    ForwardStep<Real> common;
    common.shape = shape;
    common.w = network.packed() + layout.w;
    common.u = network.packed() + layout.u;
    common.bias = layout.bias < 0 ? nullptr : network.packed() + layout.bias;
    common.gates_stride = scratch.row;

    const auto run_group = [&](std::int64_t item, int thread) {
        const Real* x[kMaxGroup];
        const Real* h[kMaxGroup];
        Real* out[kMaxGroup];
        ForwardStep<Real> step = common;
        step.x = x;
        step.out = out;
        step.gates = scratch.gates.data();
        if (!shape.reset_after) {
            step.gates += thread * group * scratch.row;
            step.reset_state = scratch.reset_states.data() + thread * group * cell.padded_hidden();
        }
        const std::int64_t begin = item * group;
        for (std::int64_t t = 0; t < plan.steps; ++t) {
            const auto at = static_cast<std::size_t>(t);
            const std::int64_t end = std::min(begin + group, plan.active[at]);
            if (end <= begin) break;
            data.input_rows(cell, t, begin, end, x);
            data.state_rows(cell, t, begin, end, out);
            step.h = data.previous_rows(cell, t, begin, end, h) ? h : nullptr;
            step.rows = end - begin;
            if (gates != nullptr) step.gates = gates + (plan.offset[at] + begin) * scratch.row;
            network.kernels().forward_step(step);
        }
    };
    parallel_for(threads, (plan.active[0] + group - 1) / group, run_group);
}

template struct Cell<float>;
template struct CellData<float>;
template void forward_cell(const Cell<float>&, const CellData<float>&, float*, int);
template struct Cell<double>;
template struct CellData<double>;
template void forward_cell(const Cell<double>&, const CellData<double>&, double*, int);

}  // namespace grulearn
