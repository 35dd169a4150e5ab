/* Vectors of floats, which become whatever the processor has: vector types of GCC and Clang.
 *
 * Every function of the kernels is called from one thread and works on its own arrays, so sums never
 * change their order.
 */

#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif
#ifdef __AVX512F__
#include <immintrin.h>
#endif

#ifdef __AVX512F__
#define LANES 16
#define ALL_LANES {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
#else
#define LANES 8
#define ALL_LANES {0, 1, 2, 3, 4, 5, 6, 7}
#endif
typedef float vec __attribute__((vector_size(4 * LANES)));
typedef int32_t ints __attribute__((vector_size(4 * LANES)));
#define INLINE static inline __attribute__((always_inline))

/* A vector of lanes of a and b, by their numbers. */
#if defined(__clang__) || __GNUC__ >= 12
#define TAKE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define TAKE(a, b, ...) __builtin_shuffle(a, b, (ints){__VA_ARGS__})
#endif

INLINE vec load(const float *at) { vec v; memcpy(&v, at, sizeof v); return v; }
INLINE void store(float *at, vec v) { memcpy(at, &v, sizeof v); }
/* At most LANES numbers, the others 0. */
INLINE vec load_some(const float *at, int64_t count) {
    if (count >= LANES) return load(at);
#ifdef __AVX512F__
    return (vec)_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), at);
#else
    vec v = {0};
    for (int64_t i = 0; i < count; i++) v[i] = at[i];
    return v;
#endif
}
INLINE void store_some(float *at, vec v, int64_t count) {
    if (count >= LANES) { store(at, v); return; }
#ifdef __AVX512F__
    _mm512_mask_storeu_ps(at, (__mmask16)((1u << count) - 1), (__m512)v);
#else
    for (int64_t i = 0; i < count; i++) at[i] = v[i];
#endif
}
INLINE vec all(float x) { return x - (vec){0}; }
INLINE vec choose(ints where, vec yes, vec no) {
    return (vec)(((ints)yes & where) | ((ints)no & ~where));
}
/* The other half of the lanes, the other quarter, ... */
#if LANES == 16
#define FOLD(v, with)                                                                             \
    v = with(v, TAKE(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7)); \
    v = with(v, TAKE(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11)); \
    v = with(v, TAKE(v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13)); \
    v = with(v, TAKE(v, v, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14))
#else
#define FOLD(v, with)                                                                             \
    v = with(v, TAKE(v, v, 4, 5, 6, 7, 0, 1, 2, 3));                           \
    v = with(v, TAKE(v, v, 2, 3, 0, 1, 6, 7, 4, 5));                           \
    v = with(v, TAKE(v, v, 1, 0, 3, 2, 5, 4, 7, 6))
#endif
INLINE vec plus(vec a, vec b) { return a + b; }
/* Of numbers; b where one is none. */
#ifdef __AVX512F__
INLINE vec larger(vec a, vec b) { return (vec)_mm512_max_ps((__m512)a, (__m512)b); }
INLINE vec smaller(vec a, vec b) { return (vec)_mm512_min_ps((__m512)a, (__m512)b); }
#else
INLINE vec larger(vec a, vec b) { return choose(a > b, a, b); }
INLINE vec smaller(vec a, vec b) { return choose(a < b, a, b); }
#endif
/* 1 / x to 1 ulp or so, of numbers from 1 to 1e38. */
INLINE vec inverse_of(vec x) {
#ifdef __AVX512F__
    /* A division takes as long as all else that is done to most numbers. */
    vec near = (vec)_mm512_rcp14_ps((__m512)x);
    return near + near * (1.0f - x * near);
#else
    return 1.0f / x;
#endif
}
/* Whether a comparison holds anywhere. */
INLINE int any(ints where) {
#ifdef __AVX512F__
    return _mm512_test_epi32_mask((__m512i)where, (__m512i)where) != 0;
#else
    int found = 0;
    for (int i = 0; i < LANES; i++) found |= where[i];
    return found != 0;
#endif
}
INLINE float sum_of(vec v) { FOLD(v, plus); return v[0]; }
INLINE float largest_of(vec v) { FOLD(v, larger); return v[0]; }

/* Adding it to a number between -126 and 127 rounds that to a whole one, whose exponent then stands
 * in the lowest bits. */
#define ROUNDER 12583039.0f

/* 2^n e^f to about 2 ulp, where `shifted` is n plus ROUNDER, and |f| <= log(2) / 2. */
INLINE vec scaled_exp(vec shifted, vec f) {
    vec p = all(1.9875691500e-4f);
    p = p * f + 1.3981999507e-3f;
    p = p * f + 8.3334519073e-3f;
    p = p * f + 4.1665795894e-2f;
    p = p * f + 1.6666665459e-1f;
    p = p * f + 5.0000001201e-1f;
    p = p * f * f + f + 1.0f;
    return p * (vec)((ints)shifted << 23);
}

/* 2^y, for y from -126 to 127. */
INLINE vec power(vec y) {
    vec shifted = y + ROUNDER;
    return scaled_exp(shifted, (y - (shifted - ROUNDER)) * 0.69314718f);
}

/* exp(x); 0 below -87, e^88 above 88. */
INLINE vec vexp(vec x) {
    ints small = x < -87.0f;
    x = smaller(all(88.0f), larger(all(-87.0f), x));
    vec shifted = x * 1.44269504f + ROUNDER, n = shifted - ROUNDER;
    vec found = scaled_exp(shifted, x - n * 0.693359375f + n * 2.12194440e-4f);
    return (vec)((ints)found & ~small);
}

/* 2^x for x up to 127; 0 below -126. */
INLINE vec vexp2(vec x) {
    ints small = x < -126.0f;
    x = larger(all(-126.0f), x);
    vec shifted = x + ROUNDER, n = shifted - ROUNDER;
    return (vec)((ints)scaled_exp(shifted, (x - n) * 0.69314718f) & ~small);
}

/* So much memory is worth large pages, without which caches hold less of it. */
#define LARGE_PAGE (1 << 21)

/* The next multiple of LANES. */
INLINE int64_t whole_vectors(int64_t count) { return (count + LANES - 1) / LANES * LANES; }

/* Memory for `count` numbers, whatever they are. */
static inline float *room_of(int64_t count) {
    int64_t step = count * 4 < LARGE_PAGE ? 64 : LARGE_PAGE, bytes = (count * 4 + step - 1) / step * step;
    float *made = aligned_alloc(step, bytes);
#ifdef MADV_HUGEPAGE
    if (made && step == LARGE_PAGE) madvise(made, bytes, MADV_HUGEPAGE);
#endif
    return made;
}

/* Memory for `count` numbers, all 0. */
static inline float *scratch_of(int64_t count) {
    float *made = room_of(count);
    if (made) memset(made, 0, count * 4);
    return made;
}
