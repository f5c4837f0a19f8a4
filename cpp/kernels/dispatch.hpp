// Which instruction sets this machine supports, and the one in use.
#pragma once

#include <span>
#include <string_view>

#include "kernels.hpp"

namespace grulearn {

// Supported sets, the best first: the same for float and double.
template <class Real>
std::span<const KernelTable<Real>* const> supported_kernels();

// The kernels of the named set; an empty name means the default (the best, or what GRULEARN_ISA names). Throws
// InvalidArgument for a name that is unknown or not supported here.
template <class Real>
const KernelTable<Real>& kernels(std::string_view name = {});

}  // namespace grulearn
