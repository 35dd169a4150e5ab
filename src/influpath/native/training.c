/* What training spends its time on between matrix products; see operators.py. */

#include "vectors.h"

/* Of a head. */
#define WIDEST 128

/* Who sees whom.  Every query sees keys first .. query (causal) or first .. length - 1.  With `last`
 * every query but the last one sees the last key too, with that much added to its logit (minus
 * infinity hides it), and the last query sees itself alone.  Pads (before first) see themselves. */
typedef struct { int64_t causal; const int64_t *first; const float *last; } pattern;

/* Queries that are computed together, so that what they read is read once. */
#define GROUP 4
typedef struct {
    float query[GROUP][WIDEST];
    /* What is added to the last key's logit, and whether there is one. */
    float extra[GROUP];
    int has_last[GROUP], apart[GROUP];
    /* Keys of each query, and blocks of keys that some query of the group sees. */
    int64_t start[GROUP], stop[GROUP], from, to;
    int count;
} group;

INLINE void make_group(group *g, const pattern *who, const float *head, int width, int64_t place,
                       int64_t row, int64_t at, int64_t length) {
    float scale = 1.0f / __builtin_sqrtf((float)width);
    int64_t first = who->first ? who->first[row] : 0, lowest = length, highest = 0;
    g->count = length - at < GROUP ? (int)(length - at) : GROUP;
    for (int s = 0; s < GROUP; s++) {
        int64_t i = at + s;
        if (s >= g->count) {
            g->start[s] = g->stop[s] = g->has_last[s] = g->apart[s] = 0;
            memset(g->query[s], 0, width * 4);
            continue;
        }
        for (int e = 0; e < width; e++) g->query[s][e] = head[i * place + e] * scale;
        g->start[s] = first, g->stop[s] = who->causal ? i + 1 : length;
        if (who->last && i == length - 1) g->start[s] = i;
        if (i < first) g->start[s] = i, g->stop[s] = i + 1;
        g->extra[s] = who->last ? who->last[row * length + i] : 0.0f;
        g->has_last[s] = who->last && i < length - 1 && g->extra[s] > -1e30f;
        lowest = g->start[s] < lowest ? g->start[s] : lowest;
        highest = g->stop[s] > highest ? g->stop[s] : highest;
    }
    g->from = lowest / LANES * LANES, g->to = (highest + LANES - 1) / LANES * LANES;
    for (int s = 0; s < g->count; s++) g->apart[s] = g->has_last[s] && length - 1 >= g->to;
}

/* Logits of a group, [GROUP, filled]: minus infinity where a key is not seen, in blocks that are. */
INLINE void logits_of(const group *g, const float *keys, int width, int64_t filled, int64_t length,
                      float *out) {
    const ints lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    for (int64_t c = g->from; c < g->to; c += LANES) {
        vec sums[GROUP] = {0};
        for (int e = 0; e < width; e++) {
            vec key = load(keys + e * filled + c);
            for (int s = 0; s < GROUP; s++) sums[s] += g->query[s][e] * key;
        }
        ints at = lane + (int32_t)c;
        for (int s = 0; s < GROUP; s++) {
            ints seen = (at >= (int32_t)g->start[s]) & (at < (int32_t)g->stop[s]);
            store(out + s * filled + c, choose(seen, sums[s], all(-1e30f)));
        }
    }
    for (int s = 0; s < g->count; s++)
        if (g->has_last[s]) {
            float sum = g->extra[s];
            for (int e = 0; e < width; e++)
                sum += g->query[s][e] * keys[e * filled + length - 1];
            out[s * filled + length - 1] = sum;
        }
}

/* Write one head's rows, [length, padded] where wanted, and columns, [width, filled]. */
static void gather(const float *from, int64_t place, int64_t length, int width, int64_t padded,
                   int64_t filled, float *rows, float *columns) {
    for (int64_t k = 0; k < length; k++)
        for (int e = 0; e < width; e++) {
            float x = from[k * place + e];
            if (rows) rows[k * padded + e] = x;
            columns[e * filled + k] = x;
        }
}

/* Add rows of [start, stop), each times its weight, to `into`; four sums run side by side. */
INLINE void mix(const float *weight, const float *rows, int64_t start, int64_t stop, int blocks,
                vec *into) {
    vec sums[4][WIDEST / LANES];
    for (int s = 0; s < 4; s++)
        for (int x = 0; x < blocks; x++) sums[s][x] = s ? (vec){0} : into[x];
    int64_t c = start;
    for (; c + 4 <= stop; c += 4)
        for (int s = 0; s < 4; s++)
            for (int x = 0; x < blocks; x++)
                sums[s][x] += weight[c + s] * load(rows + ((c + s) * blocks + x) * LANES);
    for (; c < stop; c++)
        for (int x = 0; x < blocks; x++)
            sums[0][x] += weight[c] * load(rows + (c * blocks + x) * LANES);
    for (int x = 0; x < blocks; x++)
        into[x] = (sums[0][x] + sums[1][x]) + (sums[2][x] + sums[3][x]);
}

INLINE int forward(int width, int64_t batch, int64_t length, int64_t heads, const float *packed,
                   const pattern *who, float *out, float *norms) {
    int64_t filled = (length + LANES - 1) / LANES * LANES;
    const int blocks = (width + LANES - 1) / LANES, padded = blocks * LANES;
    int64_t all_heads = heads * width, place = 3 * all_heads;
    float *keys = scratch_of((2 * width + GROUP + padded) * filled);
    if (!keys) return 1;
    float *values = keys + width * filled, *group_odds = values + width * filled;
    float *rows = group_odds + GROUP * filled;
    for (int64_t b = 0; b < batch; b++)
        for (int64_t h = 0; h < heads; h++) {
            const float *head = packed + b * length * place + h * width;
            gather(head + all_heads, place, length, width, padded, filled, 0, keys);
            gather(head + 2 * all_heads, place, length, width, padded, filled, rows, values);
            for (int64_t at = 0; at < length; at += GROUP) {
                group g;
                make_group(&g, who, head, width, place, b, at, length);
                logits_of(&g, keys, width, filled, length, group_odds);
                for (int s = 0; s < g.count; s++) {
                    float *odds = group_odds + s * filled, last = odds[length - 1];
                    vec peaks = all(g.apart[s] ? last : -1e30f), sums = {0};
                    for (int64_t c = g.from; c < g.to; c += LANES)
                        peaks = larger(load(odds + c), peaks);
                    float peak = largest_of(peaks);
                    for (int64_t c = g.from; c < g.to; c += LANES) {
                        vec p = vexp(load(odds + c) - peak);
                        store(odds + c, p);
                        sums += p;
                    }
                    float own = g.apart[s] ? vexp(all(last - peak))[0] : 0.0f;
                    float inverse = 1.0f / (sum_of(sums) + own), found[WIDEST];
                    vec mixed[WIDEST / LANES];
                    for (int x = 0; x < blocks; x++)
                        mixed[x] = own * load(rows + (length - 1) * padded + x * LANES);
                    int64_t stop = g.has_last[s] && !g.apart[s] ? length : g.stop[s];
                    mix(odds, rows, g.start[s], stop, blocks, mixed);
                    for (int x = 0; x < blocks; x++) store(found + x * LANES, mixed[x] * inverse);
                    memcpy(out + ((b * length + at + s) * heads + h) * width, found, width * 4);
                    float *norm = norms + ((b * heads + h) * length + at + s) * 2;
                    norm[0] = peak, norm[1] = inverse;
                }
            }
        }
    free(keys);
    return 0;
}

INLINE int backward(int width, int64_t batch, int64_t length, int64_t heads, const float *packed,
                    const pattern *who, const float *out, const float *norms,
                    const float *upstream, float *gradient, float *d_last) {
    int64_t filled = (length + LANES - 1) / LANES * LANES;
    const int blocks = (width + LANES - 1) / LANES, padded = blocks * LANES;
    int64_t all_heads = heads * width, place = 3 * all_heads;
    float scale = 1.0f / __builtin_sqrtf((float)width);
    float *keys = scratch_of((4 * width + 2 * GROUP + padded) * filled);
    if (!keys) return 1;
    float *values = keys + width * filled, *d_keys = values + width * filled;
    float *d_values = d_keys + width * filled, *group_odds = d_values + width * filled;
    float *group_slopes = group_odds + GROUP * filled, *rows = group_slopes + GROUP * filled;
    if (d_last) memset(d_last, 0, batch * length * 4);
    for (int64_t b = 0; b < batch; b++)
        for (int64_t h = 0; h < heads; h++) {
            const float *head = packed + b * length * place + h * width;
            float *to = gradient + b * length * place + h * width;
            gather(head + all_heads, place, length, width, padded, filled, rows, keys);
            gather(head + 2 * all_heads, place, length, width, padded, filled, 0, values);
            memset(d_keys, 0, 2 * width * filled * 4);
            for (int64_t at = 0; at < length; at += GROUP) {
                group g;
                make_group(&g, who, head, width, place, b, at, length);
                logits_of(&g, keys, width, filled, length, group_odds);
                float up[GROUP][WIDEST], shift[GROUP], peak[GROUP], inverse[GROUP];
                for (int s = 0; s < GROUP; s++) {
                    int64_t i = at + s, from = ((b * length + i) * heads + h) * width;
                    const float *norm = norms + ((b * heads + h) * length + i) * 2;
                    int real = s < g.count;
                    peak[s] = real ? norm[0] : 0.0f, inverse[s] = real ? norm[1] : 0.0f;
                    shift[s] = 0.0f;
                    for (int e = 0; e < width; e++) {
                        up[s][e] = real ? upstream[from + e] : 0.0f;
                        shift[s] += real ? up[s][e] * out[from + e] : 0.0f;
                    }
                }
                for (int64_t c = g.from; c < g.to; c += LANES) {
                    vec p[GROUP], d[GROUP];
                    for (int s = 0; s < GROUP; s++) {
                        p[s] = vexp(load(group_odds + s * filled + c) - peak[s]) * inverse[s];
                        d[s] = all(-shift[s]);
                    }
                    for (int e = 0; e < width; e++) {
                        vec value = load(values + e * filled + c);
                        for (int s = 0; s < GROUP; s++) d[s] += up[s][e] * value;
                    }
                    for (int s = 0; s < GROUP; s++) {
                        d[s] *= p[s];
                        store(group_slopes + s * filled + c, d[s]);
                    }
                    for (int e = 0; e < width; e++) {
                        vec dv = load(d_values + e * filled + c);
                        vec dk = load(d_keys + e * filled + c);
                        for (int s = 0; s < GROUP; s++) {
                            dv += up[s][e] * p[s];
                            dk += g.query[s][e] * d[s];
                        }
                        store(d_values + e * filled + c, dv);
                        store(d_keys + e * filled + c, dk);
                    }
                }
                for (int s = 0; s < g.count; s++) {
                    float *slopes = group_slopes + s * filled, found[WIDEST];
                    vec d_query[WIDEST / LANES];
                    for (int x = 0; x < blocks; x++) d_query[x] = (vec){0};
                    if (g.apart[s]) {
                        int64_t c = length - 1;
                        float p = vexp(all(group_odds[s * filled + c] - peak[s]))[0] * inverse[s];
                        float d = -shift[s];
                        for (int e = 0; e < width; e++) d += up[s][e] * values[e * filled + c];
                        slopes[c] = d *= p;
                        for (int e = 0; e < width; e++) {
                            d_values[e * filled + c] += up[s][e] * p;
                            d_keys[e * filled + c] += g.query[s][e] * d;
                        }
                        for (int x = 0; x < blocks; x++)
                            d_query[x] = d * load(rows + c * padded + x * LANES);
                    }
                    if (g.has_last[s] && d_last)
                        d_last[b * length + at + s] += slopes[length - 1];
                    int64_t stop = g.has_last[s] && !g.apart[s] ? length : g.stop[s];
                    mix(slopes, rows, g.start[s], stop, blocks, d_query);
                    for (int x = 0; x < blocks; x++) store(found + x * LANES, d_query[x] * scale);
                    memcpy(to + (at + s) * place, found, width * 4);
                }
            }
            for (int64_t c = 0; c < length; c++)
                for (int e = 0; e < width; e++) {
                    to[c * place + all_heads + e] = d_keys[e * filled + c];
                    to[c * place + 2 * all_heads + e] = d_values[e * filled + c];
                }
        }
    free(keys);
    return 0;
}

/* The sizes of heads that are usual get code of their own. */
#define BY_WIDTH(call)                                                                            \
    switch (width) {                                                                              \
    case 5: { enum { W = 5 }; return call; }                                                      \
    case 8: { enum { W = 8 }; return call; }                                                      \
    case 16: { enum { W = 16 }; return call; }                                                    \
    case 32: { enum { W = 32 }; return call; }                                                    \
    default: { const int W = (int)width; return call; }                                           \
    }

int attention_forward(int64_t batch, int64_t length, int64_t heads, int64_t width,
                      const float *packed, int64_t causal, const int64_t *first, const float *last,
                      float *out, float *norms) {
    pattern who = {causal, first, last};
    BY_WIDTH(forward(W, batch, length, heads, packed, &who, out, norms));
}

int attention_backward(int64_t batch, int64_t length, int64_t heads, int64_t width,
                       const float *packed, int64_t causal, const int64_t *first,
                       const float *last, const float *out, const float *norms,
                       const float *upstream, float *gradient, float *d_last) {
    pattern who = {causal, first, last};
    BY_WIDTH(backward(W, batch, length, heads, packed, &who, out, norms, upstream, gradient,
                      d_last));
}

/* GELU by its tanh approximation: x sigmoid(2u), u = sqrt(2 / pi) (x + 0.044715 x^3). */
#define LINEAR 1.5957691216f
#define CUBIC 0.0713548163f

void gelu_forward(int64_t count, const float *x, float *out) {
    for (int64_t i = 0; i < count; i += LANES) {
        float buffer[LANES] = {0};
        int64_t some = count - i < LANES ? count - i : LANES;
        if (some < LANES) memcpy(buffer, x + i, some * 4);
        vec a = load(some < LANES ? buffer : x + i);
        vec y = a / (1.0f + vexp(-a * (LINEAR + CUBIC * a * a)));
        if (some < LANES) { store(buffer, y); memcpy(out + i, buffer, some * 4); }
        else store(out + i, y);
    }
}

void gelu_backward(int64_t count, const float *x, const float *upstream, float *out) {
    for (int64_t i = 0; i < count; i += LANES) {
        float buffer[2 * LANES] = {0};
        int64_t some = count - i < LANES ? count - i : LANES;
        if (some < LANES) {
            memcpy(buffer, x + i, some * 4);
            memcpy(buffer + LANES, upstream + i, some * 4);
        }
        vec a = load(some < LANES ? buffer : x + i);
        vec up = load(some < LANES ? buffer + LANES : upstream + i);
        vec gate = 1.0f / (1.0f + vexp(-a * (LINEAR + CUBIC * a * a)));
        vec y = up * gate * (1.0f + a * (1.0f - gate) * (LINEAR + 3.0f * CUBIC * a * a));
        if (some < LANES) { store(buffer, y); memcpy(out + i, buffer, some * 4); }
        else store(out + i, y);
    }
}
