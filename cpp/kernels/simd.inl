// Vectors of the instruction set that this object is compiled for. Included inside a namespace named after the set.
//
// GRULEARN_VECTOR_BYTES is the hardware's width: wider vectors compile, but run 5-6 times slower. GRULEARN_REAL is
// float or double; where their instructions differ, both stand side by side under `if constexpr (kSingle)`.

using std::int32_t;
using std::int64_t;

constexpr int kVectorBytes = GRULEARN_VECTOR_BYTES;
using real = GRULEARN_REAL;
constexpr bool kSingle = sizeof(real) == sizeof(float);
constexpr int V = kVectorBytes / static_cast<int>(sizeof(real));
constexpr real kOne = 1;

template <bool Single>
struct IntegerAsWide {
    using type = int32_t;
};
template <>
struct IntegerAsWide<false> {
    using type = int64_t;
};
using integer = IntegerAsWide<kSingle>::type;

typedef real vec __attribute__((vector_size(kVectorBytes)));
typedef integer ivec __attribute__((vector_size(kVectorBytes)));
typedef real vec_unaligned __attribute__((vector_size(kVectorBytes), aligned(sizeof(real)), may_alias));

#define GRULEARN_INLINE static inline __attribute__((always_inline))
#define GRULEARN_UNROLL _Pragma("GCC unroll 16")
#define GRULEARN_NOINLINE static __attribute__((noinline))

GRULEARN_INLINE vec load(const real* p) { return *reinterpret_cast<const vec_unaligned*>(p); }
GRULEARN_INLINE void store(real* p, vec x) { *reinterpret_cast<vec_unaligned*>(p) = x; }
GRULEARN_INLINE vec splat(real x) { return x - vec{}; }

// a * b + c. Always explicit, and contraction is off: a compiler that fuses by itself does it differently in each
// instantiation, and then a row's result depends on the tile it was computed in.
#if defined(__AVX512F__)
// GCC 12 warns of an uninitialised value inside the unmasked forms of some intrinsics.
constexpr __mmask16 kAllLanes = 0xFFFF;
GRULEARN_INLINE vec fma(vec a, vec b, vec c) {
    if constexpr (kSingle) return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
    return (vec)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
}
GRULEARN_INLINE vec square_root(vec x) {
    if constexpr (kSingle) return (vec)_mm512_maskz_sqrt_ps(kAllLanes, (__m512)x);
    return (vec)_mm512_maskz_sqrt_pd(static_cast<__mmask8>(kAllLanes), (__m512d)x);
}
#elif defined(__FMA__)
GRULEARN_INLINE vec fma(vec a, vec b, vec c) {
    if constexpr (kSingle) return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
    return (vec)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
}
GRULEARN_INLINE vec square_root(vec x) {
    if constexpr (kSingle) return (vec)_mm256_sqrt_ps((__m256)x);
    return (vec)_mm256_sqrt_pd((__m256d)x);
}
#elif defined(__aarch64__)
GRULEARN_INLINE vec fma(vec a, vec b, vec c) {
    if constexpr (kSingle) return (vec)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
    return (vec)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
}
GRULEARN_INLINE vec square_root(vec x) {
    if constexpr (kSingle) return (vec)vsqrtq_f32((float32x4_t)x);
    return (vec)vsqrtq_f64((float64x2_t)x);
}
#elif defined(__SSE2__)
GRULEARN_INLINE vec fma(vec a, vec b, vec c) { return a * b + c; }  // two roundings: SSE2 has no fused form
GRULEARN_INLINE vec square_root(vec x) {
    if constexpr (kSingle) return (vec)_mm_sqrt_ps((__m128)x);
    return (vec)_mm_sqrt_pd((__m128d)x);
}
#else
#error "no vector kernels for this processor: grulearn supports x86-64 and AArch64"
#endif

// The first `lanes` scalars; the rest are zero and their memory is not touched.
#if defined(__AVX512F__)
GRULEARN_INLINE __mmask16 first_lanes(int64_t lanes) { return static_cast<__mmask16>((1U << lanes) - 1U); }
GRULEARN_INLINE vec load_partial(const real* p, int64_t lanes) {
    if (lanes >= V) return load(p);
    if constexpr (kSingle) return (vec)_mm512_maskz_loadu_ps(first_lanes(lanes), p);
    return (vec)_mm512_maskz_loadu_pd(static_cast<__mmask8>(first_lanes(lanes)), p);
}
GRULEARN_INLINE void store_partial(real* p, vec x, int64_t lanes) {
    if (lanes >= V) {
        store(p, x);
    } else if constexpr (kSingle) {
        _mm512_mask_storeu_ps(p, first_lanes(lanes), (__m512)x);
    } else {
        _mm512_mask_storeu_pd(p, static_cast<__mmask8>(first_lanes(lanes)), (__m512d)x);
    }
}
#else
GRULEARN_INLINE vec load_partial(const real* p, int64_t lanes) {
    if (lanes >= V) return load(p);
    vec x{};
    for (int64_t i = 0; i < lanes; ++i) x[i] = p[i];
    return x;
}
GRULEARN_INLINE void store_partial(real* p, vec x, int64_t lanes) {
    if (lanes >= V) {
        store(p, x);
        return;
    }
    for (int64_t i = 0; i < lanes; ++i) p[i] = x[i];
}
#endif

// a / b; in float32 for b in [1e-38, 1e38]. There AVX-512 takes an approximate reciprocal (14 bits) and one Newton
// step, within 1.5 ulp: Intel's 512-bit division takes 16 cycles and made activations half of a forward step at H = 32.
// For float64, two more steps would gain little over the division.
GRULEARN_INLINE vec divide(vec a, vec b) {
#if defined(__AVX512F__)
    if constexpr (kSingle) {
        const vec y = (vec)_mm512_maskz_rcp14_ps(kAllLanes, (__m512)b);
        return a * fma(fma(-b, y, splat(kOne)), y, y);
    }
#endif
    return a / b;
}

// Keeps a weight vector in a register. Without it GCC folds the load into each FMA that uses it, and AVX2 code becomes
// bound by loads (.72 of the FMA peak instead of .95). It costs a move on SSE2, which has no fused loads worth keeping.
GRULEARN_INLINE void keep_in_register([[maybe_unused]] vec& x) {
#if defined(__AVX2__)
    asm("" : "+v"(x));
#endif
}

// Bounds x; NaN stays NaN: x86's min and max return their second operand if either is NaN, and a comparison with NaN
// is false.
GRULEARN_INLINE vec clamp(vec x, real low, real high) {
#if defined(__AVX512F__)
    if constexpr (kSingle) {
        const __m512 above = _mm512_maskz_max_ps(kAllLanes, (__m512)splat(low), (__m512)x);
        return (vec)_mm512_maskz_min_ps(kAllLanes, (__m512)splat(high), above);
    }
    constexpr auto all = static_cast<__mmask8>(kAllLanes);
    const __m512d above = _mm512_maskz_max_pd(all, (__m512d)splat(low), (__m512d)x);
    return (vec)_mm512_maskz_min_pd(all, (__m512d)splat(high), above);
#elif defined(__AVX2__)
    if constexpr (kSingle) {
        return (vec)_mm256_min_ps((__m256)splat(high), _mm256_max_ps((__m256)splat(low), (__m256)x));
    }
    return (vec)_mm256_min_pd((__m256d)splat(high), _mm256_max_pd((__m256d)splat(low), (__m256d)x));
#elif defined(__SSE2__)
    if constexpr (kSingle) return (vec)_mm_min_ps((__m128)splat(high), _mm_max_ps((__m128)splat(low), (__m128)x));
    return (vec)_mm_min_pd((__m128d)splat(high), _mm_max_pd((__m128d)splat(low), (__m128d)x));
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
GRULEARN_INLINE real sum_lanes(vec x) {
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

// How many scalars of panel p are hidden units, not padding.
GRULEARN_INLINE int64_t lanes_of(int64_t size, int64_t panel) {
    const int64_t left = size - panel * V;
    return left < V ? left : V;
}
