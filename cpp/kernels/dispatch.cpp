#include "dispatch.hpp"

#include <array>
#include <cstdlib>
#include <string>

#include "grulearn/errors.hpp"

namespace grulearn {

#if defined(__x86_64__)
namespace avx512 {
const KernelTable& table();
}
namespace avx2 {
const KernelTable& table();
}
#endif
namespace baseline {
const KernelTable& table();
}

namespace {

struct Supported {
    std::array<const KernelTable*, 3> tables{};
    std::size_t count = 0;

    Supported() {
#if defined(__x86_64__)
        __builtin_cpu_init();
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
            __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw")) {
            tables[count++] = &avx512::table();
        }
        if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) tables[count++] = &avx2::table();
#endif
        tables[count++] = &baseline::table();
    }
};

const KernelTable& find(std::string_view name, std::string_view asked_by) {
    std::string known;
    for (const KernelTable* table : supported_kernels()) {
        if (name == table->name) return *table;
        known += known.empty() ? table->name : std::string(", ") + table->name;
    }
    throw InvalidArgument(std::string(asked_by) + ": instruction set '" + std::string(name) +
                          "' is not supported by this machine or unknown; expected one of: " + known);
}

}  // namespace

std::span<const KernelTable* const> supported_kernels() {
    static const Supported supported;
    return {supported.tables.data(), supported.count};
}

const KernelTable& kernels(std::string_view name) {
    if (!name.empty()) return find(name, "isa");
    static const KernelTable& chosen = []() -> const KernelTable& {
        const char* wanted = std::getenv("GRULEARN_ISA");
        const bool set = wanted != nullptr && *wanted != '\0';
        return set ? find(wanted, "GRULEARN_ISA") : *supported_kernels().front();
    }();
    return chosen;
}

}  // namespace grulearn
