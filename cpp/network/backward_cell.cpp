#include <algorithm>

#include "cell_pass.hpp"
#include "chunk_sums.hpp"
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
          places_(cell, gradients, scratch),
          sums_(cell, data, gradients, places_, scratch, threads_),
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
            places_.resize(chunk);
            gate_gradients(chunk);
            sums_.add_parameter_gradients(chunk);
            if (gradients_.d_inputs.base != nullptr) sums_.input_gradients(chunk);
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
        const auto place = places_.at(chunk, GradientBy::states, t, begin);
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
        norm.d_gates = places_.at(chunk, GradientBy::gates, t, begin).gates;
        norm.d_inputs = places_.at(chunk, GradientBy::inputs, t, begin).gates;
        norm.d_states = places_.at(chunk, GradientBy::states, t, begin).gates;
        norm.panel = places_.at(chunk, GradientBy::gates, t, begin).panel;
        cell_.network->kernels().norm_gradient(norm);
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
    ChunkPlaces<Real> places_;
    ChunkSums<Real> sums_;
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
