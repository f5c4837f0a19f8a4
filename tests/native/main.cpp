// grulearn_native_tests FILE [--quick]: the core against the cases of make_cases.py, without Python.
// grulearn_native_tests --count: the problem of the instruction counts.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>

#include "checks.hpp"
#include "kernels/dispatch.hpp"

namespace native_tests {
namespace {

template <class Real>
void run_all(const std::vector<Case>& cases, const Options& options, Report& report) {
    const char* scalar = Tolerance<Real>::kFloat ? "float" : "double";
    for (const grulearn::KernelTable<Real>* table : grulearn::supported_kernels<Real>()) {
        const auto begin = std::chrono::steady_clock::now();
        const std::string_view isa = table->name;
        const std::string place = std::string(scalar) + ", " + table->name;
        for (const Case& c : cases) {
            if (options.quick && !c.quick) continue;
            report.about(place + ", " + c.name);
            check_sequences<Real>(c, isa, report);
            check_training<Real>(c, isa, report);
        }
        report.about(place);
        check_numbers<Real>(isa, report);
        check_streams<Real>(isa, options, report);
        check_threads<Real>(isa, options, report);
        const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
        std::printf("%s: done in %.1f s\n", place.c_str(), taken.count());
        std::fflush(stdout);
    }
}

int run(const char* path, const Options& options) {
    Report report;
    try {
        const std::vector<Case> cases = read_cases(path);
        run_all<float>(cases, options, report);
        run_all<double>(cases, options, report);
    } catch (const std::exception& error) {
        report.check(false, std::string("stopped by an exception: ") + error.what());
    }
    return report.finish();
}

}  // namespace
}  // namespace native_tests

int main(int argc, char** argv) {
    if (argc == 2 && std::strcmp(argv[1], "--count") == 0) {
        native_tests::run_for_counting();
        return 0;
    }
    native_tests::Options options;
    options.quick = argc == 3 && std::strcmp(argv[2], "--quick") == 0;
    if (argc != (options.quick ? 3 : 2)) {
        std::fprintf(stderr, "usage: %s FILE [--quick] (FILE of make_cases.py), or %s --count\n", argv[0], argv[0]);
        return 2;
    }
    return native_tests::run(argv[1], options);
}
