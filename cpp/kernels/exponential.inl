// Exponential, logarithm and what losses build from them, each to a few units in the last place.

// ln 2 in two parts: the first has so few bits that its product with an exponent is exact, fused or not.
constexpr real kLn2High = kSingle ? static_cast<real>(0.693359375) : static_cast<real>(0.693147180369123816490);
constexpr real kLn2Low = kSingle ? static_cast<real>(-2.12194440e-4) : static_cast<real>(1.90821492927058770002e-10);

constexpr real kExpLow = kSingle ? -87 : -708;  // beyond, 2^k would leave the normal numbers
constexpr real kExpHigh = kSingle ? 88 : 709;

// e^x for x within [kExpLow, kExpHigh], beyond them as at the ends. NaN stays NaN.
GRULEARN_INLINE vec exponential(vec x) {
    const Power& c = power_constants();
    x = clamp(x, kExpLow, kExpHigh);
    const vec shifted = fma(x, splat(c.log2_e), splat(c.magic));
    const vec k = shifted - splat(c.magic);
    const vec rest = fma(-k, splat(kLn2Low), fma(-k, splat(kLn2High), x));
    vec f[1] = {rest * splat(c.log2_e)};
    vec sum[1];
    polynomial(sum, f, c.fine);
    const vec power = (vec)((ivec)shifted << kMantissaBits);
    return fma(power, sum[0] * f[0], power);
}

// 2 atanh(s) = 2 s (1 + s^2 / 3 + s^4 / 5 + ...), summed to the given number of terms.
template <int Terms>
GRULEARN_INLINE vec twice_atanh(vec s) {
    const vec square = s * s;
    vec sum = splat(kOne / (2 * Terms - 1));
    GRULEARN_UNROLL
    for (int i = Terms - 2; i >= 0; --i) sum = fma(sum, square, splat(kOne / (2 * i + 1)));
    return (s + s) * sum;
}

// log(1 + u) for u in [0, 1]: s = u / (2 + u) is at most 1/3, so a term more gains a factor of 9.
GRULEARN_INLINE vec log_one_plus(vec u) { return twice_atanh<kSingle ? 8 : 17>(divide(u, u + splat(2))); }

// log x of a positive normal number: x = 2^k m with m in [sqrt 1/2, sqrt 2), so that |s| is below 0.172 and a term more
// gains a factor of 34. NaN and infinity stay as they are.
GRULEARN_INLINE vec natural_log(vec x) {
    constexpr integer root_half = kSingle ? static_cast<integer>(0x3F3504F3) : static_cast<integer>(0x3FE6A09E667F3BCD);
    const ivec bits = (ivec)x;
    const ivec k = (bits - root_half) >> kMantissaBits;
    const vec m = (vec)(bits - (k << kMantissaBits));
    const vec log_m = twice_atanh<kSingle ? 5 : 11>(divide(m - splat(kOne), m + splat(kOne)));
    const vec exponent = __builtin_convertvector(k, vec);
    const vec log_x = fma(exponent, splat(kLn2High), fma(exponent, splat(kLn2Low), log_m));
    const vec largest = splat(static_cast<real>(kSingle ? 3.4028234e38 : 1.7976931348623157e308));
    return x <= largest ? log_x : x;
}

GRULEARN_INLINE vec positive_part(vec x) { return x > vec{} ? x : vec{}; }

// log(1 + e^x) = positive_part(x) + beyond, and its derivative, the sigmoid: both from e^-|x|, which cannot overflow.
struct Softplus {
    vec beyond, slope;
};
GRULEARN_INLINE Softplus softplus(vec x) {
    const vec u = exponential(x < vec{} ? x : -x);
    const vec reciprocal = divide(splat(kOne), splat(kOne) + u);
    return {log_one_plus(u), x < vec{} ? u * reciprocal : reciprocal};
}
