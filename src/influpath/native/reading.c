/* What reading and planning spend their time on between matrix products; see reading.py. */

#include "vectors.h"

/* Vectors of queries, or of features, that are computed together. */
#define BLOCK (LANES / 4)

/* `size` numbers, over and over. */
INLINE vec repeated(const float *at, int size) {
    typedef double pairs __attribute__((vector_size(4 * LANES)));
    double pair;
    switch (size) {
    case 4:
#if LANES == 16
        return (vec)_mm512_broadcast_f32x4(_mm_loadu_ps(at));
#else
        return (vec){at[0], at[1], at[2], at[3], at[0], at[1], at[2], at[3]};
#endif
    case 2:
        memcpy(&pair, at, sizeof pair);
        return (vec)(pair - (pairs){0});
    default: return all(*at);
    }
}

/* The sums of `size` neighbours each, at the front. */
INLINE vec gathered(vec v, int size) {
    vec found = {0};
    for (int i = 0; i < LANES; i++) found[i / size] += v[i];
    return size == 1 ? v : found;
}

/* Where a group of neighbouring features begins: the last one may overlap the one before it. */
INLINE int64_t place_of(int64_t group, int64_t size, int64_t features) {
    return group * size + size <= features ? group * size : features - size;
}

/* Logits of one row's states, [length, heads] and whatever after them; the highest of each head.
 * The states of all rows are more than the caches hold, so those of the next one are sent for. */
INLINE vec logits_of(const float *states, int64_t next, int64_t length, int64_t features,
                     const float *asked, int64_t heads, int size, float *logits) {
    int64_t l = 0;
    vec peak = all(-1e38f);
#define ASK(count)                                                                                \
    for (; l + count <= length; l += count) {                                                     \
        vec sums[count] = {0};                                                                    \
        for (int64_t e = 0; e < count * features; e += LANES)                                     \
            __builtin_prefetch(states + next + l * features + e);                                 \
        const float *from = states + l * features, *query = asked;                                \
        for (int64_t e = 0; e + size <= features; e += size, query += LANES) {                    \
            vec q = load(query);                                                                  \
            for (int i = 0; i < count; i++) sums[i] += q * repeated(from + i * features + e, size); \
        }                                                                                         \
        if (features % size) {                                                                    \
            vec q = load(query);                                                                  \
            from += features - size;                                                              \
            for (int i = 0; i < count; i++) sums[i] += q * repeated(from + i * features, size);   \
        }                                                                                         \
        for (int i = 0; i < count; i++) {                                                         \
            vec found = gathered(sums[i], size);                                                  \
            peak = larger(found, peak);                                                           \
            store(logits + (l + i) * heads, found);                                               \
        }                                                                                         \
    }
    ASK(8)
    ASK(4)
    ASK(1)
    return peak;
}

/* Mixtures of `blocks` vectors of features, from `feature` on, for `count` heads from `first` on. */
INLINE void mix_heads(const float *states, int64_t length, int64_t features, int64_t feature,
                      const float *weights, int64_t heads, vec inverse, int64_t first, int count,
                      int blocks, float *out) {
    vec sums[6][BLOCK];
    int64_t at[BLOCK];
    for (int x = 0; x < blocks; x++) {
        at[x] = feature + x * LANES;
        if (features >= LANES && at[x] + LANES > features) at[x] = features - LANES;
        for (int h = 0; h < count; h++) sums[h][x] = (vec){0};
    }
    for (int64_t l = 0; l < length; l++) {
        vec state[BLOCK];
        for (int x = 0; x < blocks; x++)
            state[x] = load_some(states + l * features + at[x], features);
        for (int h = 0; h < count; h++)
            for (int x = 0; x < blocks; x++)
                sums[h][x] += weights[l * heads + first + h] * state[x];
    }
    for (int h = 0; h < count; h++)
        for (int x = 0; x < blocks; x++)
            store_some(out + (first + h) * features + at[x], sums[h][x] * inverse[first + h],
                       features);
}

/* One query per row: softmax, to the base of two, of what its heads make of states, which it mixes.
 *
 * states: [batch, length, features], rows `place` numbers apart.
 * query: [batch, groups, LANES / size heads, size], features in groups of `size`, which is 1, 2 or 4,
 *   with 0 for those of the last group that are in the one before it.
 * out: [batch, heads, features].
 */
int mix_last(int64_t batch, int64_t length, int64_t features, int64_t heads, int64_t size,
             const float *states, int64_t place, const float *query, float *out) {
    float *logits = scratch_of(2 * (length * heads + LANES)), *weights = logits + length * heads + LANES;
    if (!logits) return 1;
    int64_t groups = (features + size - 1) / size, whole = length * heads;
    for (int64_t b = 0; b < batch; b++) {
        const float *own = states + b * place, *asked = query + b * groups * LANES;
        float *to = out + b * heads * features;
        int64_t next = b + 1 < batch ? place : 0;
        vec peak;
        switch (size) {
        case 4: peak = logits_of(own, next, length, features, asked, heads, 4, logits); break;
        case 2: peak = logits_of(own, next, length, features, asked, heads, 2, logits); break;
        default: peak = logits_of(own, next, length, features, asked, heads, 1, logits);
        }
        for (int64_t l = 0; l < length; l++)
            store(weights + l * heads, load(logits + l * heads) - peak);
        for (int64_t c = 0; c < whole; c += LANES) store(weights + c, vexp2(load(weights + c)));
        vec total = {0};
        for (int64_t l = 0; l < length; l++) total += load(weights + l * heads);
        vec inverse = 1.0f / total;
#define MIX(count, blocks)                                                                        \
    for (; done + count <= heads; done += count)                                                  \
        mix_heads(own, length, features, e, weights, heads, inverse, done, count, blocks, to)
        for (int64_t e = 0; e < features; e += BLOCK * LANES) {
            int64_t done = 0;
            switch ((features - e + LANES - 1) / LANES) {
            case 1: MIX(6, 1); MIX(2, 1); MIX(1, 1); break;
#if BLOCK == 4
            case 2: MIX(6, 2); MIX(4, 2); MIX(1, 2); break;
            case 3: MIX(4, 3); MIX(1, 3); break;
#endif
            default: MIX(4, BLOCK); MIX(1, BLOCK);
            }
        }
    }
    free(logits);
    return 0;
}

typedef struct {
    int64_t length, width, queries;
    /* [width, length], rows `stride` numbers apart. */
    const float *k, *v;
    int64_t stride;
    /* [length, queries], or [length] for all of them. */
    const float *bias;
    int64_t bias_place, bias_step;
    /* Of what each query sees by itself, [width, queries], or none. */
    const float *own_k, *own_v;
} seen;

/* Some queries of one head: `blocks` vectors of them, the last of which may have fewer. */
INLINE void mix_block(const seen *s, const float *q, int64_t at, int blocks, float *weights,
                      float *out) {
    enum { TOGETHER = 4 };
    int64_t left = s->queries - at;
    float *query = weights + s->length * blocks * LANES;
    vec peak[BLOCK], total[BLOCK], own[BLOCK];
    for (int x = 0; x < blocks; x++) {
        peak[x] = all(-1e38f), total[x] = own[x] = (vec){0};
        for (int64_t e = 0; e < s->width; e++) {
            const float *from = q + e * s->queries + at + x * LANES;
            store(query + (e * blocks + x) * LANES, load_some(from, left - x * LANES));
        }
    }
#define LOGITS(count)                                                                             \
    for (; l + count <= s->length; l += count) {                                                  \
        vec sums[count][BLOCK];                                                                   \
        for (int i = 0; i < count; i++)                                                           \
            for (int x = 0; x < blocks; x++) {                                                    \
                const float *bias = s->bias + (l + i) * s->bias_place;                            \
                sums[i][x] = s->bias_step                                                         \
                    ? load_some(bias + at + x * LANES, left - x * LANES) : all(*bias);            \
            }                                                                                     \
        for (int64_t e = 0; e < s->width; e++)                                                    \
            for (int i = 0; i < count; i++)                                                       \
                for (int x = 0; x < blocks; x++)                                                  \
                    sums[i][x] += s->k[e * s->stride + l + i]                                     \
                        * load(query + (e * blocks + x) * LANES);                                 \
        for (int i = 0; i < count; i++)                                                           \
            for (int x = 0; x < blocks; x++) {                                                    \
                peak[x] = larger(sums[i][x], peak[x]);                                            \
                store(weights + ((l + i) * blocks + x) * LANES, sums[i][x]);                      \
            }                                                                                     \
    }
    int64_t l = 0;
    LOGITS(TOGETHER)
    LOGITS(1)
    if (s->own_k)
        for (int x = 0; x < blocks; x++) {
            for (int64_t e = 0; e < s->width; e++)
                own[x] += load(query + (e * blocks + x) * LANES)
                    * load_some(s->own_k + e * s->queries + at + x * LANES, left - x * LANES);
            peak[x] = larger(own[x], peak[x]);
            total[x] = own[x] = vexp2(own[x] - peak[x]);
        }
    for (l = 0; l < s->length; l++)
        for (int x = 0; x < blocks; x++) {
            float *weight = weights + (l * blocks + x) * LANES;
            vec p = vexp2(load(weight) - peak[x]);
            store(weight, p);
            total[x] += p;
        }
    for (int x = 0; x < blocks; x++) total[x] = 1.0f / total[x];
#define MIXED(count)                                                                              \
    for (; e + count <= s->width; e += count) {                                                   \
        vec sums[count][BLOCK];                                                                   \
        for (int i = 0; i < count; i++)                                                           \
            for (int x = 0; x < blocks; x++) {                                                    \
                const float *from = s->own_v + (e + i) * s->queries + at + x * LANES;             \
                sums[i][x] = s->own_v ? own[x] * load_some(from, left - x * LANES) : (vec){0};    \
            }                                                                                     \
        for (int64_t c = 0; c < s->length; c++)                                                   \
            for (int i = 0; i < count; i++)                                                       \
                for (int x = 0; x < blocks; x++)                                                  \
                    sums[i][x] += s->v[(e + i) * s->stride + c]                                   \
                        * load(weights + (c * blocks + x) * LANES);                               \
        for (int i = 0; i < count; i++)                                                           \
            for (int x = 0; x < blocks; x++)                                                      \
                store_some(out + (e + i) * s->queries + at + x * LANES, sums[i][x] * total[x],    \
                           left - x * LANES);                                                     \
    }
    int64_t e = 0;
    MIXED(TOGETHER)
    MIXED(1)
}

/* Many queries per row: softmax, to the base of two, of their logits plus a bias, and mixtures.
 *
 * Of every row and head q is [width, queries], k and v are [width, stride], of which `length` columns
 * count; from one head to the next it is `q_place` and so on.  own_k and own_v lie as q does.
 * bias: [batch, length, queries], or [batch, length, 1]: then bias_step is 0.
 * out: [batch, heads, width, queries].
 */
int mix_each(int64_t batch, int64_t heads, int64_t width, int64_t queries, int64_t length,
             const float *q, int64_t q_place, const float *k, int64_t k_place, const float *v,
             int64_t v_place, int64_t stride, const float *bias, int64_t bias_row,
             int64_t bias_place, int64_t bias_step, const float *own_k, const float *own_v,
             float *out) {
    float *weights = scratch_of((length + width) * BLOCK * LANES);
    if (!weights) return 1;
    for (int64_t b = 0; b < batch; b++)
        for (int64_t h = 0; h < heads; h++) {
            int64_t n = b * heads + h;
            seen s = {
                length, width, queries, k + n * k_place, v + n * v_place, stride,
                bias + b * bias_row, bias_place, bias_step,
                own_k ? own_k + n * q_place : 0, own_v ? own_v + n * q_place : 0,
            };
            float *to = out + n * width * queries;
            for (int64_t at = 0; at < queries; at += BLOCK * LANES)
                switch ((queries - at + LANES - 1) / LANES) {
                case 1: mix_block(&s, q + n * q_place, at, 1, weights, to); break;
#if BLOCK == 4
                case 2: mix_block(&s, q + n * q_place, at, 2, weights, to); break;
                case 3: mix_block(&s, q + n * q_place, at, 3, weights, to); break;
#endif
                default: mix_block(&s, q + n * q_place, at, BLOCK, weights, to);
                }
        }
    free(weights);
    return 0;
}

/* The highest of each row's logits, and the sum of exponentials of their distances from it. */
void exponential_sums(int64_t rows, int64_t items, const float *logits, float *peaks, float *sums) {
    int64_t whole = items / LANES * LANES;
    for (int64_t row = 0; row < rows; row++, logits += items) {
        vec peak = all(-1e38f), other = peak, sum = {0}, more = {0};
        int64_t c = 0;
        for (; c + 2 * LANES <= items; c += 2 * LANES)
            peak = larger(load(logits + c), peak), other = larger(load(logits + c + LANES), other);
        if (c < whole) peak = larger(load(logits + c), peak);
        float highest = largest_of(larger(peak, other));
        for (c = whole; c < items; c++) highest = logits[c] > highest ? logits[c] : highest;
        for (c = 0; c + 2 * LANES <= items; c += 2 * LANES) {
            sum += vexp(load(logits + c) - highest);
            more += vexp(load(logits + c + LANES) - highest);
        }
        if (c < whole) sum += vexp(load(logits + c) - highest);
        float rest = 0.0f;
        if (whole < items) {
            vec last = load_some(logits + whole, items - whole) - highest;
            for (int64_t i = items - whole; i < LANES; i++) last[i] = -1e38f;
            rest = sum_of(vexp(last));
        }
        peaks[row] = highest, sums[row] = sum_of(sum + more) + rest;
    }
}

/* The highest logit that is not barred; minus infinity for none. */
static float allowed_peak(int64_t items, const float *logits, const uint8_t *barred) {
    vec peak = all(-__builtin_inff());
    int64_t c = 0;
    for (; c + LANES <= items; c += LANES) {
        vec x = load(logits + c);
#if defined __AVX512F__ && defined __AVX512BW__ && defined __AVX512VL__
        __m128i b = _mm_loadu_si128((const __m128i *)(barred + c));
        peak = (vec)_mm512_mask_max_ps((__m512)peak, _mm_testn_epi8_mask(b, b), (__m512)x,
                                       (__m512)peak);
#else
        typedef uint8_t bytes __attribute__((vector_size(LANES)));
        bytes b;
        memcpy(&b, barred + c, LANES);
        peak = choose(__builtin_convertvector(b, ints) == 0, larger(x, peak), peak);
#endif
    }
    float highest = largest_of(peak);
    for (; c < items; c++)
        if (!barred[c] && logits[c] > highest) highest = logits[c];
    return highest;
}

/* The first column with a logit that is not barred; -1 for none. */
static int64_t first_allowed(int64_t items, const float *logits, const uint8_t *barred,
                             float wanted) {
    int64_t c = 0;
    for (; c + LANES <= items; c += LANES) {
        ints same = load(logits + c) == wanted;
        if (!any(same)) continue;
        for (int i = 0; i < LANES; i++)
            if (same[i] && !barred[c + i]) return c + i;
    }
    for (; c < items; c++)
        if (logits[c] == wanted && !barred[c]) return c;
    return -1;
}

/* The first column of the highest logit that is not barred; if all are, minus infinity. */
void highest_allowed(int64_t rows, int64_t items, const float *logits, const uint8_t *barred,
                     int64_t *columns, float *best) {
    for (int64_t row = 0; row < rows; row++, logits += items, barred += items) {
        best[row] = allowed_peak(items, logits, barred);
        columns[row] = first_allowed(items, logits, barred, best[row]);
    }
}
