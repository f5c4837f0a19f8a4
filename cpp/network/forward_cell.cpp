#include <algorithm>
#include <cmath>

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

template <class Real>
bool CellData<Real>::entering_rows(const Cell<Real>& cell, std::int64_t step, std::int64_t begin, std::int64_t end,
                                   const Real** out) const {
    if (!fades() || (step == 0 && h0 == nullptr)) return previous_rows(cell, step, begin, end, out);
    for (std::int64_t i = begin; i < end; ++i) *out++ = faded.at(*plan, i, step);
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

namespace {

// A forward step with everything that the steps of a cell share.
template <class Real>
ForwardStep<Real> common_step(const Cell<Real>& cell) {
    const Network<Real>& network = *cell.network;
    const CellLayout& layout = network.layout().cells[static_cast<std::size_t>(cell.index())];
    ForwardStep<Real> step;
    step.shape = cell.shape();
    step.w = network.packed() + layout.w;
    step.u = network.packed() + layout.u;
    step.bias = layout.bias < 0 ? nullptr : network.packed() + layout.bias;
    step.part.panel_end = step.shape.panels;
    return step;
}

// Scratch of reset_after=False: r * h of one group's rows a thread, and r, z, n where no gates are kept.
template <class Real>
class ResetBeforeScratch {
public:
    ResetBeforeScratch(const Cell<Real>& cell, bool keeps_gates, std::int64_t threads, std::int64_t group)
        : rows_(group), unit_(cell.shape().slots() * cell.network->kernels().width), padded_(cell.padded_hidden()) {
        if (cell.network->config().reset_after) return;
        reset_states_.resize(threads * rows_ * padded_);
        if (!keeps_gates) gates_.resize(threads * rows_ * unit_ * cell.shape().panels);
    }

    void give(ForwardStep<Real>& step, int thread) {
        if (step.shape.reset_after) return;
        step.reset_state = reset_states_.data() + thread * rows_ * padded_;
        step.gates = gates_.data() + thread * rows_ * unit_ * step.shape.panels;
        step.gates_panel = rows_ * unit_;
    }

private:
    std::int64_t rows_, unit_, padded_;
    Buffer<Real> gates_, reset_states_;
};

// Where the faded states of one group's rows go, a thread, if they are not kept.
template <class Real>
class FadedScratch {
public:
    FadedScratch(const Cell<Real>& cell, const CellData<Real>& data, std::int64_t threads, std::int64_t group)
        : size_(group * cell.network->config().hidden_size) {
        if (data.fades() && data.faded.base == nullptr) states_.resize(threads * size_);
    }

    [[nodiscard]] Real* of(int thread) { return states_.size() == 0 ? nullptr : states_.data() + thread * size_; }

private:
    std::int64_t size_;
    Buffer<Real> states_;
};

// Some rows of a cell through all steps, or their part of some panels.
template <class Real>
class ForwardRows {
public:
    // gates null: not kept.
    ForwardRows(const Cell<Real>& cell, const CellData<Real>& data, const GateStore<Real>* gates)
        : cell_(cell), data_(data), plan_(*data.plan), kernels_(cell.network->kernels()), gates_(gates) {}

    // Rows [begin, begin + size). faded: of FadedScratch. meet() is called whenever other panels are needed.
    template <class Meet>
    void run(ForwardStep<Real> step, std::int64_t begin, std::int64_t size, Real* faded, const Meet& meet) const {
        const Real* x[kMaxGroup];
        const Real* h[kMaxGroup];
        Real* out[kMaxGroup];
        step.x = x;
        step.out = out;
        const StepPart own = step.part;
        const bool shared = own.panel_end - own.panel_begin < step.shape.panels;
        const bool ahead_pays = std::min(begin + size, plan_.active[0]) - begin < kFewRows &&
                                step.shape.hidden * (step.shape.inputs + step.shape.hidden) > kFitsL1;
        InputsAhead ahead;
        for (std::int64_t t = 0; t < plan_.steps; ++t) {
            const std::int64_t end = std::min(begin + size, plan_.active[static_cast<std::size_t>(t)]);
            if (end <= begin) break;
            data_.input_rows(cell_, t, begin, end, x);
            data_.state_rows(cell_, t, begin, end, out);
            step.h = data_.previous_rows(cell_, t, begin, end, h) ? h : nullptr;
            if (data_.fades() && step.h != nullptr) fade(t, begin, end, h, faded);
            step.rows = end - begin;
            if (gates_ != nullptr) {
                const auto place = gates_->at(t, begin);
                step.gates = place.gates;
                step.gates_panel = place.panel;
            }
            if (shared && step.h != nullptr) {
                for (std::int64_t i = 0; i < step.rows; ++i) fetch(h[i], step.shape.hidden);
            }
            step.part = own;
            if (ahead_pays) take_ahead(step, ahead, t, begin, kFewRows - 1);
            step.part.second_phase = step.shape.reset_after;
            kernels_.forward_step(step);
            meet();
            if (step.shape.reset_after) continue;
            step.part = own;
            step.part.first_phase = false;
            kernels_.forward_step(step);
            meet();
        }
    }

private:
    // With so few rows, a step streams all of W for a handful of products: for more steps at once W is read once.
    static constexpr std::int64_t kFewRows = 4;
    static constexpr std::int64_t kFitsL1 = 4 * 1024;  // weights of a gate; all then stay there
    static constexpr std::int64_t kAhead = 16;  // row-steps: two tiles, and no more than the L1 has room for

    // The states h fade; then h are where they have.
    void fade(std::int64_t t, std::int64_t begin, std::int64_t end, const Real** h, Real* scratch) const {
        const Real* gaps[kMaxGroup];
        Real* out[kMaxGroup];
        for (std::int64_t i = begin; i < end; ++i) {
            out[i - begin] = scratch == nullptr ? data_.faded.at(plan_, i, t)
                                                : scratch + (i - begin) * cell_.network->config().hidden_size;
        }
        data_.gap_rows(t, begin, end, gaps);
        DecayStates<Real> decay = decay_of_states(*cell_.network, end - begin, gaps);
        decay.h = h;
        decay.out = out;
        kernels_.decay_states(decay);
        std::copy_n(out, end - begin, h);
    }

    // Biases and W x of the next steps.
    struct InputsAhead {
        Buffer<Real> values;    // [panel][kAhead][3][V]
        std::int64_t next = 0;  // the first step that is not made
        std::int64_t used = 0;  // row-steps before the current step
    };

    void take_ahead(ForwardStep<Real>& step, InputsAhead& ahead, std::int64_t t, std::int64_t begin,
                    std::int64_t size) const {
        const std::int64_t unit = 3 * kernels_.width;
        if (t == ahead.next) {
            InputProduct<Real> product;
            const Real* x[kAhead];
            while (ahead.next < plan_.steps && product.rows + size <= kAhead) {
                const std::int64_t end = std::min(begin + size, plan_.active[static_cast<std::size_t>(ahead.next)]);
                if (end <= begin) break;
                data_.input_rows(cell_, ahead.next++, begin, end, x + product.rows);
                product.rows += end - begin;
            }
            product.shape = step.shape;
            product.w = step.w;
            product.bias = step.bias;
            product.x = x;
            product.panel_begin = step.part.panel_begin;
            product.panel_end = step.part.panel_end;
            product.out = ahead.values.resize(step.shape.panels * kAhead * unit);
            product.out_panel = kAhead * unit;
            kernels_.input_product(product);
            ahead.used = 0;
        }
        step.inputs = ahead.values.data() + ahead.used * unit;
        step.inputs_panel = kAhead * unit;
        ahead.used += step.rows;
    }

    const Cell<Real>& cell_;
    const CellData<Real>& data_;
    const BatchPlan& plan_;
    const KernelTable<Real>& kernels_;
    const GateStore<Real>* gates_;
};

}  // namespace

template <class Real>
void forward_cell(const Cell<Real>& cell, const CellData<Real>& data, const GateStore<Real>* gates, int n_jobs) {
    const BatchPlan& plan = *data.plan;
    if (plan.steps == 0) return;
    const bool keeps_gates = gates != nullptr && gates->keeps_all();
    const ForwardStep<Real> common = common_step(cell);
    const int threads = worthwhile_threads(n_jobs, multiply_adds(common.shape, plan.row_steps()));
    // All panels of a state fade together: such rows are not shared by panels.
    const int members = data.fades() ? 1 : team_size(common.shape, plan.active[0], threads);
    const std::int64_t group = members > 1 ? plan.active[0] : group_size(common.shape, plan, threads);
    ResetBeforeScratch<Real> scratch(cell, keeps_gates, threads, group);
    FadedScratch<Real> faded(cell, data, threads, group);
    const ForwardRows<Real> rows(cell, data, keeps_gates ? gates : nullptr);
    if (members > 1) {
        in_team(members, [&](Team& team, int thread) {
            ForwardStep<Real> step = common;
            scratch.give(step, 0);
            step.part = team_part(common.shape, team, thread);
            rows.run(step, 0, group, nullptr, [&] { team.meet(thread); });
        });
        return;
    }
    const std::int64_t groups = (plan.active[0] + group - 1) / group;
    const bool even_lengths = plan.active[0] == plan.active[static_cast<std::size_t>(plan.steps - 1)];
    const std::vector<std::int64_t> order =
        even_lengths || threads == 1 ? std::vector<std::int64_t>() : dealt_to_and_fro(groups, threads);
    parallel_for(threads, groups, [&](std::int64_t item, int thread) {
        ForwardStep<Real> step = common;
        scratch.give(step, thread);
        const std::int64_t begin = (order.empty() ? item : order[static_cast<std::size_t>(item)]) * group;
        rows.run(step, begin, group, faded.of(thread), [] {});
    });
}

// The gates of row-steps [begin, end) of one chunk, all with or all without a previous state.
template <class Real>
static void remake_row_steps(const Cell<Real>& cell, const CellData<Real>& data, const GateStore<Real>& gates,
                             ForwardStep<Real> step, std::int64_t begin, std::int64_t end, Real* unused) {
    const BatchPlan& plan = *data.plan;
    const Real* x[kMaxGroup];
    const Real* h[kMaxGroup];
    Real* out[kMaxGroup];
    RowStep at = plan.row_step(begin);
    const auto place = gates.at(at.step, at.row);
    bool has_state = true;
    for (std::int64_t i = 0; i < end - begin; ++i, at = plan.next(at)) {
        data.input_rows(cell, at.step, at.row, at.row + 1, x + i);
        has_state = data.entering_rows(cell, at.step, at.row, at.row + 1, h + i);
        out[i] = unused;
    }
    step.rows = end - begin;
    step.x = x;
    step.h = has_state ? h : nullptr;
    step.out = out;
    step.gates = place.gates;
    step.gates_panel = place.panel;
    cell.network->kernels().forward_step(step);
}

template <class Real>
void remake_gates(const Cell<Real>& cell, const CellData<Real>& data, const GateStore<Real>& gates, std::int64_t begin,
                  std::int64_t end, int n_jobs) {
    // The states are known, so the steps do not wait for each other: any row-steps of a chunk make a tile.
    const BatchPlan& plan = *data.plan;
    std::vector<std::int64_t> cuts;  // into calls, by row-steps
    for (std::int64_t t = begin; t < end;) {
        const Chunks::Chunk& chunk = gates.chunks->of_step(t);
        const std::int64_t first = plan.offset[static_cast<std::size_t>(chunk.begin)];
        const std::int64_t last = plan.offset[static_cast<std::size_t>(chunk.end)];
        for (std::int64_t i = first; i < last; i += kMaxGroup) cuts.push_back(i);
        // The first step has no state; its row-steps are calls of their own.
        if (chunk.begin == 0) cuts.push_back(plan.offset[1]);
        t = chunk.end;
    }
    cuts.push_back(plan.offset[static_cast<std::size_t>(end)]);
    std::sort(cuts.begin(), cuts.end());

    const ForwardStep<Real> common = common_step(cell);
    const int threads = worthwhile_threads(n_jobs, multiply_adds(common.shape, cuts.back() - cuts.front()));
    ResetBeforeScratch<Real> scratch(cell, true, threads, kMaxGroup);
    Buffer<Real> unused(threads * cell.padded_hidden());  // the states come out once more
    parallel_for(threads, static_cast<std::int64_t>(cuts.size()) - 1, [&](std::int64_t i, int thread) {
        const std::int64_t from = cuts[static_cast<std::size_t>(i)];
        const std::int64_t to = cuts[static_cast<std::size_t>(i) + 1];
        if (from == to) return;
        ForwardStep<Real> step = common;
        scratch.give(step, thread);
        remake_row_steps(cell, data, gates, step, from, to, unused.data() + thread * cell.padded_hidden());
    });
}

template struct Cell<float>;
template struct CellData<float>;
template DecayStates<float> decay_of_states(const Network<float>&, std::int64_t, const float* const*);
template void forward_cell(const Cell<float>&, const CellData<float>&, const GateStore<float>*, int);
template void remake_gates(const Cell<float>&, const CellData<float>&, const GateStore<float>&, std::int64_t,
                           std::int64_t, int);
template struct Cell<double>;
template struct CellData<double>;
template DecayStates<double> decay_of_states(const Network<double>&, std::int64_t, const double* const*);
template void forward_cell(const Cell<double>&, const CellData<double>&, const GateStore<double>*, int);
template void remake_gates(const Cell<double>&, const CellData<double>&, const GateStore<double>&, std::int64_t,
                           std::int64_t, int);

}  // namespace grulearn
