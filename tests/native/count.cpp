#include <cstdio>

#include "checks.hpp"
#include "grulearn/training.hpp"
#include "kernels/dispatch.hpp"

namespace native_tests {

namespace {

#if defined(__clang__)
constexpr const char* kCompiler = "Clang";
constexpr int kVersion = __clang_major__;
#else
constexpr const char* kCompiler = "GNU";
constexpr int kVersion = __GNUC__;
#endif

}  // namespace

// Sizes that leave no remainder: 8 panels of 8 units, rows and inputs in whole tiles, so that only the loops count.
// h0 is given and wanted back: every step, the first too, then multiplies U.
void run_for_counting() {
    constexpr std::int64_t kRows = 32, kSteps = 20, kInputs = 8, kHidden = 64;
    grulearn::NetworkConfig config;
    config.input_size = kInputs;
    config.hidden_size = kHidden;
    const grulearn::Network<float> network = [&] {
        grulearn::Network<float> made(config, "avx2");
        made.set_parameters(std::vector<float>(static_cast<std::size_t>(made.layout().canonical_size), 0.01F).data());
        return made;
    }();
    const std::vector<float> rows(kRows * kSteps * kInputs, 0.5F), h0(kRows * kHidden, 0.1F);
    const std::vector<float> d_outputs(kRows * kSteps * kHidden, 0.01F);
    std::vector<std::int64_t> starts, lengths;
    for (std::int64_t i = 0; i < kRows; ++i) {
        starts.push_back(i * kSteps);
        lengths.push_back(kSteps);
    }
    grulearn::SequencesView<float> view;
    view.n_rows = kRows * kSteps;
    view.n_features = kInputs;
    view.starts = starts;
    view.lengths = lengths;
    view.rows = rows.data();

    std::vector<float> outputs(d_outputs.size()), h_n(h0.size()), d_h0(h0.size());
    grulearn::Tape<float> tape(network, 1);
    tape.record(view, h0.data(), outputs.data(), h_n.data());
    std::vector<float> d_parameters(static_cast<std::size_t>(network.layout().packed_size));
    tape.backward(d_outputs.data(), nullptr, d_parameters.data(), nullptr, d_h0.data());

    const std::int64_t width = grulearn::kernels<float>("avx2").width;
    const auto gates = 3 * kRows * kSteps * (kHidden / width);  // vectors of gates
    std::printf("compiler %s %d\n", kCompiler, kVersion);
    std::printf("forward_step %lld\nbackward_step %lld\nweight_gradient %lld\n",
                static_cast<long long>(gates * (kInputs + kHidden)), static_cast<long long>(gates * kHidden),
                static_cast<long long>(gates * (kInputs + kHidden)));
}

}  // namespace native_tests
