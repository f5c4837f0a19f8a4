#include <nanobind/nanobind.h>

#include "bind.hpp"
#include "grulearn/errors.hpp"

NB_MODULE(_core, m) {
    m.doc() = "The native core: GRU networks, their gradients and their training, in float32 and float64.";
    nanobind::register_exception_translator([](const std::exception_ptr& error, void*) {
        try {
            std::rethrow_exception(error);
        } catch (const grulearn::InvalidArgument& e) {
            PyErr_SetString(PyExc_ValueError, e.what());
        }
    });
    grulearn::bindings::bind_machine(m);
    grulearn::bindings::bind_decoding(m);
    grulearn::bindings::bind_masks(m);
    grulearn::bindings::bind_network(m);
    grulearn::bindings::bind_stream(m);
    grulearn::bindings::bind_tape(m);
    grulearn::bindings::bind_trainer(m);
}
