/* Self-attention over whole windows and its gradients; see operators.py. */

#include "attention.h"

/* LANES queries of one head, and the keys that some of them see. */
typedef struct {
    /* Of every query: [width, LANES], and row by row [LANES, padded]. */
    float columns[WIDEST * LANES], rows[WIDEST * LANES];
    /* The keys that each sees, [start, stop); whether the last key besides, and what is added. */
    ints start, stop, has_last;
    vec extra;
    /* Keys that some see, and of these those that all see. */
    int64_t from, to, all_from, all_to;
    int count, padded, any_last;
} group;

/* Numbers of a head's queries, from query `at` on, with a bias, if any, and times `scale`; lanes beyond
 * the end hold 0. */
INLINE void gather(group *q, const float *head, const float *bias, int width, int64_t place,
                   int64_t at, float scale) {
    memset(q->columns, 0, width * LANES * 4);
    memset(q->rows, 0, q->padded * LANES * 4);
    for (int i = 0; i < q->count; i++)
        for (int e = 0; e < width; e++)
            q->columns[e * LANES + i] = q->rows[i * q->padded + e]
                = (head[(at + i) * place + e] + (bias ? bias[e] : 0.0f)) * scale;
}

INLINE void make_block(group *q, const pattern *who, const float *head, const float *bias, int width,
                       int64_t place, int64_t row, int64_t at, int64_t length) {
    q->count = length - at < LANES ? (int)(length - at) : LANES;
    q->padded = (int)whole_vectors(width);
    q->start = q->stop = q->has_last = (ints){0}, q->extra = all(-1e30f), q->any_last = 0;
    q->from = length, q->to = 0, q->all_from = 0, q->all_to = length;
    gather(q, head, bias, width, place, at, 1.0f / __builtin_sqrtf((float)width));
    for (int s = 0; s < q->count; s++) {
        int64_t i = at + s, start, stop;
        keys_seen(who, row, i, length, &start, &stop);
        q->start[s] = (int32_t)start, q->stop[s] = (int32_t)stop;
        q->from = start < q->from ? start : q->from, q->to = stop > q->to ? stop : q->to;
        q->all_from = start > q->all_from ? start : q->all_from;
        q->all_to = stop < q->all_to ? stop : q->all_to;
        float extra;
        if (last_seen(who, row, i, length, &extra))
            q->has_last[s] = -1, q->extra[s] = extra, q->any_last = 1;
    }
    /* Lanes beyond the end see nothing, and nothing comes of that. */
    if (q->count < LANES) q->all_to = q->all_from;
}

/* Minus infinity where a key is not seen. */
INLINE vec if_seen(const group *q, int64_t key, vec logits) {
    if (key >= q->all_from && key < q->all_to) return logits;
    return choose(((int32_t)key >= q->start) & ((int32_t)key < q->stop), logits, all(-1e30f));
}

/* Products of every query with the features of `count` keys, from `key` on. */
INLINE void meet(const float *columns, const float *keys, int width, int64_t place, int64_t key,
                 int count, vec *sums) {
    for (int i = 0; i < count; i++) sums[i] = (vec){0};
    for (int e = 0; e < width; e++) {
        vec q = load(columns + e * LANES);
        for (int i = 0; i < count; i++) sums[i] += q * keys[(key + i) * place + e];
    }
}

/* Keys that are computed together. */
#define TOGETHER 4
#define KEYS(step)                                                                                \
    for (; c + TOGETHER <= q.to; c += TOGETHER) { step(TOGETHER) }                                \
    for (; c < q.to; c++) { step(1) }

/* Write to `out` the sums of some features of keys, each times its weight. */
INLINE void mix_some(const group *q, const float *weights, const float *keys, int64_t place,
                     const float *last_key, vec last, int some, vec *out) {
    vec sums[LANES / 2], more[LANES / 2];
    for (int e = 0; e < some; e++) {
        sums[e] = q->any_last ? last * last_key[e] : (vec){0};
        more[e] = (vec){0};
    }
    int64_t c = q->from;
    for (; c + 2 <= q->to; c += 2) {
        vec one = load(weights + c * LANES), other = load(weights + (c + 1) * LANES);
        for (int e = 0; e < some; e++) {
            sums[e] += one * keys[c * place + e];
            more[e] += other * keys[(c + 1) * place + e];
        }
    }
    if (c < q->to)
        for (int e = 0; e < some; e++) sums[e] += load(weights + c * LANES) * keys[c * place + e];
    for (int e = 0; e < some; e++) out[e] = sums[e] + more[e];
}

/* Write to `out` [width, LANES] the sums of the features of keys, each times its weight. */
INLINE void mix(const group *q, const float *weights, const float *keys, int width, int64_t place,
                int64_t length, vec last, vec *out) {
    int e = 0;
#define MIX(some)                                                                                 \
    for (; e + some <= width; e += some)                                                          \
        mix_some(q, weights, keys + e, place, keys + (length - 1) * place + e, last, some, out + e)
    MIX(LANES / 2);
    MIX(LANES / 4);
    MIX(1);
}

/* Write features [width, LANES] of queries row by row. */
INLINE void scatter(const group *q, const vec *columns, int width, float *to, int64_t place) {
    for (int e = 0; e < width; e++)
        for (int i = 0; i < q->count; i++) to[i * place + e] = columns[e][i];
}

/* Of the biases, those of keys move all logits of a query alike and so do nothing, and those of values
 * are added to the result, since weights add up to 1. */
INLINE int forward(int width, int64_t batch, int64_t length, int64_t heads, const float *packed,
                   const float *bias, const pattern *who, float *out, float *norms) {
    int64_t all_heads = heads * width, place = 3 * all_heads;
    float *weights = scratch_of(length * LANES);
    if (!weights) return 1;
    for (int64_t b = 0; b < batch; b++)
        for (int64_t h = 0; h < heads; h++) {
            const float *head = packed + b * length * place + h * width;
            const float *keys = head + all_heads, *values = keys + all_heads;
            const float *bias_q = bias + h * width, *bias_v = bias_q + 2 * all_heads;
            for (int64_t at = 0; at < length; at += LANES) {
                group q;
                make_block(&q, who, head, bias_q, width, place, b, at, length);
                vec peak = all(-1e30f), total = {0}, last = {0}, mixed[WIDEST];
                int64_t c = q.from;
#define LOGITS(count)                                                                             \
                vec sums[count];                                                                  \
                meet(q.columns, keys, width, place, c, count, sums);                              \
                for (int i = 0; i < count; i++) {                                                 \
                    vec logits = if_seen(&q, c + i, sums[i]);                                     \
                    store(weights + (c + i) * LANES, logits);                                     \
                    peak = larger(logits, peak);                                                  \
                }
                KEYS(LOGITS)
                if (q.any_last) {
                    meet(q.columns, keys, width, place, length - 1, 1, &last);
                    last = choose(q.has_last, last + q.extra, all(-1e30f));
                    peak = larger(last, peak);
                    total = last = vexp(last - peak);
                }
                for (c = q.from; c < q.to; c++) {
                    vec p = vexp(load(weights + c * LANES) - peak);
                    store(weights + c * LANES, p);
                    total += p;
                }
                vec inverse = 1.0f / total;
                mix(&q, weights, values, width, place, length, last, mixed);
                for (int e = 0; e < width; e++) mixed[e] = mixed[e] * inverse + bias_v[e];
                scatter(&q, mixed, width, out + ((b * length + at) * heads + h) * width, all_heads);
                float *norm = norms + ((b * heads + h) * length + at) * 2;
                for (int i = 0; i < q.count; i++) norm[2 * i] = peak[i], norm[2 * i + 1] = inverse[i];
            }
        }
    free(weights);
    return 0;
}

/* Add to each of the `count` sums [padded], `apart` numbers from each other, the rows of queries, each
 * times its weight. */
INLINE void add_rows(const float *rows, int padded, const float *weights, int count, float *sums) {
    for (int x = 0; x < padded; x += LANES) {
        vec into[TOGETHER];
        for (int i = 0; i < count; i++) into[i] = load(sums + i * padded + x);
        for (int s = 0; s < LANES; s++) {
            vec row = load(rows + s * padded + x);
            for (int i = 0; i < count; i++) into[i] += weights[i * LANES + s] * row;
        }
        for (int i = 0; i < count; i++) store(sums + i * padded + x, into[i]);
    }
}

INLINE int backward(int width, int64_t batch, int64_t length, int64_t heads, const float *packed,
                    const float *bias, const pattern *who, const float *out, const float *norms,
                    const float *upstream, float *gradient, float *d_last) {
    const int padded = (int)whole_vectors(width);
    int64_t all_heads = heads * width, place = 3 * all_heads;
    float scale = 1.0f / __builtin_sqrtf((float)width);
    float *weights = scratch_of(2 * (length * LANES + length * padded));
    if (!weights) return 1;
    float *slopes = weights + length * LANES, *d_keys = slopes + length * LANES;
    float *d_values = d_keys + length * padded;
    if (d_last) memset(d_last, 0, batch * length * 4);
    for (int64_t b = 0; b < batch; b++)
        for (int64_t h = 0; h < heads; h++) {
            const float *head = packed + b * length * place + h * width;
            const float *keys = head + all_heads, *values = keys + all_heads;
            const float *bias_q = bias + h * width, *bias_v = bias_q + 2 * all_heads;
            float *to = gradient + b * length * place + h * width;
            memset(d_keys, 0, 2 * length * padded * 4);
            for (int64_t at = 0; at < length; at += LANES) {
                group q, up;
                make_block(&q, who, head, bias_q, width, place, b, at, length);
                int64_t from = ((b * length + at) * heads + h) * width;
                up.count = q.count, up.padded = q.padded;
                gather(&up, upstream + from, 0, width, all_heads, 0, 1.0f);
                vec peak = {0}, inverse = {0}, shift = {0}, found[WIDEST];
                const float *norm = norms + ((b * heads + h) * length + at) * 2;
                for (int i = 0; i < q.count; i++) {
                    peak[i] = norm[2 * i], inverse[i] = norm[2 * i + 1];
                    float sum = 0.0f;
                    for (int e = 0; e < width; e++)
                        sum += up.rows[i * padded + e] * (out[from + i * all_heads + e] - bias_v[e]);
                    shift[i] = sum;
                }
                int64_t c = q.from;
#define SLOPES(count)                                                                             \
                vec logits[count], d[count];                                                      \
                meet(q.columns, keys, width, place, c, count, logits);                            \
                meet(up.columns, values, width, place, c, count, d);                              \
                for (int i = 0; i < count; i++) {                                                 \
                    vec p = vexp(if_seen(&q, c + i, logits[i]) - peak) * inverse;                 \
                    store(weights + (c + i) * LANES, p);                                          \
                    store(slopes + (c + i) * LANES, p * (d[i] - shift));                          \
                }
                KEYS(SLOPES)
                vec last = {0};
                if (q.any_last) {
                    vec logits, d;
                    meet(q.columns, keys, width, place, length - 1, 1, &logits);
                    meet(up.columns, values, width, place, length - 1, 1, &d);
                    logits = choose(q.has_last, logits + q.extra, all(-1e30f));
                    vec p = vexp(logits - peak) * inverse;
                    last = p * (d - shift);
                    float both[2][LANES];
                    store(both[0], p), store(both[1], last);
                    int64_t own = (length - 1) * padded;
                    add_rows(up.rows, padded, both[0], 1, d_values + own);
                    add_rows(q.rows, padded, both[1], 1, d_keys + own);
                    for (int i = 0; i < q.count && d_last; i++)
                        d_last[b * length + at + i] += last[i];
                }
                mix(&q, slopes, keys, width, place, length, last, found);
                for (int e = 0; e < width; e++) found[e] *= scale;
                scatter(&q, found, width, to + at * place, place);
                c = q.from;
#define ADD(count)                                                                                \
                add_rows(up.rows, padded, weights + c * LANES, count, d_values + c * padded);     \
                add_rows(q.rows, padded, slopes + c * LANES, count, d_keys + c * padded);
                KEYS(ADD)
            }
            for (int64_t c = 0; c < length; c++)
                for (int e = 0; e < width; e++) {
                    to[c * place + all_heads + e] = d_keys[c * padded + e];
                    to[c * place + 2 * all_heads + e] = d_values[c * padded + e];
                }
        }
    free(weights);
    return 0;
}

/* Narrow heads get code of their own, which is faster by half. */
#define BY_WIDTH(call)                                                                            \
    switch (width) {                                                                              \
    case 5: { enum { W = 5 }; return call; }                                                      \
    case 8: { enum { W = 8 }; return call; }                                                      \
    default: { const int W = (int)width; return call; }                                           \
    }

int attend_forward(int64_t batch, int64_t length, int64_t heads, int64_t width, const float *packed,
                   const float *bias, const pattern *who, float *out, float *norms) {
    BY_WIDTH(forward(W, batch, length, heads, packed, bias, who, out, norms));
}

int attend_backward(int64_t batch, int64_t length, int64_t heads, int64_t width, const float *packed,
                    const float *bias, const pattern *who, const float *out, const float *norms,
                    const float *upstream, float *gradient, float *d_last) {
    if (NARROW(width))
        return narrow_backward(batch, length, heads, width, packed, bias, who, out, norms, upstream,
                               gradient, d_last);
    BY_WIDTH(backward(W, batch, length, heads, packed, bias, who, out, norms, upstream, gradient, d_last));
}

/* out: [batch, length, heads, width].  norms: what the softmax subtracted and multiplied by. */
int attention_forward(int64_t batch, int64_t length, int64_t heads, int64_t width,
                      const float *packed, const float *bias, int64_t causal, const int64_t *first,
                      const float *last, float *out, float *norms) {
    pattern who = {causal, first, last};
    return attend_forward(batch, length, heads, width, packed, bias, &who, out, norms);
}

int attention_backward(int64_t batch, int64_t length, int64_t heads, int64_t width,
                       const float *packed, const float *bias, int64_t causal,
                       const int64_t *first, const float *last, const float *out,
                       const float *norms, const float *upstream, float *gradient, float *d_last) {
    pattern who = {causal, first, last};
    return attend_backward(batch, length, heads, width, packed, bias, &who, out, norms, upstream, gradient,
                           d_last);
}
