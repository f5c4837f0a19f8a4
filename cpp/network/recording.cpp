#include "recording.hpp"

#include <algorithm>

namespace grulearn {

namespace {

RowSpace column(RowSpace space, std::int64_t offset) {
    space.base += offset;
    return space;
}

const float* h0_of(const Cell& cell, const BatchPlan& plan, const float* h0) {
    return h0 == nullptr ? nullptr : h0 + cell.index() * plan.rows * cell.network->config().hidden_size;
}

}  // namespace

void forward_layers(const Network& network, const BatchPlan& plan, const RowSpace& rows, const float* h0,
                    const RowSpace& top, std::vector<Buffer>& states, std::vector<Buffer>* gates, int n_jobs) {
    const NetworkConfig& config = network.config();
    states.resize(static_cast<std::size_t>(config.num_layers));
    RowSpace inputs = rows;
    for (std::int64_t layer = 0; layer < config.num_layers; ++layer) {
        RowSpace out = top;
        if (layer + 1 < config.num_layers || top.base == nullptr) {
            Buffer& buffer = states[static_cast<std::size_t>(layer)];
            out = {buffer.resize(plan.row_steps() * config.state_size()), config.state_size(), RowSpace::Order::time,
                   nullptr};
        }
        for (std::int64_t direction = 0; direction < config.directions(); ++direction) {
            const Cell cell{&network, layer, direction};
            const CellData data{&plan, inputs, column(out, direction * config.hidden_size), h0_of(cell, plan, h0)};
            float* saved = nullptr;
            if (gates != nullptr) {
                saved = (*gates)[static_cast<std::size_t>(cell.index())].resize(
                    plan.row_steps() * cell.shape().slots() * cell.padded_hidden());
            }
            forward_cell(cell, data, saved, n_jobs);
        }
        inputs = out;
    }
}

void final_states(const Cell& cell, const BatchPlan& plan, const RowSpace& states, const float* h0, float* out,
                  std::int64_t stride, const std::int64_t* place, std::int64_t begin, std::int64_t end) {
    const std::int64_t hidden = cell.network->config().hidden_size;
    const RowSpace own = column(states, cell.direction * hidden);
    const float* initial = h0_of(cell, plan, h0);
    for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t length = plan.length[static_cast<std::size_t>(i)];
        float* to = out + (place == nullptr ? i : place[i]) * stride;
        if (length > 0) {
            std::copy_n(own.at(plan, i, cell.position(plan, i, length - 1)), hidden, to);
        } else if (initial != nullptr) {
            std::copy_n(initial + plan.sequence[static_cast<std::size_t>(i)] * hidden, hidden, to);
        } else {
            std::fill_n(to, hidden, 0.0F);
        }
    }
}

void Recording::forward(const BatchPlan& plan, const RowSpace& rows, const float* h0) {
    plan_ = &plan;
    rows_ = rows;
    h0_ = h0;
    gates_.resize(static_cast<std::size_t>(network_.config().cells()));
    forward_layers(network_, plan, rows, h0, {}, states_, &gates_, n_jobs_);
}

RowSpace Recording::states(std::int64_t layer) const {
    // The spaces of this class are written through only by the pass that made the buffer.
    auto* base = const_cast<float*>(states_[static_cast<std::size_t>(layer)].data());
    return {base, network_.config().state_size(), RowSpace::Order::time, nullptr};
}

void Recording::final_states_of(std::int64_t layer, std::int64_t direction, float* out, std::int64_t stride,
                                const std::int64_t* place, std::int64_t begin, std::int64_t end) const {
    final_states({&network_, layer, direction}, *plan_, states(layer), h0_, out, stride, place, begin, end);
}

void Recording::transpose_recurrent(const Cell& cell) {
    const CellShape shape = cell.shape();
    const KernelTable& kernels = network_.kernels();
    const float* u = network_.packed() + network_.layout().cells[static_cast<std::size_t>(cell.index())].u;
    const std::int64_t size = shape.hidden * cell.padded_hidden();
    if (shape.reset_after) {
        kernels.transpose(shape, u, shape.hidden, 0, 3, u_t_.resize(3 * size));
    } else {
        kernels.transpose(shape, u, shape.hidden, 0, 2, u_t_.resize(2 * size));
        kernels.transpose(shape, u, shape.hidden, 2, 1, u_t_candidate_.resize(size));
    }
}

const float* Recording::transpose_input(const Cell& cell) {
    const CellShape shape = cell.shape();
    const std::int64_t width = network_.kernels().width;
    float* w_t = w_t_.resize((shape.inputs + width - 1) / width * width * 3 * shape.hidden);
    const float* w = network_.packed() + network_.layout().cells[static_cast<std::size_t>(cell.index())].w;
    network_.kernels().transpose(shape, w, shape.inputs, 0, 3, w_t);
    return w_t;
}

RowGradients Recording::OutputGradients::of(const Cell& cell) const {
    if (final_states.base == nullptr || cell.index() < first_cell) return {};
    RowGradients own = final_states;
    own.base += (cell.index() - first_cell) * cell_stride;
    return own;
}

void Recording::backward(const OutputGradients& given, const InputGradients& wanted) {
    const NetworkConfig& config = network_.config();
    RowSpace d_states = given.outputs;
    for (std::int64_t layer = config.num_layers - 1; layer >= 0; --layer) {
        RowSpace d_inputs = wanted.rows;
        if (layer > 0) {
            float* below = d_states_[(layer - 1) % 2].resize(plan_->row_steps() * config.state_size());
            d_inputs = {below, config.state_size(), RowSpace::Order::time, nullptr};
        }
        for (std::int64_t direction = 0; direction < config.directions(); ++direction) {
            const Cell cell{&network_, layer, direction};
            backward_one_cell(cell, d_states, given.of(cell), wanted);
            if (d_inputs.base != nullptr) {
                const float* gates = gates_[static_cast<std::size_t>(cell.index())].data();
                const float* w_t = transpose_input(cell);
                input_gradient_of_cell(cell, *plan_, gates, w_t, d_inputs, direction > 0, n_jobs_);
            }
        }
        d_states = d_inputs;
    }
}

void Recording::backward_one_cell(const Cell& cell, const RowSpace& d_states, const RowGradients& final_states,
                                  const InputGradients& wanted) {
    const std::int64_t hidden = network_.config().hidden_size;
    // With one step and no h0, U takes no part.
    if (plan_->steps > 1 || h0_ != nullptr || wanted.h0 != nullptr) transpose_recurrent(cell);
    const RowSpace inputs = cell.layer == 0 ? rows_ : states(cell.layer - 1);
    const CellData data{plan_, inputs, column(states(cell.layer), cell.direction * hidden), h0_of(cell, *plan_, h0_)};
    CellGradients gradients;
    gradients.gates = gates_[static_cast<std::size_t>(cell.index())].data();
    if (d_states.base != nullptr) gradients.d_states = column(d_states, cell.direction * hidden);
    gradients.final_states = final_states;
    gradients.carry = carry_.resize(plan_->rows * cell.padded_hidden());
    gradients.want_h0 = wanted.h0 != nullptr;
    gradients.d_parameters = wanted.parameters;
    gradients.u_t = u_t_.data();
    gradients.u_t_candidate = u_t_candidate_.data();
    backward_cell(cell, data, gradients, scratch_, n_jobs_);
    if (wanted.h0 == nullptr) return;
    float* d_h0 = wanted.h0 + cell.index() * plan_->rows * hidden;
    for (std::int64_t i = 0; i < plan_->rows; ++i) {
        const std::int64_t sequence = plan_->sequence[static_cast<std::size_t>(i)];
        std::copy_n(carry_.data() + i * cell.padded_hidden(), hidden, d_h0 + sequence * hidden);
    }
}

}  // namespace grulearn
