#include <algorithm>

#include "cell_pass.hpp"
#include "thread_pool.hpp"

namespace grulearn {

namespace {

// Steps [begin, end) whose gate gradients are made, and then summed into dW and dU while still in cache.
struct Chunk {
    std::int64_t begin, end;
};

// The chunk that ends at `end`: at least 192 row-steps, 768 for large H, where reading and writing dU costs more.
// It depends on the data's shape only, and so does the order of every sum.
Chunk chunk_before(const BatchPlan& plan, std::int64_t hidden, std::int64_t end) {
    const std::int64_t wanted = hidden <= 256 ? 192 : 768;
    Chunk chunk{end, end};
    std::int64_t row_steps = 0;
    while (chunk.begin > 0 && row_steps < wanted) row_steps += plan.active[static_cast<std::size_t>(--chunk.begin)];
    return chunk;
}

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
          row_(shape_.slots() * padded_),
          cell_size_(cell.network->layout().cells[static_cast<std::size_t>(cell.index())].size),
          threads_(worthwhile_threads(n_jobs, 2 * multiply_adds(shape_, plan_.row_steps()))),
          group_(group_size(plan_.rows, threads_)) {}

    void run() {
        for (std::int64_t end = plan_.steps; end > 0;) {
            const Chunk chunk = chunk_before(plan_, shape_.hidden, end);
            if (!shape_.reset_after) {
                scratch_.reset_states.resize((offset(chunk.end) - offset(chunk.begin)) * padded_);
            }
            const std::int64_t shards = chunk.end - chunk.begin > 1 ? 1 : shards_of(active(chunk.begin), cell_size_);
            if (shards > 1) {
                backward_in_shards(chunk, shards);
            } else {
                gate_gradients(chunk);
                parameter_gradients(chunk);
            }
            end = chunk.begin;
        }
        if (gradients_.want_h0) initial_state_gradient();
    }

private:
    [[nodiscard]] std::int64_t offset(std::int64_t step) const { return plan_.offset[static_cast<std::size_t>(step)]; }
    [[nodiscard]] std::int64_t active(std::int64_t step) const { return plan_.active[static_cast<std::size_t>(step)]; }

    [[nodiscard]] BackwardStep<Real> common_step() const {
        BackwardStep<Real> step;
        step.shape = shape_;
        step.u_t = gradients_.u_t;
        step.u_t_candidate = gradients_.u_t_candidate;
        step.gates_stride = row_;
        return step;
    }

    void gate_gradients(const Chunk& chunk) {
        parallel_for(threads_, (active(chunk.begin) + group_ - 1) / group_, [&](std::int64_t item, int) {
            for (std::int64_t t = chunk.end - 1; t >= chunk.begin; --t) {
                const std::int64_t begin = item * group_;
                backward_group(chunk, t, begin, std::min(begin + group_, active(t)));
            }
        });
    }

    void backward_group(const Chunk& chunk, std::int64_t t, std::int64_t begin, std::int64_t end) const {
        // Rows whose last step is t receive nothing from step t + 1, and begin with the gradient of their final state.
        const std::int64_t running = std::clamp(active(t + 1), begin, std::max(begin, end));
        if (begin < running) backward_rows(chunk, t, begin, running, true);
        if (running < end) backward_rows(chunk, t, running, end, false);
    }

    void backward_rows(const Chunk& chunk, std::int64_t t, std::int64_t begin, std::int64_t end, bool has_next) const {
        const Real* h[kMaxGroup];
        Real* d_out[kMaxGroup];
        BackwardStep<Real> step = common_step();
        step.rows = end - begin;
        step.gates = gradients_.gates + (offset(t) + begin) * row_;
        const Real* d_final[kMaxGroup];
        if (has_next) {
            step.next_gates = gradients_.gates + (offset(t + 1) + begin) * row_;
        } else {
            step.first = true;
            if (gradients_.final_states.base != nullptr) {
                for (std::int64_t i = begin; i < end; ++i) d_final[i - begin] = gradients_.final_states.at(i);
                step.d_final = d_final;
            }
        }
        if (data_.previous_rows(cell_, t, begin, end, h)) {
            step.h = h;
        } else if (!gradients_.want_h0) {
            step.u_t_candidate = nullptr;
        }
        if (gradients_.d_states.base != nullptr) {
            for (std::int64_t i = begin; i < end; ++i) {
                d_out[i - begin] = gradients_.d_states.at(plan_, i, cell_.position(plan_, i, t));
            }
            step.d_out = d_out;
        }
        step.carry = gradients_.carry + begin * padded_;
        if (!shape_.reset_after) {
            step.reset_state = scratch_.reset_states.data() + (offset(t) - offset(chunk.begin) + begin) * padded_;
        }
        cell_.network->kernels().backward_step(step);
    }

    void initial_state_gradient() {
        const std::int64_t rows = plan_.steps == 0 ? 0 : active(0);
        for (std::int64_t i = rows; i < plan_.rows; ++i) {  // sequences without steps
            Real* to = gradients_.carry + i * padded_;
            if (gradients_.final_states.base == nullptr) {
                std::fill_n(to, shape_.hidden, Real{0});
            } else {
                std::copy_n(gradients_.final_states.at(i), shape_.hidden, to);
            }
        }
        parallel_for(threads_, (rows + group_ - 1) / group_, [&](std::int64_t item, int) {
            const std::int64_t begin = item * group_;
            BackwardStep<Real> step = common_step();
            step.rows = std::min(group_, rows - begin);
            step.next_gates = gradients_.gates + begin * row_;
            step.carry = gradients_.carry + begin * padded_;
            cell_.network->kernels().backward_step(step);
        });
    }

    // Makes room for pointers to the inputs and previous states of a chunk's row-steps.
    void resize_row_pointers(const Chunk& chunk) {
        const auto count = static_cast<std::size_t>(offset(chunk.end) - offset(chunk.begin));
        scratch_.inputs.resize(count);
        scratch_.previous.resize(count);
        if (!shape_.reset_after) scratch_.resets.resize(count);
    }

    // Fills them in for rows [begin, end) of step t; a first step may have no previous states.
    void collect_rows(const Chunk& chunk, std::int64_t t, std::int64_t begin, std::int64_t end) const {
        const std::int64_t at = offset(t) - offset(chunk.begin) + begin;
        data_.input_rows(cell_, t, begin, end, scratch_.inputs.data() + at);
        data_.previous_rows(cell_, t, begin, end, scratch_.previous.data() + at);
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

        // The same for the row-steps [begin, end) of the chunk, of which the first `skipped` have no previous state;
        // `out` stands in for d_parameters + the cell's first parameter.
        [[nodiscard]] Sums part(std::int64_t begin, std::int64_t end, std::int64_t skipped, Real* out) const {
            Sums own = *this;
            own.w.gates += begin * w.gates_stride;
            own.w.inputs += begin;
            own.w.count = end - begin;
            own.bias.gates += begin * w.gates_stride;
            own.bias.count = end - begin;
            const std::int64_t first = std::max(begin, skipped);
            for (WeightGradient<Real>& each : own.u) {
                each.gates += first * w.gates_stride;
                if (each.inputs != nullptr) each.inputs += first;
                each.count = std::max<std::int64_t>(0, end - first);
                each.out = out + (each.out - w.out);
            }
            if (bias.out != nullptr) own.bias.out = out + (bias.out - w.out);
            own.w.out = out;
            return own;
        }
    };

    [[nodiscard]] Sums sums_of(const Chunk& chunk) {
        resize_row_pointers(chunk);
        const CellLayout& layout = cell_.network->layout().cells[static_cast<std::size_t>(cell_.index())];
        Sums sums;
        sums.w.shape = shape_;
        sums.w.gates = gradients_.gates + offset(chunk.begin) * row_;
        sums.w.gates_stride = row_;
        sums.w.inputs = scratch_.inputs.data();
        sums.w.n_inputs = shape_.inputs;
        sums.w.out = gradients_.d_parameters + layout.w;

        sums.u[0] = sums.w;
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
        sums.bias.gates = sums.w.gates;
        sums.bias.gates_stride = row_;
        if (layout.bias >= 0) sums.bias.out = gradients_.d_parameters + layout.bias;
        return sums;
    }

    void parameter_gradients(const Chunk& chunk) {
        const Sums sums = sums_of(chunk);
        for (std::int64_t t = chunk.begin; t < chunk.end; ++t) collect_rows(chunk, t, 0, active(t));
        const std::int64_t count = offset(chunk.end) - offset(chunk.begin);
        const int threads = worthwhile_threads(threads_, multiply_adds(shape_, count));
        sum_by_panel(sums.part(0, count, without_state(chunk), sums.w.out), threads);
    }

    // Row-steps of a chunk that have no previous state and add nothing to dU.
    [[nodiscard]] std::int64_t without_state(const Chunk& chunk) const {
        return chunk.begin == 0 && data_.h0 == nullptr ? active(0) : 0;
    }

    // A chunk of one step with many rows: each shard of rows goes all the way, with sums of its own.
    void backward_in_shards(const Chunk& chunk, std::int64_t shards) {
        const Sums sums = sums_of(chunk);
        const std::int64_t rows = active(chunk.begin);
        const std::int64_t skipped = without_state(chunk);
        Real* partial = scratch_.shards.resize(shards * cell_size_);
        // dU stands between the others and gets nothing from a first step.
        const std::int64_t u_begin = sums.u[0].out - sums.w.out;
        const std::int64_t u_end = u_begin + (skipped < rows ? 0 : 3 * shape_.hidden * padded_);
        parallel_for(threads_, shards, [&](std::int64_t shard, int) {
            const std::int64_t begin = rows * shard / shards;
            const std::int64_t end = rows * (shard + 1) / shards;
            for (std::int64_t i = begin; i < end; i += kMaxGroup) {
                backward_group(chunk, chunk.begin, i, std::min(end, i + kMaxGroup));
            }
            collect_rows(chunk, chunk.begin, begin, end);
            Real* out = partial + shard * cell_size_;
            std::fill(out, out + u_begin, Real{0});
            std::fill(out + u_end, out + cell_size_, Real{0});
            sum_by_panel(sums.part(begin, end, skipped, out), 1);
        });
        for (std::int64_t shard = 0; shard < shards; ++shard) {
            const Real* from = partial + shard * cell_size_;
            for (std::int64_t i = 0; i < u_begin; ++i) sums.w.out[i] += from[i];
            for (std::int64_t i = u_end; i < cell_size_; ++i) sums.w.out[i] += from[i];
        }
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

    const Cell<Real>& cell_;
    const CellData<Real>& data_;
    const BatchPlan& plan_;
    const CellGradients<Real>& gradients_;
    BackwardScratch<Real>& scratch_;
    const CellShape shape_;
    const std::int64_t padded_;
    const std::int64_t row_;        // scalars of gates a row-step
    const std::int64_t cell_size_;  // scalars of its packed parameters
    const int threads_;
    const std::int64_t group_;
};

}  // namespace

template <class Real>
void backward_cell(const Cell<Real>& cell, const CellData<Real>& data, const CellGradients<Real>& gradients,
                   BackwardScratch<Real>& scratch, int n_jobs) {
    BackwardCell<Real>(cell, data, gradients, scratch, n_jobs).run();
}

template <class Real>
void input_gradient_of_cell(const Cell<Real>& cell, const BatchPlan& plan, const Real* gates, const Real* w_t,
                            const RowSpace<Real>& d_inputs, bool add, int n_jobs) {
    const CellShape shape = cell.shape();
    const std::int64_t row = shape.slots() * cell.padded_hidden();
    const std::int64_t total = plan.row_steps();
    const int threads = worthwhile_threads(n_jobs, total * 3 * shape.hidden * shape.inputs);
    parallel_for(threads, (total + kMaxGroup - 1) / kMaxGroup, [&](std::int64_t item, int) {
        const Real* from[kMaxGroup];
        Real* to[kMaxGroup];
        const std::int64_t begin = item * kMaxGroup;
        const std::int64_t end = std::min(begin + kMaxGroup, total);
        // The step of the first row-step, then on from there.
        auto t = std::upper_bound(plan.offset.begin(), plan.offset.end(), begin) - plan.offset.begin() - 1;
        for (std::int64_t i = begin; i < end; ++i) {
            while (i >= plan.offset[static_cast<std::size_t>(t) + 1]) ++t;
            const std::int64_t r = i - plan.offset[static_cast<std::size_t>(t)];
            from[i - begin] = gates + i * row;
            to[i - begin] = d_inputs.at(plan, r, cell.position(plan, r, t));
        }
        InputGradient<Real> step;
        step.shape = shape;
        step.rows = end - begin;
        step.w_t = w_t;
        step.gates = from;
        step.dx = to;
        step.add = add;
        cell.network->kernels().input_gradient(step);
    });
}

template void backward_cell(const Cell<float>&, const CellData<float>&, const CellGradients<float>&,
                            BackwardScratch<float>&, int);
template void input_gradient_of_cell(const Cell<float>&, const BatchPlan&, const float*, const float*,
                                     const RowSpace<float>&, bool, int);
template void backward_cell(const Cell<double>&, const CellData<double>&, const CellGradients<double>&,
                            BackwardScratch<double>&, int);
template void input_gradient_of_cell(const Cell<double>&, const BatchPlan&, const double*, const double*,
                                     const RowSpace<double>&, bool, int);

}  // namespace grulearn
