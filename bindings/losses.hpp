// Losses by their Python names.
#pragma once

#include <string>

#include "grulearn/loss.hpp"

namespace grulearn::bindings {

// Throws InvalidArgument if there is none of that name.
Loss loss_of(const std::string& name);

}  // namespace grulearn::bindings
