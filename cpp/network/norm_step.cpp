#include "norm_step.hpp"

namespace grulearn {

namespace {

// Of some rows with W or U, without biases.
template <class Real>
void multiply(const Cell<Real>& cell, const Real* weights, std::int64_t inputs, const Real* const* rows,
              std::int64_t count, Real* out, std::int64_t out_panel) {
    InputProduct<Real> product;
    product.shape = cell.shape();
    product.shape.inputs = inputs;
    product.w = weights;
    product.rows = count;
    product.x = rows;
    product.panel_end = product.shape.panels;
    product.out = out;
    product.out_panel = out_panel;
    cell.network->kernels().input_product(product);
}

}  // namespace

template <class Real>
void norm_step(const Cell<Real>& cell, const ForwardStep<Real>& step, Real* scratch, Real* scales) {
    const std::int64_t unit = 3 * cell.network->kernels().width;
    NormStep<Real> norm;
    norm.shape = step.shape;
    norm.rows = step.rows;
    norm.inputs = step.inputs;
    norm.inputs_panel = step.inputs_panel;
    if (step.inputs == nullptr) {
        norm.inputs_panel = kMaxGroup * unit;
        multiply(cell, step.w, step.shape.inputs, step.x, step.rows, scratch, norm.inputs_panel);
        norm.inputs = scratch;
    }
    if (step.h != nullptr) {
        norm.states_panel = kMaxGroup * unit;
        Real* products = scratch + step.shape.panels * norm.states_panel;
        multiply(cell, step.u, step.shape.hidden, step.h, step.rows, products, norm.states_panel);
        norm.states = products;
    }
    const CellLayout& layout = cell.network->layout().cells[static_cast<std::size_t>(cell.index())];
    norm.gain = cell.network->packed() + layout.gain;
    norm.bias = step.bias;
    norm.mixed = step.mixed;
    norm.out = step.out;
    norm.saved = step.gates;
    norm.saved_panel = step.gates_panel;
    norm.scales = scales;
    cell.network->kernels().norm_step(norm);
}

template void norm_step(const Cell<float>&, const ForwardStep<float>&, float*, float*);
template void norm_step(const Cell<double>&, const ForwardStep<double>&, double*, double*);

}  // namespace grulearn
