// sigmoid and tanh of several vectors at once, through one range reduction: e^x = 2^k e^r with |r| <= ln(2) / 2.
//
// N vectors go through every operation together. One after the other they would take twice as long: the chain of one is
// some 80 cycles, and the scheduler's window holds little more than one.

// The constants of e^x for a scalar type. e^r - 1 is r + r^2 q(r), with the q that minimises the largest relative
// error.
template <bool Single>
struct Exponential {
    // Degree 4: 1.7e-8 before rounding (degree 3 would have 4.5e-7).
    static constexpr float q[] = {0.00138825167F, 0.00836654752F, 0.0416672006F, 0.166665435F, 0.49999997F};
    static constexpr float magic = 12582912.0F;  // 1.5 * 2^23: adding it rounds to an integer, kept in the low bits
    static constexpr int bias = 127, mantissa = 23;
    // ln 2 in two parts, the first exact in 9 bits
    static constexpr float ln2_high = 0.693359375F, ln2_low = -2.12194440e-4F;
    static constexpr float sigmoid_end = 87.0F;  // beyond it the exponential would leave the normal numbers
    static constexpr float tanh_end = 10.0F;  // tanh is 1 to rounding
};
template <>
struct Exponential<false> {
    // Degree 10: 2.6e-19 before rounding (degree 9 would have 1.8e-17, a sixth of an ulp).
    static constexpr double q[] = {2.087532539497715e-09,
                                   2.5108979033673004e-08,
                                   2.7557402660061107e-07,
                                   2.7557244373810235e-06,
                                   2.480158717251588e-05,
                                   0.00019841269885966236,
                                   0.0013888888888962383,
                                   0.008333333333321691,
                                   0.04166666666666651,
                                   0.16666666666666677,
                                   0.5};
    static constexpr double magic = 6755399441055744.0;  // 1.5 * 2^52
    static constexpr int bias = 1023, mantissa = 52;
    // The first part has 33 bits, so that its product with k is exact without fused arithmetic as well.
    static constexpr double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
    static constexpr double sigmoid_end = 708.0;
    static constexpr double tanh_end = 20.0;
};
using Exp = Exponential<kSingle>;

// For |x| <= Exp::sigmoid_end: scale = 2^k and fraction = e^r - 1, so e^x = scale * (fraction + 1). NaN goes through
// `fraction`.
template <int N>
GRULEARN_INLINE void split_exponential(const vec (&x)[N], vec (&scale)[N], vec (&fraction)[N]) {
    constexpr int terms = sizeof(Exp::q) / sizeof(real);
    const vec magic = splat(Exp::magic);
    vec k[N], r[N];
    GRULEARN_UNROLL
    for (int i = 0; i < N; ++i) k[i] = fma(x[i], splat(static_cast<real>(1.44269504088896341)), magic);
    GRULEARN_UNROLL
    for (int i = 0; i < N; ++i) {
        scale[i] = (vec)(((ivec)k[i] - (ivec)magic + Exp::bias) << Exp::mantissa);
        k[i] -= magic;
    }
    GRULEARN_UNROLL
    for (int i = 0; i < N; ++i) r[i] = fma(k[i], splat(-Exp::ln2_high), x[i]);
    GRULEARN_UNROLL
    for (int i = 0; i < N; ++i) r[i] = fma(k[i], splat(-Exp::ln2_low), r[i]);
    GRULEARN_UNROLL
    for (int i = 0; i < N; ++i) fraction[i] = fma(splat(Exp::q[0]), r[i], splat(Exp::q[1]));
    GRULEARN_UNROLL
    for (int degree = 2; degree < terms; ++degree) {
        GRULEARN_UNROLL
        for (int i = 0; i < N; ++i) fraction[i] = fma(fraction[i], r[i], splat(Exp::q[degree]));
    }
    GRULEARN_UNROLL
    for (int i = 0; i < N; ++i) fraction[i] = fma(fraction[i], r[i] * r[i], r[i]);
}

// x = 1 / (1 + e^-x), absolute error below 1e-7 (float64: 3e-16).
template <int N>
GRULEARN_INLINE void sigmoid(vec (&x)[N]) {
    vec scale[N], fraction[N];
    GRULEARN_UNROLL
    for (int i = 0; i < N; ++i) x[i] = clamp(-x[i], -Exp::sigmoid_end, Exp::sigmoid_end);
    split_exponential(x, scale, fraction);
    GRULEARN_UNROLL
    for (int i = 0; i < N; ++i) x[i] = divide(splat(kOne), fma(scale[i], fraction[i], scale[i]) + kOne);
}

// x = tanh x = e / (e + 2) with e = e^2x - 1, which keeps the relative error below 4e-7 (float64: 1e-15) near zero as
// well.
template <int N>
GRULEARN_INLINE void hyperbolic_tangent(vec (&x)[N]) {
    vec scale[N], fraction[N];
    GRULEARN_UNROLL
    for (int i = 0; i < N; ++i) {
        x[i] = clamp(x[i], -Exp::tanh_end, Exp::tanh_end);
        x[i] += x[i];
    }
    split_exponential(x, scale, fraction);
    GRULEARN_UNROLL
    for (int i = 0; i < N; ++i) x[i] = fma(scale[i], fraction[i], scale[i] - kOne);
    GRULEARN_UNROLL
    for (int i = 0; i < N; ++i) x[i] = divide(x[i], x[i] + static_cast<real>(2));
}

// How many vectors to take at once: their temporaries must fit the registers (32 of AVX-512, 16 else).
#if defined(__AVX512F__)
constexpr int kActivations = 4;
#else
constexpr int kActivations = 2;
#endif

// Calls Finish::template finish<N>(args..., first) for all items, as many at once as possible.
template <class Phase, int N, class... Args>
GRULEARN_INLINE void in_groups(int first, int count, const Args&... args) {
    for (; first + N <= count; first += N) Phase::template finish<N>(args..., first);
    if constexpr (N > 1) in_groups<Phase, N / 2>(first, count, args...);
}
