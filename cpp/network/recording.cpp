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
    return h0 == nullptr ? nullptr : h0 + cell.index() * plan.batch_size * cell.network->config().hidden_size;
}

}  // namespace

template <class Real>
void forward_layers(const Network<Real>& network, const BatchPlan& plan, const LayerInputs<Real>& layer_0,
                    const Real* h0, const RowSpace<Real>& top, std::vector<Buffer<Real>>& states,
                    const RecordedStates<Real>* recorded, PlanMasks<Real>* masks, int n_jobs) {
    const NetworkConfig& config = network.config();
    states.resize(static_cast<std::size_t>(config.num_layers));
    LayerInputs<Real> inputs = layer_0;
    for (std::int64_t layer = 0; layer < config.num_layers; ++layer) {
        RowSpace<Real> out = top;
        if (layer + 1 < config.num_layers || top.base == nullptr) {
            Buffer<Real>& buffer = states[static_cast<std::size_t>(layer)];
            out = {buffer.resize(plan.row_steps() * config.state_size()), config.state_size(), RowOrder::time, nullptr};
        }
        for (std::int64_t direction = 0; direction < config.directions(); ++direction) {
            const Cell<Real> cell{&network, layer, direction};
            const auto index = static_cast<std::size_t>(cell.index());
            CellData<Real> data{&plan, inputs.rows, column(out, direction * config.hidden_size), h0_of(cell, plan, h0),
                                inputs.gaps};
            data.masks = masks;
            if (recorded != nullptr) data.faded = recorded->faded;
            if (recorded != nullptr && data.drops_recurrent()) data.masked = recorded->masked[index];
            if (recorded != nullptr && cell.normalises()) data.scales = recorded->scales[index];
            forward_cell(cell, data, recorded == nullptr ? nullptr : &recorded->gates[index], n_jobs);
        }
        const bool drops = masks != nullptr && masks->drops() && layer + 1 < config.num_layers;
        inputs = {drops ? masks->drop_states(layer, out, n_jobs) : out, {}};
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
void Recording<Real>::forward(const BatchPlan& plan, const LayerInputs<Real>& inputs, const Real* h0,
                              PlanMasks<Real>* masks, int n_jobs) {
    const NetworkConfig& config = network_.config();
    plan_ = &plan;
    inputs_ = inputs;
    h0_ = h0;
    masks_ = masks;
    chunks_.cut(plan, config.hidden_size, checkpoint_steps_);
    gates_.resize(static_cast<std::size_t>(config.cells()));
    recorded_.gates.resize(gates_.size());
    if (inputs.gaps.base != nullptr) {
        const std::int64_t hidden = config.hidden_size;
        recorded_.faded = {faded_.resize(plan.row_steps() * hidden), hidden, RowOrder::time, nullptr};
    }
    for (std::int64_t index = 0; index < config.cells(); ++index) {
        const Cell<Real> cell{&network_, index / config.directions(), 0};
        GateStore<Real>& store = recorded_.gates[static_cast<std::size_t>(index)];
        store = {nullptr, &plan, &chunks_, cell.shape().panels, cell.saved_unit()};
        // Gates that are made again belong to one cell at a time.
        store.base = gates_[store.keeps_all() ? static_cast<std::size_t>(index) : 0].resize(store.size());
    }
    if (masks != nullptr && masks->drops_recurrent()) resize_masked();
    if (config.layer_norm) resize_scales();
    forward_layers(network_, plan, inputs, h0, {}, states_, &recorded_, masks, n_jobs);
}

template <class Real>
void Recording<Real>::resize_masked() {
    const std::int64_t hidden = network_.config().hidden_size;
    masked_.resize(gates_.size());
    recorded_.masked.resize(gates_.size());
    for (std::size_t i = 0; i < gates_.size(); ++i) {
        recorded_.masked[i] = {masked_[i].resize(plan_->row_steps() * hidden), hidden, RowOrder::time, nullptr};
    }
}

template <class Real>
void Recording<Real>::resize_scales() {
    scales_.resize(gates_.size());
    recorded_.scales.resize(gates_.size());
    for (std::size_t i = 0; i < gates_.size(); ++i) {
        recorded_.scales[i] = scales_[i].resize(plan_->row_steps() * 6);
    }
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
void TransposedWeights<Real>::update(const Network<Real>& network, bool recurrent, bool inputs) {
    const NetworkConfig& config = network.config();
    const KernelTable<Real>& kernels = network.kernels();
    cells_.resize(static_cast<std::size_t>(config.cells()));
    for (std::int64_t index = 0; index < config.cells(); ++index) {
        const Cell<Real> cell{&network, index / config.directions(), index % config.directions()};
        const CellShape shape = cell.shape();
        const CellLayout& layout = network.layout().cells[static_cast<std::size_t>(index)];
        CellWeights& own = cells_[static_cast<std::size_t>(index)];
        const std::int64_t size = shape.hidden * cell.padded_hidden();
        if (recurrent) {
            const Real* u = network.packed() + layout.u;
            const int together = shape.reset_after ? 3 : 2;
            kernels.transpose(shape, u, shape.hidden, 0, together, own.u.resize(together * size));
            if (together == 2) kernels.transpose(shape, u, shape.hidden, 2, 1, own.u_candidate.resize(size));
        }
        if (inputs || cell.layer > 0) {
            const std::int64_t padded = (shape.inputs + kernels.width - 1) / kernels.width * kernels.width;
            Real* w = own.w.resize(padded * 3 * shape.hidden);
            kernels.transpose(shape, network.packed() + layout.w, shape.inputs, 0, 3, w);
        }
    }
}

template <class Real>
RowGradients<Real> Recording<Real>::OutputGradients::of(const Cell<Real>& cell) const {
    if (final_states.base == nullptr || cell.index() < first_cell) return {};
    RowGradients<Real> own = final_states;
    own.base += (cell.index() - first_cell) * cell_stride;
    return own;
}

template <class Real>
void Recording<Real>::backward(const OutputGradients& given, const InputGradients& wanted,
                               const TransposedWeights<Real>& transposed, int n_jobs) {
    const NetworkConfig& config = network_.config();
    const bool drops = masks_ != nullptr && masks_->drops();
    OutputGradients arriving = given;
    for (std::int64_t layer = config.num_layers - 1; layer >= 0; --layer) {
        InputGradients leaving = wanted;
        if (layer > 0) {
            Real* below = d_states_[(layer - 1) % 2].resize(plan_->row_steps() * config.state_size());
            leaving.rows = {below, config.state_size(), RowOrder::time, nullptr};
            leaving.first_column = 0;
            leaving.n_columns = config.state_size();
        }
        for (std::int64_t direction = 0; direction < config.directions(); ++direction) {
            const Cell<Real> cell{&network_, layer, direction};
            const LayerInputs<Real> inputs =
                layer == 0 ? inputs_
                           : LayerInputs<Real>{drops ? masks_->dropped_states(layer - 1) : states(layer - 1), {}};
            const RowSpace<Real> own = column(states(layer), direction * config.hidden_size);
            CellData<Real> data{plan_, inputs.rows, own, h0_of(cell, *plan_, h0_), inputs.gaps, recorded_.faded};
            data.masks = masks_;
            const auto index = static_cast<std::size_t>(cell.index());
            if (data.drops_recurrent()) data.masked = recorded_.masked[index];
            if (cell.normalises()) data.scales = recorded_.scales[index];
            backward_cell(cell, data, gradients_of(cell, arriving, leaving, transposed), scratch_, n_jobs);
            if (wanted.h0 != nullptr) initial_state_gradient(cell, wanted.h0);
        }
        if (drops && layer > 0) masks_->drop_gradients(layer - 1, leaving.rows, n_jobs);
        arriving.outputs = leaving.rows;
    }
}

template <class Real>
CellGradients<Real> Recording<Real>::gradients_of(const Cell<Real>& cell, const OutputGradients& given,
                                                  const InputGradients& wanted,
                                                  const TransposedWeights<Real>& transposed) {
    CellGradients<Real> gradients;
    gradients.gates = recorded_.gates[static_cast<std::size_t>(cell.index())];
    if (given.outputs.base != nullptr) {
        gradients.d_states = column(given.outputs, cell.direction * network_.config().hidden_size);
    }
    gradients.final_states = given.of(cell);
    gradients.carry = carry_.resize(plan_->rows * cell.padded_hidden());
    gradients.want_h0 = wanted.h0 != nullptr;
    gradients.d_parameters = wanted.parameters;
    gradients.u_t = transposed.of(cell).u.data();
    gradients.u_t_candidate = transposed.of(cell).u_candidate.data();
    gradients.w_t = transposed.of(cell).w.data();
    gradients.d_inputs = wanted.rows;
    gradients.first_input = wanted.first_column;
    gradients.n_inputs = wanted.n_columns;
    gradients.add_to_inputs = cell.direction > 0;
    return gradients;
}

template <class Real>
void Recording<Real>::initial_state_gradient(const Cell<Real>& cell, Real* d_h0) const {
    const std::int64_t hidden = network_.config().hidden_size;
    const std::int64_t width = network_.kernels().width;
    for (std::int64_t i = 0; i < plan_->rows; ++i) {
        const std::int64_t sequence = plan_->sequence[static_cast<std::size_t>(i)];
        Real* to = d_h0 + (cell.index() * plan_->batch_size + sequence) * hidden;
        for (std::int64_t k = 0; k < hidden; k += width) {
            std::copy_n(carry_.data() + (k / width * plan_->rows + i) * width, std::min(width, hidden - k), to + k);
        }
    }
}

template void forward_layers(const Network<float>&, const BatchPlan&, const LayerInputs<float>&, const float*,
                             const RowSpace<float>&, std::vector<Buffer<float>>&, const RecordedStates<float>*,
                             PlanMasks<float>*, int);
template void final_states(const Cell<float>&, const BatchPlan&, const RowSpace<float>&, const float*, float*,
                           std::int64_t, const std::int64_t*, std::int64_t, std::int64_t);
template class TransposedWeights<float>;
template class Recording<float>;
template void forward_layers(const Network<double>&, const BatchPlan&, const LayerInputs<double>&, const double*,
                             const RowSpace<double>&, std::vector<Buffer<double>>&, const RecordedStates<double>*,
                             PlanMasks<double>*, int);
template void final_states(const Cell<double>&, const BatchPlan&, const RowSpace<double>&, const double*, double*,
                           std::int64_t, const std::int64_t*, std::int64_t, std::int64_t);
template class TransposedWeights<double>;
template class Recording<double>;

}  // namespace grulearn
