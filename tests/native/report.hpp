// Counts checks, prints a line for each that fails, and knows what is close enough.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace native_tests {

// States are below 1 and sums of at most some 150 terms round a few times 6e-8 (float) or 1.1e-16 (double).
// Gradients are measured by the largest of the same array; in double the specification rounds as much as the core.
template <class Real>
struct Tolerance {
    static constexpr bool kFloat = std::is_same_v<Real, float>;
    static constexpr double kForward = kFloat ? 2e-6 : 5e-15;
    static constexpr double kGradient = kFloat ? 1e-5 : 2e-14;
    static constexpr double kLoss = kFloat ? 1e-5 : 1e-12;  // relative, after some steps of Adam
};

class Report {
public:
    // What the following checks are about, for the line of one that fails.
    void about(std::string subject) { subject_ = std::move(subject); }
    [[nodiscard]] const std::string& subject() const { return subject_; }

    void check(bool passed, std::string_view what);
    template <class Real>
    void near(std::span<const Real> actual, std::span<const double> expected, double tolerance, std::string_view what);
    // The same relative to the largest expected value.
    template <class Real>
    void gradient(std::span<const Real> actual, std::span<const double> expected, std::string_view what);
    template <class Real>
    void same_bits(const std::vector<Real>& a, const std::vector<Real>& b, std::string_view what) {
        check(a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(Real)) == 0),
              std::string(what) + ": not the same bits");
    }

    // Prints the summary; the exit code of the program.
    [[nodiscard]] int finish() const;

private:
    std::string subject_;
    std::int64_t checks_ = 0, failures_ = 0;
};

}  // namespace native_tests
