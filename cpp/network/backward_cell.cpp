#include <algorithm>

#include "cell_pass.hpp"
#include "state_hooks.hpp"
#include "thread_pool.hpp"

namespace grulearn {

namespace {

using Chunk = Chunks::Chunk;

// One backward pass over a cell.
template <class Real>
class BackwardCell {
public:
    BackwardCell(const Cell<Real>& cell, const CellData<Real>& data, const CellGradients<Real>& gradients,
                 BackwardScratch<Real>& scratch, int n_jobs)
        : cell_(cell),
          data_(data),
          plan_(*data.plan),
          gradients_(gradients),
          scratch_(scratch),
          shape_(cell.shape()),
          padded_(cell.padded_hidden()),
          width_(cell.network->kernels().width),
          n_jobs_(n_jobs),
          threads_(worthwhile_threads(n_jobs, 2 * multiply_adds(shape_, plan_.row_steps()))),
          group_(group_size(shape_, plan_, threads_)),
          hooks_(cell, data),
          leaves_(data.fades() || hooks_.bypasses() || cell.normalises()) {}

    void run() {
        const Chunks& chunks = *gradients_.gates.chunks;
        std::int64_t made = chunks.segments();  // segments from here on have gates
        if (hooks_.bypasses()) scratch_.bypass.resize(plan_.rows * padded_);
        for (std::int64_t i = chunks.size() - 1; i >= 0; --i) {
            const Chunk& chunk = chunks[i];
            if (!gradients_.gates.keeps_all() && chunk.segment < made) {
                made = chunk.segment;
                remake_gates(cell_, data_, gradients_.gates, chunks.segment_begin(made), chunks.segment_begin(made + 1),
                             n_jobs_);
            }
            if (!shape_.reset_after) {
                scratch_.reset_states.resize((offset(chunk.end) - offset(chunk.begin)) * padded_);
            }
            if (cell_.normalises()) {
                scratch_.norm.resize(3 * (offset(chunk.end) - offset(chunk.begin)) * shape_.panels * kUnit * width_);
            }
            gate_gradients(chunk);
            parameter_gradients(chunk);
            if (gradients_.d_inputs.base != nullptr) input_gradients(chunk);
        }
        if (gradients_.want_h0) initial_state_gradient();
    }

private:
    [[nodiscard]] std::int64_t offset(std::int64_t step) const { return plan_.offset[static_cast<std::size_t>(step)]; }
    [[nodiscard]] std::int64_t active(std::int64_t step) const { return plan_.active[static_cast<std::size_t>(step)]; }

    [[nodiscard]] BackwardStep<Real> common_step() const {
        BackwardStep<Real> step;
        step.shape = shape_;
        step.part.panel_end = shape_.panels;
        step.u_t = gradients_.u_t;
        step.u_t_candidate = gradients_.u_t_candidate;
        step.carry_panel = plan_.rows * cell_.network->kernels().width;
        return step;
    }

    void gate_gradients(const Chunk& chunk) {
        const std::int64_t rows = active(chunk.begin);
        if (data_.fades()) scratch_.d_rates.resize((offset(chunk.end) - offset(chunk.begin)) * padded_);
        if (const int members = data_.fades() || cell_.normalises() ? 1 : team_size(shape_, rows, threads_);
            members > 1) {
            in_team(members, [&](Team& team, int thread) {
                backward_group(chunk, 0, rows, team_part(shape_, team, thread), [&] { team.meet(thread); });
            });
            return;
        }
        const StepPart whole{0, shape_.panels};
        parallel_for(threads_, (rows + group_ - 1) / group_,
                     [&](std::int64_t item, int) { backward_group(chunk, item * group_, group_, whole, [] {}); });
    }

    // Rows [begin, begin + size), or their part of some panels, through the steps of a chunk. meet() is called whenever
    // other panels are needed.
    template <class Meet>
    void backward_group(const Chunk& chunk, std::int64_t begin, std::int64_t size, StepPart part,
                        const Meet& meet) const {
        for (std::int64_t t = chunk.end - 1; t >= chunk.begin; --t) {
            const std::int64_t end = std::min(begin + size, active(t));
            // Rows whose last step is t receive nothing from step t + 1, and begin with the gradient of their final
            // state.
            const std::int64_t running = std::clamp(active(t + 1), begin, std::max(begin, end));
            for (const bool first_phase : {true, false}) {
                if (!first_phase && shape_.reset_after) break;
                part.first_phase = first_phase;
                part.second_phase = !first_phase;
                if (begin < running) backward_rows(chunk, t, begin, running, true, part);
                if (running < end) backward_rows(chunk, t, running, end, false, part);
                meet();
            }
            if (leaves_ && begin < end) leave_step(chunk, t, begin, end, part);
        }
    }

    // Where states fade, are dropped or kept: makes carry the gradient by the states before step t here, and not at the
    // beginning of step t - 1; and that by the rates.
    void leave_step(const Chunk& chunk, std::int64_t t, std::int64_t begin, std::int64_t end, StepPart part) const {
        const Real* faded[kMaxGroup];
        const Real* gaps[kMaxGroup];
        if (!data_.entering_rows(cell_, t, begin, end, faded) && !gradients_.want_h0) return;
        BackwardStep<Real> sum = common_step();
        part.first_phase = true;
        sum.part = part;
        sum.rows = end - begin;
        const auto place = gradient_place(chunk, by_states, t, begin);
        sum.next_gates = place.gates;
        sum.next_panel = place.panel;
        sum.carry = gradients_.carry + begin * width_;
        if (part.panel_end - part.panel_begin < shape_.panels) fetch_gates(place, sum.rows);
        cell_.network->kernels().backward_step(sum);
        if (hooks_.bypasses()) hooks_.leave(begin, end, way(begin, end, part));
        if (!data_.fades()) return;
        DecayStatesGradient<Real> decay;
        data_.gap_rows(t, begin, end, gaps);
        decay.forward = decay_of_states(*cell_.network, sum.rows, gaps);
        decay.faded = faded;
        decay.carry = sum.carry;
        decay.carry_panel = sum.carry_panel;
        decay.d_rates = scratch_.d_rates.data() + (offset(t) - offset(chunk.begin) + begin) * padded_;
        cell_.network->kernels().decay_states_gradient(decay);
    }

    // Of all panels, before a product with all of them.
    void fetch_gates(const typename GateStore<Real>::Place& place, std::int64_t rows) const {
        for (std::int64_t panel = 0; panel < shape_.panels; ++panel) {
            fetch(place.gates + panel * place.panel, rows * gradients_.gates.unit);
        }
    }

    [[nodiscard]] BypassRows<Real> way(std::int64_t begin, std::int64_t end, const StepPart& part) const {
        return hooks_.way(begin, end - begin, part, gradients_.carry, scratch_.bypass.data());
    }

    void backward_rows(const Chunk& chunk, std::int64_t t, std::int64_t begin, std::int64_t end, bool has_next,
                       const StepPart& part) const {
        const Real* h[kMaxGroup];
        const Real* mixed[kMaxGroup];
        const Real* d_out[kMaxGroup];
        BackwardStep<Real> step = common_step();
        step.part = part;
        step.rows = end - begin;
        const auto place = gradients_.gates.at(t, begin);
        step.gates = place.gates;
        step.gates_panel = place.panel;
        const Real* d_final[kMaxGroup];
        if (has_next && !leaves_) {
            const auto next = gradients_.gates.at(t + 1, begin);
            step.next_gates = next.gates;
            step.next_panel = next.panel;
            if (part.first_phase && part.panel_end - part.panel_begin < shape_.panels) fetch_gates(next, step.rows);
        } else if (!has_next) {
            step.first = true;
            if (gradients_.final_states.base != nullptr) {
                for (std::int64_t i = begin; i < end; ++i) d_final[i - begin] = gradients_.final_states.at(i);
                step.d_final = d_final;
            }
        }
        if (data_.product_rows(cell_, t, begin, end, h)) {
            data_.entering_rows(cell_, t, begin, end, mixed);
            step.h = h;
            step.mixed = mixed;
        } else if (!gradients_.want_h0) {
            step.u_t_candidate = nullptr;
        }
        if (gradients_.d_states.base != nullptr) {
            for (std::int64_t i = begin; i < end; ++i) {
                d_out[i - begin] = gradients_.d_states.at(plan_, i, cell_.position(plan_, i, t));
            }
            step.d_out = d_out;
        }
        step.carry = gradients_.carry + begin * width_;
        if (!shape_.reset_after) {
            step.reset_state = scratch_.reset_states.data() + (offset(t) - offset(chunk.begin) + begin) * padded_;
        }
        if (part.first_phase && hooks_.bypasses()) hooks_.arrive(t, begin, end, way(begin, end, part), step);
        if (cell_.normalises()) {
            norm_gradient(chunk, t, begin, step);
        } else {
            cell_.network->kernels().backward_step(step);
        }
        if (part.first_phase && hooks_.bypasses()) hooks_.park(way(begin, end, part));
    }

    void norm_gradient(const Chunk& chunk, std::int64_t t, std::int64_t begin, const BackwardStep<Real>& step) const {
        const CellLayout& layout = cell_.network->layout().cells[static_cast<std::size_t>(cell_.index())];
        NormGradient<Real> norm;
        norm.shape = shape_;
        norm.rows = step.rows;
        norm.gain = cell_.network->packed() + layout.gain;
        if (layout.bias >= 0) norm.bias = cell_.network->packed() + layout.bias;
        norm.saved = step.gates;
        norm.saved_panel = step.gates_panel;
        norm.scales = data_.scales + (offset(t) + begin) * 6;
        norm.mixed = step.mixed;
        norm.first = step.first;
        norm.d_final = step.d_final;
        norm.d_out = step.d_out;
        norm.carry = step.carry;
        norm.carry_panel = step.carry_panel;
        norm.d_gates = gradient_place(chunk, by_gates, t, begin).gates;
        norm.d_inputs = gradient_place(chunk, by_inputs, t, begin).gates;
        norm.d_states = gradient_place(chunk, by_states, t, begin).gates;
        norm.panel = gradient_place(chunk, by_gates, t, begin).panel;
        cell_.network->kernels().norm_gradient(norm);
    }

    // Where gradients of a chunk's row-steps stand: by the gates' arguments, and by their products with W and U, which
    // without layer normalisation are the same.
    enum Gradients { by_gates, by_inputs, by_states };
    static constexpr std::int64_t kUnit = 4;  // slots of each with it
    [[nodiscard]] typename GateStore<Real>::Place gradient_place(const Chunk& chunk, Gradients which, std::int64_t t,
                                                                 std::int64_t begin) const {
        if (!cell_.normalises()) return gradients_.gates.at(t, begin);
        const std::int64_t panel = (offset(chunk.end) - offset(chunk.begin)) * kUnit * width_;
        Real* base = scratch_.norm.data() + which * panel * shape_.panels;
        return {base + (offset(t) - offset(chunk.begin) + begin) * kUnit * width_, panel};
    }

    void initial_state_gradient() {
        const std::int64_t rows = plan_.steps == 0 ? 0 : active(0);
        for (std::int64_t i = rows; i < plan_.rows; ++i) {  // sequences without steps
            for (std::int64_t k = 0; k < shape_.hidden; ++k) {
                Real* to = gradients_.carry + (k / width_ * plan_.rows + i) * width_ + k % width_;
                *to = gradients_.final_states.base == nullptr ? Real{0} : gradients_.final_states.at(i)[k];
            }
        }
        if (leaves_) return;  // carry has it
        parallel_for(threads_, (rows + group_ - 1) / group_, [&](std::int64_t item, int) {
            const std::int64_t begin = item * group_;
            BackwardStep<Real> step = common_step();
            step.rows = std::min(group_, rows - begin);
            const auto next = gradients_.gates.at(0, begin);
            step.next_gates = next.gates;
            step.next_panel = next.panel;
            step.carry = gradients_.carry + begin * width_;
            cell_.network->kernels().backward_step(step);
        });
    }

    // Makes room for pointers to the inputs and previous states of a chunk's row-steps.
    void resize_row_pointers(const Chunk& chunk) {
        const auto count = static_cast<std::size_t>(offset(chunk.end) - offset(chunk.begin));
        scratch_.inputs.resize(count);
        scratch_.previous.resize(count);
        if (!shape_.reset_after) scratch_.resets.resize(count);
        if (data_.fades()) scratch_.gaps.resize(count);
    }

    // Fills them in for rows [begin, end) of step t; a first step may have no previous states.
    void collect_rows(const Chunk& chunk, std::int64_t t, std::int64_t begin, std::int64_t end) const {
        const std::int64_t at = offset(t) - offset(chunk.begin) + begin;
        data_.input_rows(cell_, t, begin, end, scratch_.inputs.data() + at);
        data_.product_rows(cell_, t, begin, end, scratch_.previous.data() + at);
        if (data_.fades()) data_.gap_rows(t, begin, end, scratch_.gaps.data() + at);
        if (shape_.reset_after) return;
        for (std::int64_t i = at; i < at + end - begin; ++i) {
            scratch_.resets[static_cast<std::size_t>(i)] = scratch_.reset_states.data() + i * padded_;
        }
    }

    // What is summed over the row-steps of a chunk, and where to: all of dW, dU and the bias gradients.
    struct Sums {
        WeightGradient<Real> w;
        WeightGradient<Real> u[2];  // with reset_after=False the candidate reads r * h, the other gates h
        int n_u = 1;
        BiasGradient<Real> bias;
    };

    [[nodiscard]] Sums sums_of(const Chunk& chunk) {
        resize_row_pointers(chunk);
        const CellLayout& layout = cell_.network->layout().cells[static_cast<std::size_t>(cell_.index())];
        Sums sums;
        sums.w.shape = shape_;
        const auto place = gradient_place(chunk, by_inputs, chunk.begin, 0);
        sums.w.gates = place.gates;
        sums.w.gates_panel = place.panel;
        sums.w.inputs = scratch_.inputs.data();
        sums.w.n_inputs = shape_.inputs;
        sums.w.out = gradients_.d_parameters + layout.w;

        sums.u[0] = sums.w;
        sums.u[0].gates = gradient_place(chunk, by_states, chunk.begin, 0).gates;
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
        sums.bias.gates = gradient_place(chunk, by_gates, chunk.begin, 0).gates;
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

    void parameter_gradients(const Chunk& chunk) {
        const Sums sums = sums_of(chunk);
        for (std::int64_t t = chunk.begin; t < chunk.end; ++t) collect_rows(chunk, t, 0, active(t));
        const std::int64_t count = offset(chunk.end) - offset(chunk.begin);
        const int threads = worthwhile_threads(threads_, multiply_adds(shape_, count));
        sum_by_panel(sums, threads);
        if (data_.fades()) rate_gradients(chunk);
        if (cell_.normalises()) gain_gradients(chunk);
    }

    void gain_gradients(const Chunk& chunk) const {
        const CellLayout& layout = cell_.network->layout().cells[static_cast<std::size_t>(cell_.index())];
        const auto saved = gradients_.gates.at(chunk.begin, 0);
        NormGainGradient<Real> sums;
        sums.count = offset(chunk.end) - offset(chunk.begin);
        sums.d_gates = gradient_place(chunk, by_gates, chunk.begin, 0).gates;
        sums.panel = gradient_place(chunk, by_gates, chunk.begin, 0).panel;
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

    void rate_gradients(const Chunk& chunk) const {
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

    // Row-steps of a chunk that have no previous state and add nothing to dU.
    [[nodiscard]] std::int64_t without_state(const Chunk& chunk) const {
        return chunk.begin == 0 && data_.h0 == nullptr ? active(0) : 0;
    }

    // Each item owns a part of the output (one panel, some inputs), so no two threads add to the same sum.
    void sum_by_panel(const Sums& sums, int threads) const {
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

    void input_gradients(const Chunk& chunk) const {
        const std::int64_t first = offset(chunk.begin);
        const std::int64_t count = offset(chunk.end) - first;
        const auto place = gradient_place(chunk, by_inputs, chunk.begin, 0);
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

    const Cell<Real>& cell_;
    const CellData<Real>& data_;
    const BatchPlan& plan_;
    const CellGradients<Real>& gradients_;
    BackwardScratch<Real>& scratch_;
    const CellShape shape_;
    const std::int64_t padded_;
    const std::int64_t width_;
    const int n_jobs_;
    const int threads_;
    const std::int64_t group_;
    const StateHooks<Real> hooks_;
    const bool leaves_;  // leave_step is called
};

}  // namespace

template <class Real>
void backward_cell(const Cell<Real>& cell, const CellData<Real>& data, const CellGradients<Real>& gradients,
                   BackwardScratch<Real>& scratch, int n_jobs) {
    BackwardCell<Real>(cell, data, gradients, scratch, n_jobs).run();
}

template void backward_cell(const Cell<float>&, const CellData<float>&, const CellGradients<float>&,
                            BackwardScratch<float>&, int);
template void backward_cell(const Cell<double>&, const CellData<double>&, const CellGradients<double>&,
                            BackwardScratch<double>&, int);

}  // namespace grulearn
