// One function for each topic of the module.
#pragma once

#include <nanobind/nanobind.h>

namespace grulearn::bindings {

void bind_machine(nanobind::module_& m);
void bind_network(nanobind::module_& m);
void bind_tape(nanobind::module_& m);
void bind_trainer(nanobind::module_& m);

}  // namespace grulearn::bindings
