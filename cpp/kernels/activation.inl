// sigmoid and tanh of several vectors at once, through 2^t = 2^k 2^f with |f| <= 1/2.
//
// N vectors go through every operation together. One after the other they would take twice as long: the chain of one is
// some 80 cycles, and the scheduler's window holds little more than one.

// The constants for a scalar type. 2^f - 1 is f q(f), with the q that minimises the largest relative error: `coarse` is
// enough where 1 is added, `fine` serves where the difference itself counts.
template <bool Single>
struct PowerOfTwo {
    // 1.5 * 2^23 + 127: adding it rounds to an integer k and leaves k + 127, the exponent of 2^k, in the low bits
    float magic = 12583039.0F;
    float log2_e = 1.44269504088896341F;
    float sigmoid_end = 125.0F;  // beyond it the power or its reciprocal would leave the normal numbers
    float tanh_end = 28.0F;  // tanh is 1 to rounding
    // degrees 4 and 5: 4.7e-7 and 2.1e-8
    float coarse[5] = {0.0013333539F, 0.009666245F, 0.055505004F, 0.24022351F, 0.6931471F};
    float fine[6] = {0.00015403512F, 0.0013390735F, 0.009618238F, 0.055503573F, 0.24022649F, 0.6931472F};
};
template <>
struct PowerOfTwo<false> {
    double magic = 6755399441056767.0;  // 1.5 * 2^52 + 1023
    double log2_e = 1.44269504088896341;
    double sigmoid_end = 1021.0;
    double tanh_end = 58.0;
    // degrees 10 and 11: 1.8e-17 and 2.4e-19 before rounding
    double coarse[11] = {4.445536131848176e-10,  7.072561768398301e-09,  1.0178121305806717e-07, 1.3215442723878389e-06,
                         1.5252733701200714e-05, 0.00015403530441481284, 0.0013333558146531644,  0.009618129107607065,
                         0.055504108664821236,   0.24022650695910097,    0.6931471805599453};
    double fine[12] = {2.5678427880795454e-11, 4.4558048529021944e-10, 7.054932272255499e-09,  1.0178057169296206e-07,
                       1.3215486721357533e-06, 1.5252733841378453e-05, 0.00015403530393466168, 0.001333355814640663,
                       0.009618129107628437,   0.055504108664821625,   0.24022650695910072,    0.6931471805599453};
};
using Power = PowerOfTwo<kSingle>;
constexpr Power kPower;
constexpr int kMantissaBits = kSingle ? 23 : 52;

// Hides from the compiler where the constants are: it would keep each in a register of its own for good, and spill the
// data instead.
GRULEARN_INLINE const Power& power_constants() {
    const Power* constants = &kPower;
    asm("" : "+r"(constants));
    return *constants;
}

// t becomes f, and scale = 2^k. NaN goes through f.
template <int N>
GRULEARN_INLINE void split_power(vec (&t)[N], vec (&scale)[N], const Power& c) {
    GRULEARN_UNROLL
    for (int i = 0; i < N; ++i) scale[i] = t[i] + splat(c.magic);
    GRULEARN_UNROLL
    for (int i = 0; i < N; ++i) t[i] -= scale[i] - splat(c.magic);
    GRULEARN_UNROLL
    for (int i = 0; i < N; ++i) scale[i] = (vec)((ivec)scale[i] << kMantissaBits);
}

template <int N, int Terms>
GRULEARN_INLINE void polynomial(vec (&sum)[N], const vec (&f)[N], const real (&coefficients)[Terms]) {
    GRULEARN_UNROLL
    for (int i = 0; i < N; ++i) sum[i] = fma(splat(coefficients[0]), f[i], splat(coefficients[1]));
    GRULEARN_UNROLL
    for (int degree = 2; degree < Terms; ++degree) {
        GRULEARN_UNROLL
        for (int i = 0; i < N; ++i) sum[i] = fma(sum[i], f[i], splat(coefficients[degree]));
    }
}

// x = 1 / (1 + e^-x), absolute error below 1e-7 (float64: 3e-16).
template <int N>
GRULEARN_INLINE void sigmoid(vec (&x)[N]) {
    const Power& c = power_constants();
    vec scale[N], sum[N];
    GRULEARN_UNROLL
    for (int i = 0; i < N; ++i) x[i] = clamp(x[i] * splat(-c.log2_e), -c.sigmoid_end, c.sigmoid_end);
    split_power(x, scale, c);
    polynomial(sum, x, c.coarse);
    GRULEARN_UNROLL
    for (int i = 0; i < N; ++i) sum[i] = fma(sum[i], x[i], splat(kOne));
    GRULEARN_UNROLL
    for (int i = 0; i < N; ++i) x[i] = divide(splat(kOne), fma(scale[i], sum[i], splat(kOne)));
}

// x = tanh x = e / (e + 2) with e = e^2x - 1, which keeps the relative error below 4e-7 (float64: 1e-15) near zero as
// well.
template <int N>
GRULEARN_INLINE void hyperbolic_tangent(vec (&x)[N]) {
    const Power& c = power_constants();
    vec scale[N], sum[N];
    GRULEARN_UNROLL
    for (int i = 0; i < N; ++i) x[i] = clamp(x[i] * splat(2 * c.log2_e), -c.tanh_end, c.tanh_end);
    split_power(x, scale, c);
    polynomial(sum, x, c.fine);
    GRULEARN_UNROLL
    for (int i = 0; i < N; ++i) x[i] = fma(scale[i], sum[i] * x[i], scale[i] - kOne);
    GRULEARN_UNROLL
    for (int i = 0; i < N; ++i) x[i] = divide(x[i], x[i] + static_cast<real>(2));
}

// How many vectors to take at once: three registers each of 32 (AVX-512) or 16. Two FMA ports of latency 4 want 8
// operations in flight, some of which come from the group after: 8 vectors at once were 5 % slower on Zen 4, where a
// forward pass keeps a second gate in registers and spilled it.
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
