#include "recording.hpp"

#include <algorithm>

namespace grulearn {

namespace {

template <class Real>
RowSpace<Real> column(RowSpace<Real> space, std::int64_t offset) {
    space.base += offset;
    return space;
}

template <class Real>
const Real* h0_of(const Cell<Real>& cell, const BatchPlan& plan, const Real* h0) {
    return h0 == nullptr ? nullptr : h0 + cell.index() * plan.rows * cell.network->config().hidden_size;
}

}  // namespace

template <class Real>
void forward_layers(const Network<Real>& network, const BatchPlan& plan, const RowSpace<Real>& rows, const Real* h0,
                    const RowSpace<Real>& top, std::vector<Buffer<Real>>& states, std::vector<Buffer<Real>>* gates,
                    int n_jobs) {
    const NetworkConfig& config = network.config();
    states.resize(static_cast<std::size_t>(config.num_layers));
    RowSpace<Real> inputs = rows;
    for (std::int64_t layer = 0; layer < config.num_layers; ++layer) {
        RowSpace<Real> out = top;
        if (layer + 1 < config.num_layers || top.base == nullptr) {
            Buffer<Real>& buffer = states[static_cast<std::size_t>(layer)];
            out = {buffer.resize(plan.row_steps() * config.state_size()), config.state_size(), RowOrder::time, nullptr};
        }
        for (std::int64_t direction = 0; direction < config.directions(); ++direction) {
            const Cell<Real> cell{&network, layer, direction};
            const CellData<Real> data{&plan, inputs, column(out, direction * config.hidden_size),
                                      h0_of(cell, plan, h0)};
            Real* saved = nullptr;
            if (gates != nullptr) {
                saved = (*gates)[static_cast<std::size_t>(cell.index())].resize(
                    plan.row_steps() * cell.shape().slots() * cell.padded_hidden());
            }
            forward_cell(cell, data, saved, n_jobs);
        }
        inputs = out;
    }
}

template <class Real>
void final_states(const Cell<Real>& cell, const BatchPlan& plan, const RowSpace<Real>& states, const Real* h0,
                  Real* out, std::int64_t stride, const std::int64_t* place, std::int64_t begin, std::int64_t end) {
    const std::int64_t hidden = cell.network->config().hidden_size;
    const RowSpace<Real> own = column(states, cell.direction * hidden);
    const Real* initial = h0_of(cell, plan, h0);
    for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t length = plan.length[static_cast<std::size_t>(i)];
        Real* to = out + (place == nullptr ? i : place[i]) * stride;
        if (length > 0) {
            std::copy_n(own.at(plan, i, cell.position(plan, i, length - 1)), hidden, to);
        } else if (initial != nullptr) {
            std::copy_n(initial + plan.sequence[static_cast<std::size_t>(i)] * hidden, hidden, to);
        } else {
            std::fill_n(to, hidden, Real{0});
        }
    }
}

template <class Real>
void Recording<Real>::forward(const BatchPlan& plan, const RowSpace<Real>& rows, const Real* h0) {
    plan_ = &plan;
    rows_ = rows;
    h0_ = h0;
    gates_.resize(static_cast<std::size_t>(network_.config().cells()));
    forward_layers(network_, plan, rows, h0, {}, states_, &gates_, n_jobs_);
}

template <class Real>
RowSpace<Real> Recording<Real>::states(std::int64_t layer) const {
    // The spaces of this class are written through only by the pass that made the buffer.
    auto* base = const_cast<Real*>(states_[static_cast<std::size_t>(layer)].data());
    return {base, network_.config().state_size(), RowOrder::time, nullptr};
}

template <class Real>
void Recording<Real>::final_states_of(std::int64_t layer, std::int64_t direction, Real* out, std::int64_t stride,
                                      const std::int64_t* place, std::int64_t begin, std::int64_t end) const {
    final_states({&network_, layer, direction}, *plan_, states(layer), h0_, out, stride, place, begin, end);
}

template <class Real>
void Recording<Real>::transpose_recurrent(const Cell<Real>& cell) {
    const CellShape shape = cell.shape();
    const KernelTable<Real>& kernels = network_.kernels();
    const Real* u = network_.packed() + network_.layout().cells[static_cast<std::size_t>(cell.index())].u;
    const std::int64_t size = shape.hidden * cell.padded_hidden();
    if (shape.reset_after) {
        kernels.transpose(shape, u, shape.hidden, 0, 3, u_t_.resize(3 * size));
    } else {
        kernels.transpose(shape, u, shape.hidden, 0, 2, u_t_.resize(2 * size));
        kernels.transpose(shape, u, shape.hidden, 2, 1, u_t_candidate_.resize(size));
    }
}

template <class Real>
const Real* Recording<Real>::transpose_input(const Cell<Real>& cell) {
    const CellShape shape = cell.shape();
    const std::int64_t width = network_.kernels().width;
    Real* w_t = w_t_.resize((shape.inputs + width - 1) / width * width * 3 * shape.hidden);
    const Real* w = network_.packed() + network_.layout().cells[static_cast<std::size_t>(cell.index())].w;
    network_.kernels().transpose(shape, w, shape.inputs, 0, 3, w_t);
    return w_t;
}

template <class Real>
RowGradients<Real> Recording<Real>::OutputGradients::of(const Cell<Real>& cell) const {
    if (final_states.base == nullptr || cell.index() < first_cell) return {};
    RowGradients<Real> own = final_states;
    own.base += (cell.index() - first_cell) * cell_stride;
    return own;
}

template <class Real>
void Recording<Real>::backward(const OutputGradients& given, const InputGradients& wanted) {
    const NetworkConfig& config = network_.config();
    RowSpace<Real> d_states = given.outputs;
    for (std::int64_t layer = config.num_layers - 1; layer >= 0; --layer) {
        RowSpace<Real> d_inputs = wanted.rows;
        if (layer > 0) {
            Real* below = d_states_[(layer - 1) % 2].resize(plan_->row_steps() * config.state_size());
            d_inputs = {below, config.state_size(), RowOrder::time, nullptr};
        }
        for (std::int64_t direction = 0; direction < config.directions(); ++direction) {
            const Cell<Real> cell{&network_, layer, direction};
            backward_one_cell(cell, d_states, given.of(cell), wanted);
            if (d_inputs.base != nullptr) {
                const Real* gates = gates_[static_cast<std::size_t>(cell.index())].data();
                const Real* w_t = transpose_input(cell);
                input_gradient_of_cell(cell, *plan_, gates, w_t, d_inputs, direction > 0, n_jobs_);
            }
        }
        d_states = d_inputs;
    }
}

template <class Real>
void Recording<Real>::backward_one_cell(const Cell<Real>& cell, const RowSpace<Real>& d_states,
                                        const RowGradients<Real>& final_states, const InputGradients& wanted) {
    const std::int64_t hidden = network_.config().hidden_size;
    // With one step and no h0, U takes no part.
    if (plan_->steps > 1 || h0_ != nullptr || wanted.h0 != nullptr) transpose_recurrent(cell);
    const RowSpace<Real> inputs = cell.layer == 0 ? rows_ : states(cell.layer - 1);
    const CellData<Real> data{plan_, inputs, column(states(cell.layer), cell.direction * hidden),
                              h0_of(cell, *plan_, h0_)};
    CellGradients<Real> gradients;
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
    Real* d_h0 = wanted.h0 + cell.index() * plan_->rows * hidden;
    for (std::int64_t i = 0; i < plan_->rows; ++i) {
        const std::int64_t sequence = plan_->sequence[static_cast<std::size_t>(i)];
        std::copy_n(carry_.data() + i * cell.padded_hidden(), hidden, d_h0 + sequence * hidden);
    }
}

template void forward_layers(const Network<float>&, const BatchPlan&, const RowSpace<float>&, const float*,
                             const RowSpace<float>&, std::vector<Buffer<float>>&, std::vector<Buffer<float>>*, int);
template void final_states(const Cell<float>&, const BatchPlan&, const RowSpace<float>&, const float*, float*,
                           std::int64_t, const std::int64_t*, std::int64_t, std::int64_t);
template class Recording<float>;
template void forward_layers(const Network<double>&, const BatchPlan&, const RowSpace<double>&, const double*,
                             const RowSpace<double>&, std::vector<Buffer<double>>&, std::vector<Buffer<double>>*, int);
template void final_states(const Cell<double>&, const BatchPlan&, const RowSpace<double>&, const double*, double*,
                           std::int64_t, const std::int64_t*, std::int64_t, std::int64_t);
template class Recording<double>;

}  // namespace grulearn
