// Vectors of the instruction set that this object is compiled for. Included inside a namespace named after the set.
//
// GRULEARN_VECTOR_BYTES is the hardware's width: wider vectors compile, but run 5-6 times slower.

using std::int32_t;
using std::int64_t;

constexpr int kVectorBytes = GRULEARN_VECTOR_BYTES;
constexpr int V = kVectorBytes / static_cast<int>(sizeof(float));

typedef float vec __attribute__((vector_size(kVectorBytes)));
typedef int32_t ivec __attribute__((vector_size(kVectorBytes)));
typedef float vec_unaligned __attribute__((vector_size(kVectorBytes), aligned(4), may_alias));

#define GRULEARN_INLINE static inline __attribute__((always_inline))
#define GRULEARN_UNROLL _Pragma("GCC unroll 16")
#define GRULEARN_NOINLINE static __attribute__((noinline))

GRULEARN_INLINE vec load(const float* p) { return *reinterpret_cast<const vec_unaligned*>(p); }
GRULEARN_INLINE void store(float* p, vec x) { *reinterpret_cast<vec_unaligned*>(p) = x; }
GRULEARN_INLINE vec splat(float x) { return x - vec{}; }

// a * b + c. Always explicit, and contraction is off: a compiler that fuses by itself does it differently in each
// instantiation, and then a row's result depends on the tile it was computed in.
#if defined(__AVX512F__)
// GCC 12 warns of an uninitialised value inside the unmasked forms of some intrinsics.
constexpr __mmask16 kAllLanes = 0xFFFF;
GRULEARN_INLINE vec fma(vec a, vec b, vec c) { return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
GRULEARN_INLINE vec square_root(vec x) { return (vec)_mm512_maskz_sqrt_ps(kAllLanes, (__m512)x); }
#elif defined(__FMA__)
GRULEARN_INLINE vec fma(vec a, vec b, vec c) { return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
GRULEARN_INLINE vec square_root(vec x) { return (vec)_mm256_sqrt_ps((__m256)x); }
#elif defined(__aarch64__)
GRULEARN_INLINE vec fma(vec a, vec b, vec c) { return (vec)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b); }
GRULEARN_INLINE vec square_root(vec x) { return (vec)vsqrtq_f32((float32x4_t)x); }
#elif defined(__SSE2__)
GRULEARN_INLINE vec fma(vec a, vec b, vec c) { return a * b + c; }  // two roundings: SSE2 has no fused form
GRULEARN_INLINE vec square_root(vec x) { return (vec)_mm_sqrt_ps((__m128)x); }
#else
#error "no vector kernels for this processor: grulearn supports x86-64 and AArch64"
#endif

// The first `lanes` floats; the rest are zero and their memory is not touched.
#if defined(__AVX512F__)
GRULEARN_INLINE __mmask16 first_lanes(int64_t lanes) { return static_cast<__mmask16>((1U << lanes) - 1U); }
GRULEARN_INLINE vec load_partial(const float* p, int64_t lanes) {
    return lanes >= V ? load(p) : (vec)_mm512_maskz_loadu_ps(first_lanes(lanes), p);
}
GRULEARN_INLINE void store_partial(float* p, vec x, int64_t lanes) {
    if (lanes >= V) {
        store(p, x);
    } else {
        _mm512_mask_storeu_ps(p, first_lanes(lanes), (__m512)x);
    }
}
#else
GRULEARN_INLINE vec load_partial(const float* p, int64_t lanes) {
    if (lanes >= V) return load(p);
    vec x{};
    for (int64_t i = 0; i < lanes; ++i) x[i] = p[i];
    return x;
}
GRULEARN_INLINE void store_partial(float* p, vec x, int64_t lanes) {
    if (lanes >= V) {
        store(p, x);
        return;
    }
    for (int64_t i = 0; i < lanes; ++i) p[i] = x[i];
}
#endif

// a / b for b in [1e-38, 1e38]. On AVX-512 an approximate reciprocal (14 bits) and one Newton step, within 1.5 ulp:
// Intel's 512-bit division takes 16 cycles and made activations half of a forward step at H = 32.
#if defined(__AVX512F__)
GRULEARN_INLINE vec divide(vec a, vec b) {
    const vec y = (vec)_mm512_maskz_rcp14_ps(kAllLanes, (__m512)b);
    return a * fma(fma(-b, y, splat(1.0F)), y, y);
}
#else
GRULEARN_INLINE vec divide(vec a, vec b) { return a / b; }
#endif

// Keeps a weight vector in a register. Without it GCC folds the load into each FMA that uses it, and AVX2 code becomes
// bound by loads (.72 of the FMA peak instead of .95). It costs a move on SSE2, which has no fused loads worth keeping.
GRULEARN_INLINE void keep_in_register([[maybe_unused]] vec& x) {
#if defined(__AVX2__)
    asm("" : "+v"(x));
#endif
}

// Bounds x; NaN stays NaN: x86's min and max return their second operand if either is NaN, and a comparison with NaN
// is false.
GRULEARN_INLINE vec clamp(vec x, float low, float high) {
#if defined(__AVX512F__)
    const __m512 above = _mm512_maskz_max_ps(kAllLanes, (__m512)splat(low), (__m512)x);
    return (vec)_mm512_maskz_min_ps(kAllLanes, (__m512)splat(high), above);
#elif defined(__AVX2__)
    return (vec)_mm256_min_ps((__m256)splat(high), _mm256_max_ps((__m256)splat(low), (__m256)x));
#elif defined(__SSE2__)
    return (vec)_mm_min_ps((__m128)splat(high), _mm_max_ps((__m128)splat(low), (__m128)x));
#else
    x = x < low ? splat(low) : x;
    return x > high ? splat(high) : x;
#endif
}

// 0, 1, ..., N - 1 as template arguments, for shuffles.
template <int... I>
struct Lanes {};
template <int N, int... I>
struct MakeLanes : MakeLanes<N - 1, N - 1, I...> {};
template <int... I>
struct MakeLanes<0, I...> {
    using type = Lanes<I...>;
};
using AllLanes = typename MakeLanes<V>::type;

template <int Distance, int... I>
GRULEARN_INLINE vec swap_lanes(vec x, Lanes<I...>) {
    return __builtin_shufflevector(x, x, (I ^ Distance)...);
}

// Sum of the lanes, always in the same order: halves are folded onto each other.
template <int Half = V / 2>
GRULEARN_INLINE float sum_lanes(vec x) {
    if constexpr (Half > 0) {
        return sum_lanes<Half / 2>(x + swap_lanes<Half>(x, AllLanes{}));
    } else {
        return x[0];
    }
}

// Interleaves the lower (upper) halves of a and b: a0 b0 a1 b1 ...
template <int Offset, int... I>
GRULEARN_INLINE vec interleave(vec a, vec b, Lanes<I...>) {
    return __builtin_shufflevector(a, b, (Offset + I / 2 + (I % 2) * V)...);
}

// Transposes V vectors in place: log2(V) rounds of perfect shuffles.
GRULEARN_INLINE void transpose_block(vec (&x)[V]) {
    for (int round = 1; round < V; round *= 2) {
        vec y[V];
        GRULEARN_UNROLL
        for (int i = 0; i < V / 2; ++i) {
            y[2 * i] = interleave<0>(x[i], x[i + V / 2], AllLanes{});
            y[2 * i + 1] = interleave<V / 2>(x[i], x[i + V / 2], AllLanes{});
        }
        GRULEARN_UNROLL
        for (int i = 0; i < V; ++i) x[i] = y[i];
    }
}

// How many floats of panel p are hidden units, not padding.
GRULEARN_INLINE int64_t lanes_of(int64_t size, int64_t panel) {
    const int64_t left = size - panel * V;
    return left < V ? left : V;
}
