#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "../cpp/kernels/dispatch.hpp"
#include "../cpp/network/thread_pool.hpp"
#include "bind.hpp"

namespace nb = nanobind;

namespace grulearn::bindings {

void bind_machine(nb::module_& m) {
    kernels();  // a wrong GRULEARN_ISA fails at import, not in the middle of a fit
    m.def(
        "instruction_sets",
        [] {
            std::vector<std::string> names;
            for (const KernelTable* table : supported_kernels()) names.emplace_back(table->name);
            return names;
        },
        "Instruction sets with kernels that this machine supports, the best first.");
    m.def(
        "instruction_set", [] { return std::string(kernels().name); },
        "The instruction set in use: the best one, or the one that the environment variable GRULEARN_ISA names.");
    m.def("available_cores", &available_cores, "Cores this process may use: CPU affinity and the cgroup's quota.");
}

}  // namespace grulearn::bindings
