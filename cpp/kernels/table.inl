// Everything of one instruction set. The including file defines GRULEARN_ISA (a namespace) and GRULEARN_VECTOR_BYTES.
//
// All functions have internal linkage but table(): an inline function shared with an object compiled for another set
// could be the copy that the linker keeps, and would then run illegal instructions on a smaller machine.
#include "kernels.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define GRULEARN_STRING_OF(x) #x
#define GRULEARN_STRING(x) GRULEARN_STRING_OF(x)

namespace grulearn::GRULEARN_ISA {
namespace {

#include "simd.inl"
#include "activation.inl"
#include "forward.inl"
#include "backward.inl"
#include "gradient.inl"
#include "head.inl"
#include "adam.inl"

}  // namespace

const KernelTable& table() {
    static constexpr KernelTable kernels = {
        GRULEARN_STRING(GRULEARN_ISA),
        V,
        forward_step,
        backward_step,
        input_gradient,
        weight_gradient,
        bias_gradient,
        head_forward,
        head_input_gradient,
        head_weight_gradient,
        adam,
        sum_of_squares,
        transpose,
    };
    return kernels;
}

}  // namespace grulearn::GRULEARN_ISA
