// The most multiply-adds this processor does with these vectors, as a yardstick for the kernels above.

// Independent sums: ports times latency at least (2 * 4 on today's x86, 4 * 4 on the widest AArch64), and two registers
// are left for the factors.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kPeakSums = 16;
#else
constexpr int kPeakSums = 12;
#endif

// Tells the compiler that x may have changed, in its register: nothing is folded, moved or left out.
GRULEARN_INLINE void opaque(vec& x) {
#if defined(__AVX512F__)
    asm volatile("" : "+v"(x));
#elif defined(__x86_64__)
    asm volatile("" : "+x"(x));
#else
    asm volatile("" : "+w"(x));
#endif
}

static int64_t peak(int64_t rounds) {
    vec sums[kPeakSums];
    GRULEARN_UNROLL
    for (int i = 0; i < kPeakSums; ++i) sums[i] = splat(static_cast<real>(i));
    const vec factor = splat(static_cast<real>(0.5)), term = splat(kOne);  // tends to 2: nothing under- or overflows
    for (int64_t round = 0; round < rounds; ++round) {
        GRULEARN_UNROLL
        for (int i = 0; i < kPeakSums; ++i) {
            sums[i] = fma(sums[i], factor, term);
            opaque(sums[i]);
        }
    }
    return rounds * kPeakSums * V * 2;
}
