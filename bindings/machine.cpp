#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "../cpp/kernels/dispatch.hpp"
#include "../cpp/network/fma_peak.hpp"
#include "../cpp/network/thread_pool.hpp"
#include "bind.hpp"
#include "grulearn/errors.hpp"

namespace nb = nanobind;

namespace grulearn::bindings {

namespace {

using namespace nb::literals;

double peak(int n_threads, double seconds, const std::string& isa, const std::string& dtype) {
    const nb::gil_scoped_release release;
    if (dtype == "float32") return fma_peak(kernels<float>(isa), n_threads, seconds);
    if (dtype == "float64") return fma_peak(kernels<double>(isa), n_threads, seconds);
    throw InvalidArgument("dtype must be 'float32' or 'float64', got '" + dtype + "'");
}

}  // namespace

void bind_machine(nb::module_& m) {
    kernels<float>();  // a wrong GRULEARN_ISA fails at import, not in the middle of a fit
    m.def(
        "instruction_sets",
        [] {
            std::vector<std::string> names;
            for (const KernelTable<float>* table : supported_kernels<float>()) names.emplace_back(table->name);
            return names;
        },
        "Instruction sets with kernels that this machine supports, the best first.");
    m.def(
        "instruction_set", [] { return std::string(kernels<float>().name); },
        "The instruction set in use: the best one, or the one that the environment variable GRULEARN_ISA names.");
    m.def("available_cores", &available_cores, "Cores this process may use: CPU affinity and the cgroup's quota.");
    m.def(
        "fma_peak", &peak, "n_threads"_a, "seconds"_a, "isa"_a = "", "dtype"_a = "float32",
        "Floating-point operations a second (2 for each multiply-add and lane) that n_threads threads reach together:\n"
        "the best of slices of some 5 ms within the given time.");
}

}  // namespace grulearn::bindings
