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
class BackwardCell {
public:
    BackwardCell(const Cell& cell, const CellData& data, const CellGradients& gradients, BackwardScratch& scratch,
                 int n_jobs)
        : cell_(cell),
          data_(data),
          plan_(*data.plan),
          gradients_(gradients),
          scratch_(scratch),
          shape_(cell.shape()),
          padded_(cell.padded_hidden()),
          row_(shape_.slots() * padded_),
          threads_(worthwhile_threads(n_jobs, 2 * multiply_adds(shape_, plan_.row_steps()))),
          group_(group_size(plan_.rows, threads_)) {}

    void run() {
        for (std::int64_t end = plan_.steps; end > 0;) {
            const Chunk chunk = chunk_before(plan_, shape_.hidden, end);
            gate_gradients(chunk);
            parameter_gradients(chunk);
            end = chunk.begin;
        }
        if (gradients_.want_h0 && plan_.steps > 0) initial_state_gradient();
    }

private:
    [[nodiscard]] std::int64_t offset(std::int64_t step) const { return plan_.offset[static_cast<std::size_t>(step)]; }
    [[nodiscard]] std::int64_t active(std::int64_t step) const { return plan_.active[static_cast<std::size_t>(step)]; }

    [[nodiscard]] BackwardStep common_step() const {
        BackwardStep step;
        step.shape = shape_;
        step.u_t = gradients_.u_t;
        step.u_t_candidate = gradients_.u_t_candidate;
        step.gates_stride = row_;
        return step;
    }

    void gate_gradients(const Chunk& chunk) {
        if (!shape_.reset_after) {
            scratch_.reset_states.resize((offset(chunk.end) - offset(chunk.begin)) * padded_);
        }
        parallel_for(threads_, (active(chunk.begin) + group_ - 1) / group_, [&](std::int64_t item, int) {
            for (std::int64_t t = chunk.end - 1; t >= chunk.begin; --t) {
                const std::int64_t begin = item * group_;
                const std::int64_t end = std::min(begin + group_, active(t));
                // Rows whose last step is t receive nothing from step t + 1.
                const std::int64_t running = std::clamp(active(t + 1), begin, std::max(begin, end));
                if (begin < running) backward_rows(chunk, t, begin, running, true);
                if (running < end) backward_rows(chunk, t, running, end, false);
            }
        });
    }

    void backward_rows(const Chunk& chunk, std::int64_t t, std::int64_t begin, std::int64_t end, bool has_next) const {
        const float* h[kMaxGroup];
        float* d_out[kMaxGroup];
        BackwardStep step = common_step();
        step.rows = end - begin;
        step.gates = gradients_.gates + (offset(t) + begin) * row_;
        if (has_next) step.next_gates = gradients_.gates + (offset(t + 1) + begin) * row_;
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
        const std::int64_t rows = active(0);
        parallel_for(threads_, (rows + group_ - 1) / group_, [&](std::int64_t item, int) {
            const std::int64_t begin = item * group_;
            BackwardStep step = common_step();
            step.rows = std::min(group_, rows - begin);
            step.next_gates = gradients_.gates + begin * row_;
            step.carry = gradients_.carry + begin * padded_;
            cell_.network->kernels().backward_step(step);
        });
    }

    // Pointers to the inputs and previous states of a chunk's row-steps; the first steps may have no previous state.
    void collect_rows(const Chunk& chunk) {
        const auto count = static_cast<std::size_t>(offset(chunk.end) - offset(chunk.begin));
        scratch_.inputs.resize(count);
        scratch_.previous.resize(count);
        for (std::int64_t t = chunk.begin; t < chunk.end; ++t) {
            const std::int64_t at = offset(t) - offset(chunk.begin);
            data_.input_rows(cell_, t, 0, active(t), scratch_.inputs.data() + at);
            data_.previous_rows(cell_, t, 0, active(t), scratch_.previous.data() + at);
        }
    }

    void parameter_gradients(const Chunk& chunk) {
        collect_rows(chunk);
        const CellLayout& layout = cell_.network->layout().cells[static_cast<std::size_t>(cell_.index())];
        const std::int64_t first = offset(chunk.begin);
        const std::int64_t count = offset(chunk.end) - first;
        // Row-steps without a previous state add nothing to dU.
        const std::int64_t skipped = chunk.begin == 0 && data_.h0 == nullptr ? active(0) : 0;

        WeightGradient w;
        w.shape = shape_;
        w.count = count;
        w.gates = gradients_.gates + first * row_;
        w.gates_stride = row_;
        w.inputs = scratch_.inputs.data();
        w.n_inputs = shape_.inputs;
        w.out = gradients_.d_parameters + layout.w;

        WeightGradient u = w;
        u.count = count - skipped;
        u.gates += skipped * row_;
        u.inputs = scratch_.previous.data() + skipped;
        u.n_inputs = shape_.hidden;
        u.out = gradients_.d_parameters + layout.u;

        BiasGradient bias;
        bias.shape = shape_;
        bias.count = count;
        bias.gates = w.gates;
        bias.gates_stride = row_;
        if (layout.bias >= 0) bias.out = gradients_.d_parameters + layout.bias;

        if (shape_.reset_after) {
            u.slots[2] = 3;
            sum_over_row_steps(w, {&u, 1}, bias);
        } else {
            for (std::int64_t i = 0; i < count; ++i) {
                scratch_.inputs.push_back(scratch_.reset_states.data() + i * padded_);
            }
            w.inputs = scratch_.inputs.data();
            WeightGradient candidate = u;
            u.n_gates = 2;
            candidate.first_gate = 2;
            candidate.n_gates = 1;
            candidate.slots[0] = 2;
            candidate.inputs = scratch_.inputs.data() + count + skipped;
            const WeightGradient recurrent[2] = {u, candidate};
            sum_over_row_steps(w, recurrent, bias);
        }
    }

    // Each item owns a part of the output (one panel, some inputs), so no two threads add to the same sum.
    void sum_over_row_steps(const WeightGradient& w, std::span<const WeightGradient> recurrent,
                            const BiasGradient& bias) const {
        constexpr std::int64_t kInputs = 64;
        const std::int64_t w_items = (shape_.inputs + kInputs - 1) / kInputs;
        const std::int64_t u_items = recurrent.front().count == 0 ? 0 : (shape_.hidden + kInputs - 1) / kInputs;
        const std::int64_t per_panel = w_items + u_items;
        const KernelTable& kernels = cell_.network->kernels();
        const auto run = [&](WeightGradient part, std::int64_t panel, std::int64_t item) {
            part.panel_begin = panel;
            part.panel_end = panel + 1;
            part.input_begin = item * kInputs;
            part.input_end = std::min(part.n_inputs, part.input_begin + kInputs);
            kernels.weight_gradient(part);
        };
        const int threads = worthwhile_threads(threads_, multiply_adds(shape_, w.count));
        parallel_for(threads, shape_.panels * per_panel, [&](std::int64_t index, int) {
            const std::int64_t panel = index / per_panel;
            const std::int64_t item = index % per_panel;
            if (item < w_items) {
                run(w, panel, item);
            } else {
                for (const WeightGradient& part : recurrent) run(part, panel, item - w_items);
            }
            if (item == 0 && bias.out != nullptr) {
                BiasGradient part = bias;
                part.panel_begin = panel;
                part.panel_end = panel + 1;
                kernels.bias_gradient(part);
            }
        });
    }

    const Cell& cell_;
    const CellData& data_;
    const BatchPlan& plan_;
    const CellGradients& gradients_;
    BackwardScratch& scratch_;
    const CellShape shape_;
    const std::int64_t padded_;
    const std::int64_t row_;  // floats of gates a row-step
    const int threads_;
    const std::int64_t group_;
};

}  // namespace

void backward_cell(const Cell& cell, const CellData& data, const CellGradients& gradients, BackwardScratch& scratch,
                   int n_jobs) {
    BackwardCell(cell, data, gradients, scratch, n_jobs).run();
}

void input_gradient_of_cell(const Cell& cell, const BatchPlan& plan, const float* gates, const float* w_t,
                            const RowSpace& d_inputs, bool add, int n_jobs) {
    const CellShape shape = cell.shape();
    const std::int64_t row = shape.slots() * cell.padded_hidden();
    const std::int64_t total = plan.row_steps();
    const int threads = worthwhile_threads(n_jobs, total * 3 * shape.hidden * shape.inputs);
    parallel_for(threads, (total + kMaxGroup - 1) / kMaxGroup, [&](std::int64_t item, int) {
        const float* from[kMaxGroup];
        float* to[kMaxGroup];
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
        InputGradient step;
        step.shape = shape;
        step.rows = end - begin;
        step.w_t = w_t;
        step.gates = from;
        step.dx = to;
        step.add = add;
        cell.network->kernels().input_gradient(step);
    });
}

}  // namespace grulearn
