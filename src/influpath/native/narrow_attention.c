/* Gradients of self-attention of narrow heads: LANES keys side by side; see attention.h.
 *
 * A row's features are turned first, so that those of neighbouring positions lie side by side.
 */

#include "attention.h"
#include "products.h"

#if LANES == 16

#define WIDTH_MOST 8

/* Of two vectors, the lanes whose number has a bit of 8, 4, 2 or 1 not set; or set. */
#define LOW8 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define HIGH8 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31
#define LOW4 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27
#define HIGH4 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31
#define LOW2 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define HIGH2 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
#define LOW1 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30
#define HIGH1 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31

/* Swap rows and columns of 16 vectors. */
INLINE void turn_block(vec *m) {
#define SWAP(step)                                                                                \
    EACH(i, LANES) if (!(i & step)) {                                                             \
        vec low = TAKE(m[i], m[i + step], LOW##step), high = TAKE(m[i], m[i + step], HIGH##step); \
        m[i] = low, m[i + step] = high;                                                           \
    }
    SWAP(8) SWAP(4) SWAP(2) SWAP(1)
}

/* The sums of 16 vectors, each in the lane of its number. */
INLINE vec sums_of(const vec *m) {
    vec a[8], b[4], c[2];
    EACH(i, 8) a[i] = TAKE(m[i], m[i + 8], LOW8) + TAKE(m[i], m[i + 8], HIGH8);
    EACH(i, 4) b[i] = TAKE(a[i], a[i + 4], LOW4) + TAKE(a[i], a[i + 4], HIGH4);
    EACH(i, 2) c[i] = TAKE(b[i], b[i + 2], LOW2) + TAKE(b[i], b[i + 2], HIGH2);
    return TAKE(c[0], c[1], LOW1) + TAKE(c[0], c[1], HIGH1);
}

/* Write rows of numbers, `place` apart, as columns, `apart` apart; what fills up blocks is 0. */
static void turn(const float *from, int64_t place, int64_t rows, int64_t columns, float *to,
                 int64_t apart, int64_t written) {
    for (int64_t c = 0; c < columns; c += LANES)
        for (int64_t r = 0; r < rows; r += LANES) {
            vec m[LANES];
            EACH(i, LANES)
                m[i] = r + i < rows ? load_some(from + (r + i) * place + c, columns - c) : (vec){0};
            turn_block(m);
            EACH(i, LANES) if (c + i < columns) store_some(to + (c + i) * apart + r, m[i], written - r);
        }
}

/* One head of one row.  Positions lie side by side in what is turned, `padded` of them. */
typedef struct {
    /* As given: of each position, `place` or `features` apart. */
    const float *queries, *upstream, *norms;
    int64_t place, features;
    /* Turned; keys get scaled, queries their bias where the last key needs them. */
    const float *v, *up;
    float *q, *k, *d_q, *d_k, *d_v;
    const float *bias;
    float scale;
    /* Of each query: what is seen, the shift of its gradients, and what the last key adds. */
    const int64_t *start, *stop;
    float *shift, *peak, *inverse, *d_last;
    /* Of each key: what the queries' bias adds to its logits, and the sum of its slopes. */
    float *moved, *totals;
    const float *extra;
    const ints *has_last;
    /* Scratch: the gradients [LANES, width] of some queries, not yet summed over lanes. */
    float *sums;
    int64_t length, padded, first, causal;
} head;

/* exp of what is at most 0, for what is seen; anything for others. */
INLINE vec share(vec x) {
    x = larger(all(-87.0f), x);
    vec shifted = x * 1.44269504f + ROUNDER, n = shifted - ROUNDER;
    return scaled_exp(shifted, x - n * 0.693359375f + n * 2.12194440e-4f);
}

/* LANES keys, from `c` on, and `count` queries, from `at` on. */
INLINE void visit(const head *h, int width, int64_t at, int64_t count, int64_t c) {
    const ints lane = ALL_LANES, key = lane + (int32_t)c;
    const float *queries = h->queries + at * h->place, *upstream = h->upstream + at * h->features;
    const float *norms = h->norms + 2 * at;
    vec weights[LANES], slopes[LANES];
    {
        vec k[WIDTH_MOST], v[WIDTH_MOST], moved = load(h->moved + c);
        EACH(e, width) k[e] = load(h->k + e * h->padded + c), v[e] = load(h->v + e * h->padded + c);
        for (int64_t s = 0; s < count; s++) {
            const float *q = queries + s * h->place, *up = upstream + s * h->features;
            float *sums = h->sums + s * width * LANES;
            vec logits = moved - norms[2 * s], d = all(-h->shift[at + s]);
            EACH(e, width) logits += k[e] * q[e], d += v[e] * up[e];
            vec p = share(logits) * norms[2 * s + 1];
            int64_t start = h->start[at + s], stop = h->stop[at + s];
            if (c < start || c + LANES > stop)
                p = choose((key >= (int32_t)start) & (key < (int32_t)stop), p, (vec){0});
            vec slope = p * d;
            weights[s] = p, slopes[s] = slope;
            EACH(e, width) store(sums + e * LANES, load(sums + e * LANES) + slope * k[e]);
        }
    }
    vec d_k[WIDTH_MOST], d_v[WIDTH_MOST], total = load(h->totals + c);
    EACH(e, width) d_k[e] = load(h->d_k + e * h->padded + c), d_v[e] = load(h->d_v + e * h->padded + c);
    for (int64_t s = 0; s < count; s++) {
        const float *q = queries + s * h->place, *up = upstream + s * h->features;
        vec p = weights[s], slope = slopes[s];
        total += slope;
        EACH(e, width) d_v[e] += p * up[e], d_k[e] += slope * q[e];
    }
    store(h->totals + c, total);
    EACH(e, width) store(h->d_k + e * h->padded + c, d_k[e]), store(h->d_v + e * h->padded + c, d_v[e]);
}

/* All keys but the last one, where it is seen apart. */
INLINE void visit_all(const head *h, int width) {
    memset(h->totals, 0, h->padded * 4);
    memset(h->d_k, 0, width * h->padded * 4);
    memset(h->d_v, 0, width * h->padded * 4);
    for (int64_t s = 0; s < h->length; s += LANES) {
        vec moved = {0};
        EACH(e, width) {
            float *k = h->k + e * h->padded + s;
            store(k, load(k) * h->scale);
            moved += load(k) * h->bias[e];
        }
        store(h->moved + s, moved);
    }
    for (int64_t at = 0; at < h->length; at += LANES) {
        int64_t count = h->length - at < LANES ? h->length - at : LANES;
        /* Pads see themselves. */
        int64_t from = !h->causal ? 0 : at + LANES <= h->first ? at : h->first / LANES * LANES;
        int64_t to = h->causal ? at + LANES : h->length;
        memset(h->sums, 0, width * LANES * LANES * 4);
        for (int64_t c = from; c < to; c += LANES) visit(h, width, at, count, c);
        EACH(e, width) {
            vec m[LANES];
            EACH(i, LANES) m[i] = load(h->sums + (i * width + e) * LANES);
            store(h->d_q + e * h->padded + at, sums_of(m));
        }
    }
    for (int64_t s = 0; s < h->length; s += LANES)
        EACH(e, width) {
            float *d_k = h->d_k + e * h->padded + s;
            store(d_k, (load(d_k) + load(h->totals + s) * h->bias[e]) * h->scale);
        }
}

/* The last key, for LANES queries at a time. */
INLINE void visit_last(const head *h, int width) {
    int64_t last = h->length - 1;
    for (int64_t s = 0; s < h->length; s++)
        h->peak[s] = h->norms[2 * s], h->inverse[s] = h->norms[2 * s + 1];
    EACH(e, width) for (int64_t s = e * h->padded; s < (e + 1) * h->padded; s += LANES)
        store(h->q + s, load(h->q + s) + h->bias[e]);
    vec d_k[WIDTH_MOST], d_v[WIDTH_MOST];
    EACH(e, width) d_k[e] = d_v[e] = (vec){0};
    for (int64_t s = 0; s < h->length; s += LANES) {
        vec logits = load(h->extra + s), d = {0};
        EACH(e, width) {
            logits += load(h->q + e * h->padded + s) * h->k[e * h->padded + last];
            d += load(h->up + e * h->padded + s) * h->v[e * h->padded + last];
        }
        vec p = share(logits - load(h->peak + s)) * load(h->inverse + s);
        p = choose(h->has_last[s / LANES], p, (vec){0});
        vec slope = p * (d - load(h->shift + s));
        store(h->d_last + s, load(h->d_last + s) + slope);
        EACH(e, width) {
            d_v[e] += p * load(h->up + e * h->padded + s);
            d_k[e] += slope * load(h->q + e * h->padded + s);
            float *d_q = h->d_q + e * h->padded + s;
            store(d_q, load(d_q) + slope * h->k[e * h->padded + last]);
        }
    }
    EACH(e, width) {
        h->d_k[e * h->padded + last] += sum_of(d_k[e]) * h->scale;
        h->d_v[e * h->padded + last] += sum_of(d_v[e]);
    }
}

INLINE int backward(int width, int64_t batch, int64_t length, int64_t heads, const float *packed,
                    const float *bias, const pattern *who, const float *out, const float *norms,
                    const float *upstream, float *gradient, float *d_last) {
    int64_t features = heads * width, place = 3 * features;
    int64_t padded = whole_vectors(length);
    float scale = 1.0f / __builtin_sqrtf((float)width);
    /* Turned: queries, keys, values; upstream; results; gradients.  Then a head's own. */
    float *memory = room_of(padded * (8 * features + 12) + width * LANES * LANES);
    if (!memory) return 1;
    float *turned = memory, *up = turned + place * padded, *mixed = up + features * padded;
    float *d = mixed + features * padded, *peak = d + place * padded, *inverse = peak + padded;
    float *shift = inverse + padded, *d_last_row = shift + padded, *extra = d_last_row + padded;
    float *sums = extra + padded;
    float *moved = sums + width * LANES * LANES, *totals = moved + padded;
    int64_t *start = (int64_t *)(totals + padded), *stop = start + padded;
    ints *has_last = (ints *)(stop + padded);
    /* What lies beyond the end comes to nothing. */
    memset(peak, 0, 5 * padded * 4), memset(has_last, 0, padded * 4);
    for (int64_t b = 0; b < batch; b++) {
        turn(packed + b * length * place, place, length, place, turned, padded, padded);
        turn(upstream + b * length * features, features, length, features, up, padded, padded);
        turn(out + b * length * features, features, length, features, mixed, padded, padded);
        int any_last = 0;
        for (int64_t s = 0; s < length; s++) {
            keys_seen(who, b, s, length, start + s, stop + s);
            has_last[s / LANES][s % LANES] = -last_seen(who, b, s, length, extra + s);
            any_last |= has_last[s / LANES][s % LANES];
        }
        memset(d_last_row, 0, padded * 4);
        for (int64_t n = 0; n < heads; n++) {
            int64_t own = n * width * padded;
            const float *bias_q = bias + n * width, *bias_v = bias_q + 2 * features;
            head h = {
                .queries = packed + b * length * place + n * width, .place = place,
                .upstream = upstream + b * length * features + n * width, .features = features,
                .norms = norms + (b * heads + n) * length * 2,
                .q = turned + own, .k = turned + own + features * padded,
                .v = turned + own + 2 * features * padded, .up = up + own,
                .d_q = d + own, .d_k = d + own + features * padded,
                .d_v = d + own + 2 * features * padded, .bias = bias_q, .scale = scale,
                .start = start, .stop = stop, .shift = shift, .peak = peak, .inverse = inverse,
                .d_last = d_last_row, .extra = extra, .has_last = has_last, .sums = sums,
                .moved = moved, .totals = totals, .length = length, .padded = padded,
                .first = who->first ? who->first[b] : 0, .causal = who->causal,
            };
            for (int64_t s = 0; s < length; s += LANES) {
                vec sum = {0};
                EACH(e, width)
                    sum += load(h.up + e * padded + s) * (load(mixed + own + e * padded + s) - bias_v[e]);
                store(shift + s, sum);
            }
            visit_all(&h, width);
            if (any_last) visit_last(&h, width);
        }
        turn(d, padded, place, length, gradient + b * length * place, place, place);
        if (d_last) memcpy(d_last + b * length, d_last_row, length * 4);
    }
    free(memory);
    return 0;
}

int narrow_backward(int64_t batch, int64_t length, int64_t heads, int64_t width, const float *packed,
                    const float *bias, const pattern *who, const float *out, const float *norms,
                    const float *upstream, float *gradient, float *d_last) {
    if (width == 5)
        return backward(5, batch, length, heads, packed, bias, who, out, norms, upstream, gradient, d_last);
    return backward(8, batch, length, heads, packed, bias, who, out, norms, upstream, gradient, d_last);
}

#endif
