#include <algorithm>

#include "cell_pass.hpp"
#include "norm_step.hpp"
#include "state_hooks.hpp"
#include "thread_pool.hpp"

namespace grulearn {

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

// Where the faded and the masked states of one group's rows go, a thread, if they are not kept.
template <class Real>
class StateScratch {
public:
    StateScratch(const Cell<Real>& cell, const CellData<Real>& data, std::int64_t threads, std::int64_t group)
        : size_(group * cell.network->config().hidden_size) {
        if (data.fades() && data.faded.base == nullptr) faded_.resize(threads * size_);
        if (data.drops_recurrent() && data.masked.base == nullptr) masked_.resize(threads * size_);
    }

    struct Places {
        Real *faded, *masked;  // null: they are kept
    };
    [[nodiscard]] Places of(int thread) {
        const auto part = [&](Buffer<Real>& all) { return all.size() == 0 ? nullptr : all.data() + thread * size_; };
        return {part(faded_), part(masked_)};
    }

private:
    std::int64_t size_;
    Buffer<Real> faded_, masked_;
};

// Scratch of layer normalisation, a thread.
template <class Real>
class NormScratch {
public:
    NormScratch(const Cell<Real>& cell, std::int64_t threads) : size_(norm_scratch_size(cell) + kScales) {
        if (cell.normalises()) values_.resize(threads * size_);
    }

    [[nodiscard]] Real* of(int thread) { return values_.size() == 0 ? nullptr : values_.data() + thread * size_; }
    // Part of it, where scales are not kept.
    [[nodiscard]] static Real* scales(const Cell<Real>& cell, Real* scratch) {
        return scratch + norm_scratch_size(cell);
    }

private:
    static constexpr std::int64_t kScales = 6 * kMaxGroup;
    std::int64_t size_;
    Buffer<Real> values_;
};

// Some rows of a cell through all steps, or their part of some panels.
template <class Real>
class ForwardRows {
public:
    // gates null: not kept.
    ForwardRows(const Cell<Real>& cell, const CellData<Real>& data, const GateStore<Real>* gates)
        : cell_(cell),
          data_(data),
          plan_(*data.plan),
          kernels_(cell.network->kernels()),
          gates_(gates),
          hooks_(cell, data) {}

    // Rows [begin, begin + size). meet() is called whenever other panels are needed.
    template <class Meet>
    void run(ForwardStep<Real> step, std::int64_t begin, std::int64_t size,
             const typename StateScratch<Real>::Places& scratch, Real* norm, const Meet& meet) const {
        const Real* x[kMaxGroup];
        const Real* h[kMaxGroup];
        const Real* masked[kMaxGroup];
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
            if (data_.fades() && step.h != nullptr) fade(t, begin, end, h, scratch.faded);
            step.mixed = step.h;
            step.rows = end - begin;
            if (data_.drops_recurrent() && step.h != nullptr) {
                hooks_.mask_states(t, begin, end, own, h, scratch.masked, masked);
                step.h = masked;
                meet();
            }
            if (gates_ != nullptr) {
                const auto place = gates_->at(t, begin);
                step.gates = place.gates;
                step.gates_panel = place.panel;
            }
            if (shared && step.h != nullptr) {
                for (std::int64_t i = 0; i < step.rows; ++i) fetch(step.h[i], step.shape.hidden);
            }
            step.part = own;
            if (ahead_pays) take_ahead(step, ahead, t, begin, kFewRows - 1);
            step.part.second_phase = step.shape.reset_after;
            if (norm == nullptr) {
                kernels_.forward_step(step);
            } else {
                const std::int64_t number = plan_.offset[static_cast<std::size_t>(t)] + begin;
                norm_step(cell_, step, norm,
                          data_.scales == nullptr ? NormScratch<Real>::scales(cell_, norm) : data_.scales + number * 6);
            }
            if (!step.shape.reset_after) {
                meet();
                step.part = own;
                step.part.first_phase = false;
                kernels_.forward_step(step);
            }
            if (hooks_.zones()) hooks_.zone_out(t, begin, end, own, step.mixed, out);
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
            product.bias = cell_.normalises() ? nullptr : step.bias;
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
    StateHooks<Real> hooks_;
};

}  // namespace

template <class Real>
void forward_cell(const Cell<Real>& cell, const CellData<Real>& data, const GateStore<Real>* gates, int n_jobs) {
    const BatchPlan& plan = *data.plan;
    if (plan.steps == 0) return;
    const bool keeps_gates = gates != nullptr && gates->keeps_all();
    const ForwardStep<Real> common = common_step(cell);
    const int threads = worthwhile_threads(n_jobs, multiply_adds(common.shape, plan.row_steps()));
    // All panels of a state fade together, and are normalised together: such rows are not shared by panels.
    const int members = data.fades() || cell.normalises() ? 1 : team_size(common.shape, plan.active[0], threads);
    const std::int64_t group = members > 1 ? plan.active[0] : group_size(common.shape, plan, threads);
    ResetBeforeScratch<Real> scratch(cell, keeps_gates, threads, group);
    StateScratch<Real> states(cell, data, threads, group);
    NormScratch<Real> norm(cell, threads);
    const ForwardRows<Real> rows(cell, data, keeps_gates ? gates : nullptr);
    if (members > 1) {
        in_team(members, [&](Team& team, int thread) {
            ForwardStep<Real> step = common;
            scratch.give(step, 0);
            step.part = team_part(common.shape, team, thread);
            rows.run(step, 0, group, states.of(0), nullptr, [&] { team.meet(thread); });
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
        rows.run(step, begin, group, states.of(thread), norm.of(thread), [] {});
    });
}

// The gates of row-steps [begin, end) of one chunk, all with or all without a previous state.
template <class Real>
static void remake_row_steps(const Cell<Real>& cell, const CellData<Real>& data, const GateStore<Real>& gates,
                             ForwardStep<Real> step, std::int64_t begin, std::int64_t end, Real* unused, Real* norm) {
    const BatchPlan& plan = *data.plan;
    const Real* x[kMaxGroup];
    const Real* h[kMaxGroup];
    Real* out[kMaxGroup];
    RowStep at = plan.row_step(begin);
    const auto place = gates.at(at.step, at.row);
    bool has_state = true;
    for (std::int64_t i = 0; i < end - begin; ++i, at = plan.next(at)) {
        data.input_rows(cell, at.step, at.row, at.row + 1, x + i);
        has_state = data.product_rows(cell, at.step, at.row, at.row + 1, h + i);
        out[i] = unused;
    }
    step.rows = end - begin;
    step.x = x;
    step.h = step.mixed = has_state ? h : nullptr;
    step.out = out;
    step.gates = place.gates;
    step.gates_panel = place.panel;
    if (norm == nullptr) return cell.network->kernels().forward_step(step);
    norm_step(cell, step, norm, data.scales + begin * 6);
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
    NormScratch<Real> norm(cell, threads);
    Buffer<Real> unused(threads * cell.padded_hidden());  // the states come out once more
    parallel_for(threads, static_cast<std::int64_t>(cuts.size()) - 1, [&](std::int64_t i, int thread) {
        const std::int64_t from = cuts[static_cast<std::size_t>(i)];
        const std::int64_t to = cuts[static_cast<std::size_t>(i) + 1];
        if (from == to) return;
        ForwardStep<Real> step = common;
        scratch.give(step, thread);
        remake_row_steps(cell, data, gates, step, from, to, unused.data() + thread * cell.padded_hidden(),
                         norm.of(thread));
    });
}

template void forward_cell(const Cell<float>&, const CellData<float>&, const GateStore<float>*, int);
template void remake_gates(const Cell<float>&, const CellData<float>&, const GateStore<float>&, std::int64_t,
                           std::int64_t, int);
template void forward_cell(const Cell<double>&, const CellData<double>&, const GateStore<double>*, int);
template void remake_gates(const Cell<double>&, const CellData<double>&, const GateStore<double>&, std::int64_t,
                           std::int64_t, int);

}  // namespace grulearn
