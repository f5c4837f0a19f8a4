// One step of a cell with layer normalisation, in stages: the products of some rows, then all that needs whole rows.
#pragma once

#include <cstdint>

#include "cell_pass.hpp"

namespace grulearn {

// Scalars that norm_step needs as scratch, for kMaxGroup rows.
template <class Real>
std::int64_t norm_scratch_size(const Cell<Real>& cell) {
    return 6 * kMaxGroup * cell.padded_hidden();
}

// Does what kernels.forward_step does without it. step.gates, where they are kept, have kNormSlots slots; step.inputs,
// if made ahead, are products without biases. scales: [rows][6] of the products, out.
template <class Real>
void norm_step(const Cell<Real>& cell, const ForwardStep<Real>& step, Real* scratch, Real* scales);

}  // namespace grulearn
