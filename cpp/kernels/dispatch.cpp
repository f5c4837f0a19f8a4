#include "dispatch.hpp"

#include <array>
#include <cstdlib>
#include <string>

#include "grulearn/errors.hpp"

namespace grulearn {

#if defined(__x86_64__)
namespace avx512 {
template <class Real>
const KernelTable<Real>& table();
template <>
const KernelTable<float>& table<float>();
template <>
const KernelTable<double>& table<double>();
}  // namespace avx512
namespace avx2 {
template <class Real>
const KernelTable<Real>& table();
template <>
const KernelTable<float>& table<float>();
template <>
const KernelTable<double>& table<double>();
}  // namespace avx2
#endif
namespace baseline {
template <class Real>
const KernelTable<Real>& table();
template <>
const KernelTable<float>& table<float>();
template <>
const KernelTable<double>& table<double>();
}  // namespace baseline

namespace {

template <class Real>
struct Supported {
    std::array<const KernelTable<Real>*, 3> tables{};
    std::size_t count = 0;

    Supported() {
#if defined(__x86_64__)
        __builtin_cpu_init();
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
            __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw")) {
            tables[count++] = &avx512::table<Real>();
        }
        if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) tables[count++] = &avx2::table<Real>();
#endif
        tables[count++] = &baseline::table<Real>();
    }
};

template <class Real>
const KernelTable<Real>& find(std::string_view name, std::string_view asked_by) {
    std::string known;
    for (const KernelTable<Real>* table : supported_kernels<Real>()) {
        if (name == table->name) return *table;
        known += known.empty() ? table->name : std::string(", ") + table->name;
    }
    throw InvalidArgument(std::string(asked_by) + ": instruction set '" + std::string(name) +
                          "' is not supported by this machine or unknown; expected one of: " + known);
}

}  // namespace

template <class Real>
std::span<const KernelTable<Real>* const> supported_kernels() {
    static const Supported<Real> supported;
    return {supported.tables.data(), supported.count};
}

template <class Real>
const KernelTable<Real>& kernels(std::string_view name) {
    if (!name.empty()) return find<Real>(name, "isa");
    static const KernelTable<Real>& chosen = []() -> const KernelTable<Real>& {
        const char* wanted = std::getenv("GRULEARN_ISA");
        const bool set = wanted != nullptr && *wanted != '\0';
        return set ? find<Real>(wanted, "GRULEARN_ISA") : *supported_kernels<Real>().front();
    }();
    return chosen;
}

template std::span<const KernelTable<float>* const> supported_kernels<float>();
template std::span<const KernelTable<double>* const> supported_kernels<double>();
template const KernelTable<float>& kernels<float>(std::string_view);
template const KernelTable<double>& kernels<double>(std::string_view);

}  // namespace grulearn
