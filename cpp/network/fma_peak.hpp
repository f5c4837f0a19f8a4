// The multiply-adds that this machine reaches at best, by which the speed of everything else is judged.
#pragma once

#include "../kernels/kernels.hpp"

namespace grulearn {

// Floating-point operations a second (2 for each multiply-add and lane) of so many threads together: the best of slices
// of some 5 ms within the given time. Throws InvalidArgument unless 1 <= threads <= 1024 and 0 < seconds <= 60.
template <class Real>
double fma_peak(const KernelTable<Real>& kernels, int threads, double seconds);

}  // namespace grulearn
