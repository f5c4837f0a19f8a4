#include "report.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace native_tests {

void Report::check(bool passed, std::string_view what) {
    ++checks_;
    if (passed) return;
    ++failures_;
    std::printf("FAILED %s: %.*s\n", subject_.c_str(), static_cast<int>(what.size()), what.data());
}

template <class Real>
void Report::near(std::span<const Real> actual, std::span<const double> expected, double tolerance,
                  std::string_view what) {
    if (actual.size() != expected.size()) return check(false, std::string(what) + ": another size");
    double worst = 0.0;
    std::size_t where = 0;
    for (std::size_t i = 0; i < actual.size(); ++i) {
        const double difference = std::abs(static_cast<double>(actual[i]) - expected[i]);
        if (difference > worst || std::isnan(difference)) worst = difference, where = i;
        if (std::isnan(difference)) break;
    }
    if (worst <= tolerance) return check(true, what);
    char text[160];
    std::snprintf(text, sizeof text, ": differs by %.3g at %zu (%.9g, expected %.9g); allowed %.3g", worst, where,
                  static_cast<double>(actual[where]), expected[where], tolerance);
    check(false, std::string(what) + text);
}

template <class Real>
void Report::gradient(std::span<const Real> actual, std::span<const double> expected, std::string_view what) {
    double largest = 1e-6;
    for (const double value : expected) largest = std::max(largest, std::abs(value));
    near(actual, expected, Tolerance<Real>::kGradient * largest, what);
}

int Report::finish() const {
    std::printf("%lld checks, %lld failed\n", static_cast<long long>(checks_), static_cast<long long>(failures_));
    return failures_ == 0 ? 0 : 1;
}

template void Report::near(std::span<const float>, std::span<const double>, double, std::string_view);
template void Report::near(std::span<const double>, std::span<const double>, double, std::string_view);
template void Report::gradient(std::span<const float>, std::span<const double>, std::string_view);
template void Report::gradient(std::span<const double>, std::span<const double>, std::string_view);

}  // namespace native_tests
