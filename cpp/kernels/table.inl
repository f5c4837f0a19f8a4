// Everything of one instruction set and scalar. The including file defines GRULEARN_ISA (a namespace) and
// GRULEARN_VECTOR_BYTES, the build GRULEARN_REAL: float or double.
//
// All functions have internal linkage but table<GRULEARN_REAL>(): an inline function shared with an object compiled for
// another set could be the copy that the linker keeps, and would then run illegal instructions on a smaller machine.
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

using ForwardStep = grulearn::ForwardStep<real>;
using InputProduct = grulearn::InputProduct<real>;
using BackwardStep = grulearn::BackwardStep<real>;
using InputGradient = grulearn::InputGradient<real>;
using WeightGradient = grulearn::WeightGradient<real>;
using BiasGradient = grulearn::BiasGradient<real>;
using DecayInputs = grulearn::DecayInputs<real>;
using DecayStates = grulearn::DecayStates<real>;
using DecayStatesGradient = grulearn::DecayStatesGradient<real>;
using DecayRateGradient = grulearn::DecayRateGradient<real>;
using NormStep = grulearn::NormStep<real>;
using NormGradient = grulearn::NormGradient<real>;
using NormGainGradient = grulearn::NormGainGradient<real>;
using DropRows = grulearn::DropRows<real>;
using ScaleRows = grulearn::ScaleRows<real>;
using ZoneoutRows = grulearn::ZoneoutRows<real>;
using BypassRows = grulearn::BypassRows<real>;
using ZoneoutGradient = grulearn::ZoneoutGradient<real>;
using HeadForward = grulearn::HeadForward<real>;
using HeadInputGradient = grulearn::HeadInputGradient<real>;
using HeadWeightGradient = grulearn::HeadWeightGradient<real>;
using LossRows = grulearn::LossRows<real>;
using LinkRows = grulearn::LinkRows<real>;
using PoolRows = grulearn::PoolRows<real>;
using AdamStep = grulearn::AdamStep<real>;
using AverageStep = grulearn::AverageStep<real>;

#include "activation.inl"
#include "forward.inl"
#include "backward.inl"
#include "gradient.inl"
#include "head.inl"
#include "exponential.inl"
#include "decay.inl"
#include "norm.inl"
#include "mask.inl"
#include "loss.inl"
#include "link.inl"
#include "pool.inl"
#include "adam.inl"
#include "peak.inl"

}  // namespace

template <class Real>
const KernelTable<Real>& table();

template <>
const KernelTable<real>& table<real>() {
    static constexpr KernelTable<real> kernels = {
        GRULEARN_STRING(GRULEARN_ISA),
        V,
        forward_step,
        input_product,
        backward_step,
        input_gradient,
        weight_gradient,
        bias_gradient,
        decay_inputs,
        decay_inputs_gradient,
        decay_states,
        decay_states_gradient,
        decay_rate_gradient,
        norm_step,
        norm_gradient,
        norm_gain_gradient,
        drop_rows,
        scale_rows,
        zoneout,
        zoneout_gradient,
        park_gradient,
        leaving_gradient,
        head_forward,
        head_input_gradient,
        head_weight_gradient,
        loss_and_slope,
        link,
        pool_sum,
        pool_max,
        pool_max_gradient,
        attention,
        attention_gradient,
        adam,
        average,
        sum_of_squares,
        transpose,
        peak,
    };
    return kernels;
}

}  // namespace grulearn::GRULEARN_ISA
