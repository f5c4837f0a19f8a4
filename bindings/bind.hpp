// One function for each topic of the module. Classes that compute exist for float and for double, bound by one
// template: in Python the latter have "64" behind their names.
#pragma once

#include <nanobind/nanobind.h>

namespace grulearn::bindings {

void bind_decoding(nanobind::module_& m);
void bind_machine(nanobind::module_& m);
void bind_masks(nanobind::module_& m);
void bind_network(nanobind::module_& m);
void bind_stream(nanobind::module_& m);
void bind_tape(nanobind::module_& m);
void bind_trainer(nanobind::module_& m);

}  // namespace grulearn::bindings
