/* Softmax cross-entropy over the catalogue and its gradients; see cross_entropy.py.
 *
 * What is computed side by side: ROWS rows (or features) and one TILE of items, so that the sums stay
 * in registers.  The odds of a chunk of rows stay in the cache until all its rows are summed.
 */

#include "vectors.h"

#define TILE (2 * LANES)
#if LANES == 16
#define ROWS 12
#else
#define ROWS 6
#endif
/* Rows of which odds are kept, a multiple of ROWS: the more, the fewer passes over the gradient. */
#define CHUNK 48
/* The logit, in powers of two, of what fills up the last tile: as good as none. */
#define NEVER -120.0f
#define LOG2_E 1.44269504f
#define EACH(i, count) _Pragma("GCC unroll 16") for (int i = 0; i < (count); i++)

/* 2^y, for y from -126 to 127. */
INLINE vec power(vec y) {
    vec shifted = y + ROUNDER;
    return scaled_exp(shifted, (y - (shifted - ROUNDER)) * 0.69314718f);
}

/* Write the odds [ROWS, TILE] of rows and add them to the rows' totals. */
INLINE void make_odds(int64_t width, const float *rows, const float *columns, const float *bias,
                      float *odds, vec *totals) {
    vec low[ROWS], high[ROWS];
    EACH(r, ROWS) low[r] = load(bias), high[r] = load(bias + LANES);
    for (int64_t k = 0; k < width; k++) {
        vec left = load(columns + k * TILE), right = load(columns + k * TILE + LANES);
        EACH(r, ROWS) {
            float x = rows[r * width + k];
            low[r] += x * left, high[r] += x * right;
        }
    }
    EACH(r, ROWS) {
        low[r] = power(low[r]), high[r] = power(high[r]);
        store(odds + r * TILE, low[r]), store(odds + r * TILE + LANES, high[r]);
        totals[r] += low[r] + high[r];
    }
}

/* Add to `mixed` [ROWS, padded] the weights [TILE, padded] of a tile's items, each times its odds. */
#define MIX(vectors)                                                                              \
    for (; x + (vectors) * LANES <= padded; x += (vectors) * LANES) {                             \
        vec sums[ROWS][vectors];                                                                  \
        EACH(r, ROWS) EACH(v, vectors) sums[r][v] = load(mixed + r * padded + x + v * LANES);     \
        for (int i = 0; i < TILE; i++) {                                                          \
            vec item[vectors];                                                                    \
            EACH(v, vectors) item[v] = load(weights + i * padded + x + v * LANES);                \
            EACH(r, ROWS) EACH(v, vectors) sums[r][v] += odds[r * TILE + i] * item[v];            \
        }                                                                                         \
        EACH(r, ROWS) EACH(v, vectors) store(mixed + r * padded + x + v * LANES, sums[r][v]);     \
    }
INLINE void mix_items(int64_t padded, const float *odds, const float *weights, float *mixed) {
    int64_t x = 0;
    MIX(2)
    MIX(1)
}

/* Add to the gradient [features, TILE] of a tile's columns what the odds [count, TILE] of rows bring:
 * each times features of its row, which are `place` apart. */
#define BRING(some)                                                                               \
    {                                                                                             \
        vec low[some], high[some];                                                                \
        EACH(e, some) low[e] = load(into + e * TILE), high[e] = load(into + e * TILE + LANES);    \
        for (int64_t r = 0; r < count; r++) {                                                     \
            vec left = load(odds + r * TILE), right = load(odds + r * TILE + LANES);              \
            EACH(e, some) {                                                                       \
                float x = rows[r * place + e];                                                    \
                low[e] += x * left, high[e] += x * right;                                         \
            }                                                                                     \
        }                                                                                         \
        EACH(e, some) store(into + e * TILE, low[e]), store(into + e * TILE + LANES, high[e]);    \
        rows += some, into += some * TILE;                                                        \
    }
INLINE void bring(int64_t count, int64_t place, const float *rows, const float *odds, float *into) {
    int64_t left = place;
    for (; left > ROWS / 3 * 2; left -= ROWS) BRING(ROWS)
    if (left > ROWS / 3) BRING(ROWS / 3 * 2) else if (left > 0) BRING(ROWS / 3)
}

/* Logits are hidden w + bias, and must be from -60 to 60.
 *
 * totals: sums of the odds of each row.  own: the logit of its target.  The gradients are those of the sum
 * of log(total) - own over all rows; bias and its gradient may be none.
 */
int cross_entropy(int64_t count, int64_t width, int64_t items, const float *hidden,
                  const float *weight, const float *bias, const int64_t *target, float *totals,
                  float *own, float *d_hidden, float *d_weight, float *d_bias) {
    int64_t tiles = (items + TILE - 1) / TILE, padded = (width + LANES - 1) / LANES * LANES;
    /* Features and a one, for the gradient of the bias; the steps of `bring` go a little further. */
    int64_t place = width + 1, room = place + ROWS;
    int64_t columns_size = tiles * width * TILE, weights_size = tiles * TILE * padded;
    int64_t gradient_size = tiles * TILE * room, odds_size = tiles * CHUNK * TILE;
    float *memory = room_of(columns_size + weights_size + gradient_size + odds_size + tiles * TILE
                            + CHUNK * (2 * padded + room));
    if (!memory) return 1;
    float *columns = memory, *weights = columns + columns_size, *gradient = weights + weights_size;
    float *odds = gradient + gradient_size, *biases = odds + odds_size, *mixed = biases + tiles * TILE;
    float *rows = mixed + CHUNK * padded, *scaled = rows + CHUNK * padded;
    memset(columns, 0, (columns_size + weights_size + gradient_size) * 4);
    memset(scaled, 0, CHUNK * room * 4);
    for (int64_t i = 0; i < tiles * TILE; i++)
        biases[i] = i >= items ? NEVER : bias ? bias[i] * LOG2_E : 0.0f;
    for (int64_t i = 0; i < items; i++) {
        memcpy(weights + i * padded, weight + i * width, width * 4);
        for (int64_t k = 0; k < width; k++)
            columns[(i / TILE * width + k) * TILE + i % TILE] = weight[i * width + k];
    }
    for (int64_t from = 0; from < count; from += CHUNK) {
        int64_t some = count - from < CHUNK ? count - from : CHUNK;
        const float *given = hidden + from * width;
        vec sums[CHUNK];
        memset(sums, 0, sizeof sums);
        memset(mixed, 0, CHUNK * padded * 4);
        for (int64_t i = 0; i < CHUNK * width; i++) rows[i] = i < some * width ? given[i] * LOG2_E : 0.0f;
        for (int64_t t = 0; t < tiles; t++)
            for (int64_t r = 0; r < some; r += ROWS) {
                float *here = odds + (t * CHUNK + r) * TILE;
                make_odds(width, rows + r * width, columns + t * width * TILE, biases + t * TILE, here,
                          sums + r);
                mix_items(padded, here, weights + t * TILE * padded, mixed + r * padded);
            }
        for (int64_t r = 0; r < some; r++) {
            int64_t wanted = target[from + r];
            const float *row = given + r * width, *item = weight + wanted * width;
            float total = sum_of(sums[r]), inverse = 1.0f / total, logit = bias ? bias[wanted] : 0.0f;
            for (int64_t k = 0; k < width; k++) {
                logit += row[k] * item[k];
                scaled[r * place + k] = row[k] * inverse;
                d_hidden[(from + r) * width + k] = mixed[r * padded + k] * inverse - item[k];
            }
            scaled[r * place + width] = inverse;
            totals[from + r] = total, own[from + r] = logit;
        }
        for (int64_t t = 0; t < tiles; t++)
            bring(some, place, scaled, odds + t * CHUNK * TILE, gradient + t * room * TILE);
    }
    for (int64_t i = 0; i < items; i++) {
        const float *found = gradient + i / TILE * room * TILE + i % TILE;
        for (int64_t k = 0; k < width; k++) d_weight[i * width + k] = found[k * TILE];
        if (d_bias) d_bias[i] = found[width * TILE];
    }
    for (int64_t r = 0; r < count; r++) {
        for (int64_t k = 0; k < width; k++) d_weight[target[r] * width + k] -= hidden[r * width + k];
        if (d_bias) d_bias[target[r]] -= 1.0f;
    }
    free(memory);
    return 0;
}
