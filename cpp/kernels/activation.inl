// sigmoid and tanh of several vectors at once, through one range reduction: e^x = 2^k e^r with |r| <= ln(2) / 2.
//
// N vectors go through every operation together. One after the other they would take twice as long: the chain of one is
// some 80 cycles, and the scheduler's window holds little more than one.

// For |x| <= 88: scale = 2^k and fraction = e^r - 1, so e^x = scale * (fraction + 1). The polynomial is
// r + r^2 q(r) with the q of degree 4 that minimises the largest relative error of e^r - 1, which is 1.7e-8 before
// rounding (degree 3 would have 4.5e-7). NaN goes through `fraction`.
template <int N>
GRULEARN_INLINE void split_exponential(const vec (&x)[N], vec (&scale)[N], vec (&fraction)[N]) {
    constexpr float q[] = {0.00138825167F, 0.00836654752F, 0.0416672006F, 0.166665435F, 0.49999997F};
    const vec magic = splat(12582912.0F);  // 1.5 * 2^23: adding it rounds to an integer, kept in the low bits
    vec k[N], r[N];
    GRULEARN_UNROLL
    for (int i = 0; i < N; ++i) k[i] = fma(x[i], splat(1.44269504088896341F), magic);
    GRULEARN_UNROLL
    for (int i = 0; i < N; ++i) {
        scale[i] = (vec)(((ivec)k[i] - (ivec)magic + 127) << 23);
        k[i] -= magic;
    }
    // ln 2 in two parts, the first exact in 9 bits
    GRULEARN_UNROLL
    for (int i = 0; i < N; ++i) r[i] = fma(k[i], splat(-0.693359375F), x[i]);
    GRULEARN_UNROLL
    for (int i = 0; i < N; ++i) r[i] = fma(k[i], splat(2.12194440e-4F), r[i]);
    GRULEARN_UNROLL
    for (int i = 0; i < N; ++i) fraction[i] = fma(splat(q[0]), r[i], splat(q[1]));
    GRULEARN_UNROLL
    for (int degree = 2; degree < 5; ++degree) {
        GRULEARN_UNROLL
        for (int i = 0; i < N; ++i) fraction[i] = fma(fraction[i], r[i], splat(q[degree]));
    }
    GRULEARN_UNROLL
    for (int i = 0; i < N; ++i) fraction[i] = fma(fraction[i], r[i] * r[i], r[i]);
}

// x = 1 / (1 + e^-x), absolute error below 1e-7. Beyond 87 the exponential would leave the normal numbers.
template <int N>
GRULEARN_INLINE void sigmoid(vec (&x)[N]) {
    vec scale[N], fraction[N];
    GRULEARN_UNROLL
    for (int i = 0; i < N; ++i) x[i] = clamp(-x[i], -87.0F, 87.0F);
    split_exponential(x, scale, fraction);
    GRULEARN_UNROLL
    for (int i = 0; i < N; ++i) x[i] = divide(splat(1.0F), fma(scale[i], fraction[i], scale[i]) + 1.0F);
}

// x = tanh x = e / (e + 2) with e = e^2x - 1, which keeps the relative error below 4e-7 near zero as well. |x| = 10 is
// 1 to float precision.
template <int N>
GRULEARN_INLINE void hyperbolic_tangent(vec (&x)[N]) {
    vec scale[N], fraction[N];
    GRULEARN_UNROLL
    for (int i = 0; i < N; ++i) {
        x[i] = clamp(x[i], -10.0F, 10.0F);
        x[i] += x[i];
    }
    split_exponential(x, scale, fraction);
    GRULEARN_UNROLL
    for (int i = 0; i < N; ++i) x[i] = fma(scale[i], fraction[i], scale[i] - 1.0F);
    GRULEARN_UNROLL
    for (int i = 0; i < N; ++i) x[i] = divide(x[i], x[i] + 2.0F);
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
