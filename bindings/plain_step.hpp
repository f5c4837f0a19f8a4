// One streaming step on NumPy arrays that are just as the core wants them.
#pragma once

#include <nanobind/nanobind.h>

#include "grulearn/network.hpp"

namespace grulearn::bindings {

void prepare_plain_step();  // once, when the module is imported

// x (F,) or (N, F), h (L, H) or (L, N, H) or None, out as h, or None: a new array. Returns out; None unless all are
// aligned C-contiguous arrays of the network's scalar and these shapes, and out overlaps neither h (other than being
// it) nor x. The caller then converts or complains.
template <class Real>
nanobind::object plain_step(const Network<Real>& network, nanobind::handle x, nanobind::handle h, nanobind::handle out);

}  // namespace grulearn::bindings
