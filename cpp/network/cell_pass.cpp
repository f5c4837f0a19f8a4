// What the forward and the backward pass over a cell share.
#include "cell_pass.hpp"

#include <algorithm>
#include <cmath>

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

template <class Real>
bool CellData<Real>::entering_rows(const Cell<Real>& cell, std::int64_t step, std::int64_t begin, std::int64_t end,
                                   const Real** out) const {
    if (!fades() || (step == 0 && h0 == nullptr)) return previous_rows(cell, step, begin, end, out);
    for (std::int64_t i = begin; i < end; ++i) *out++ = faded.at(*plan, i, step);
    return true;
}

template <class Real>
bool CellData<Real>::product_rows(const Cell<Real>& cell, std::int64_t step, std::int64_t begin, std::int64_t end,
                                  const Real** out) const {
    if (!drops_recurrent() || (step == 0 && h0 == nullptr)) return entering_rows(cell, step, begin, end, out);
    for (std::int64_t i = begin; i < end; ++i) *out++ = masked.at(*plan, i, step);
    return true;
}

template <class Real>
void CellData<Real>::gap_rows(std::int64_t step, std::int64_t begin, std::int64_t end, const Real** out) const {
    for (std::int64_t i = begin; i < end; ++i) *out++ = gaps.at(*plan, i, step);
}

template <class Real>
DecayStates<Real> decay_of_states(const Network<Real>& network, std::int64_t rows, const Real* const* gaps) {
    DecayStates<Real> decay;
    decay.rows = rows;
    decay.features = network.config().input_size;
    decay.hidden = network.config().hidden_size;
    decay.gap = gaps;
    decay.weight = network.packed() + network.layout().decay.hidden_weight;
    decay.bias = network.packed() + network.layout().decay.hidden_bias;
    return decay;
}

std::int64_t group_size(const CellShape& shape, const BatchPlan& plan, int threads) {
    if (threads <= 1) return kMaxGroup;
    // Sequences of unequal length need several groups a thread to even out. Each reads all weights at every step, so
    // those of a large cell should be few.
    constexpr std::int64_t kLargeCell = 64 * 1024;  // weights of a gate: beyond the L2
    const bool even_lengths = plan.rows == 0 || plan.length.back() == plan.steps;
    const bool large = shape.hidden * (shape.inputs + shape.hidden) >= kLargeCell;
    const std::int64_t pieces = threads * (!large ? 4 : even_lengths ? 1 : 2);
    const std::int64_t even = (plan.rows + pieces - 1) / pieces;
    return std::clamp<std::int64_t>((even + 7) / 8 * 8, 8, kMaxGroup);
}

std::vector<std::int64_t> dealt_to_and_fro(std::int64_t items, int threads) {
    std::vector<std::int64_t> next(static_cast<std::size_t>(threads)), end(next.size());
    for (std::int64_t t = 0; t < threads; ++t) {  // the parts of parallel_for
        next[static_cast<std::size_t>(t)] = items * t / threads;
        end[static_cast<std::size_t>(t)] = items * (t + 1) / threads;
    }
    std::vector<std::int64_t> order(static_cast<std::size_t>(items));
    for (std::int64_t item = 0, turn = 0; item < items; ++turn) {
        const std::int64_t t = turn % threads;
        const auto thread = static_cast<std::size_t>(turn / threads % 2 == 0 ? t : threads - 1 - t);
        if (next[thread] < end[thread]) order[static_cast<std::size_t>(next[thread]++)] = item++;
    }
    return order;
}

int team_size(const CellShape& shape, std::int64_t rows, int threads) {
    // Weights of a gate whose products take as long as a meeting. Two threads took as long as one with 2,700 weights a
    // gate, and two thirds of it with 5,100; three meetings' worth and more are shared.
    constexpr double kWeights = 1536;
    const std::int64_t tiles = (rows + 7) / 8;
    if (rows < 1 || rows > kMaxGroup || 2 * tiles > threads) return 1;
    // A step of m members takes work / m and m meetings: the best m is the root of their ratio.
    const auto work = static_cast<double>(rows * shape.hidden * (shape.inputs + shape.hidden));
    const std::int64_t best = std::lround(std::sqrt(work / kWeights));
    const std::int64_t members = std::clamp<std::int64_t>(best, 1, std::min<std::int64_t>(threads, shape.panels));
    const std::int64_t panels_of_each = (shape.panels + members - 1) / members;
    const std::int64_t busy = (shape.panels + panels_of_each - 1) / panels_of_each;
    return busy < 2 * tiles ? 1 : static_cast<int>(busy);  // fewer do as well by rows
}

StepPart team_part(const CellShape& shape, const Team& team, int thread) {
    StepPart part;
    part.panel_begin = shape.panels * thread / team.size();
    part.panel_end = shape.panels * (thread + 1) / team.size();
    return part;
}

int worthwhile_threads(int n_jobs, std::int64_t multiply_adds) {
    constexpr std::int64_t kWorthWaking = 250'000;
    return static_cast<int>(std::clamp<std::int64_t>(multiply_adds / kWorthWaking, 1, n_jobs));
}

std::int64_t multiply_adds(const CellShape& shape, std::int64_t row_steps) {
    return row_steps * 3 * shape.hidden * (shape.inputs + shape.hidden);
}

template struct Cell<float>;
template struct CellData<float>;
template DecayStates<float> decay_of_states(const Network<float>&, std::int64_t, const float* const*);
template struct Cell<double>;
template struct CellData<double>;
template DecayStates<double> decay_of_states(const Network<double>&, std::int64_t, const double* const*);

}  // namespace grulearn
