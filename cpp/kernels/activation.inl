// sigmoid and tanh of a vector, through one range reduction: e^x = 2^k e^r with |r| <= ln(2) / 2.

// For |x| <= 88: scale = 2^k and fraction = e^r - 1, so e^x = scale * (fraction + 1). The polynomial is
// r + r^2 q(r) with the q of degree 4 that minimises the largest relative error of e^r - 1, which is 1.7e-8 before
// rounding (degree 3 would have 4.5e-7). NaN goes through `fraction`.
GRULEARN_INLINE void split_exponential(vec x, vec& scale, vec& fraction) {
    const vec magic = splat(12582912.0F);  // 1.5 * 2^23: adding it rounds to an integer, kept in the low bits
    const vec shifted = fma(x, splat(1.44269504088896341F), magic);
    const ivec k = (ivec)shifted - (ivec)magic;
    const vec kf = shifted - magic;
    vec r = fma(kf, splat(-0.693359375F), x);  // ln 2 in two parts, the first exact in 9 bits
    r = fma(kf, splat(2.12194440e-4F), r);
    vec p = splat(0.00138825167F);
    p = fma(p, r, splat(0.00836654752F));
    p = fma(p, r, splat(0.0416672006F));
    p = fma(p, r, splat(0.166665435F));
    p = fma(p, r, splat(0.49999997F));
    fraction = fma(p, r * r, r);
    scale = (vec)((k + 127) << 23);
}

// 1 / (1 + e^-x), absolute error below 1e-7. Beyond 87 the exponential would leave the normal numbers.
GRULEARN_INLINE vec sigmoid(vec x) {
    vec scale;
    vec fraction;
    split_exponential(clamp(-x, -87.0F, 87.0F), scale, fraction);
    return divide(splat(1.0F), fma(scale, fraction, scale) + 1.0F);
}

// tanh x = e / (e + 2) with e = e^2x - 1, which keeps the relative error below 3e-7 near zero as well. |x| = 10 is 1
// to float precision.
GRULEARN_INLINE vec hyperbolic_tangent(vec x) {
    vec scale;
    vec fraction;
    const vec bounded = clamp(x, -10.0F, 10.0F);
    split_exponential(bounded + bounded, scale, fraction);
    const vec e = fma(scale, fraction, scale - 1.0F);
    return divide(e, e + 2.0F);
}
