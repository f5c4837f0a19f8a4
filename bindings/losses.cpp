#include "losses.hpp"

#include <utility>

#include "grulearn/errors.hpp"

namespace grulearn::bindings {

Loss loss_of(const std::string& name) {
    static constexpr std::pair<const char*, Loss> kLosses[] = {{"squared_error", Loss::squared_error},
                                                               {"absolute_error", Loss::absolute_error},
                                                               {"huber", Loss::huber},
                                                               {"pinball", Loss::pinball},
                                                               {"poisson", Loss::poisson},
                                                               {"gaussian", Loss::gaussian},
                                                               {"cross_entropy", Loss::cross_entropy},
                                                               {"binary_cross_entropy", Loss::binary_cross_entropy}};
    for (const auto& [known, loss] : kLosses) {
        if (name == known) return loss;
    }
    throw InvalidArgument("loss: there is none called '" + name + "'");
}

}  // namespace grulearn::bindings
