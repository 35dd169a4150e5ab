/* Softmax cross-entropy over the catalogue and its gradients; see cross_entropy.py.
 *
 * ROWS rows (or features) and one TILE of items are computed side by side.  The odds of a chunk of rows
 * stay in the cache until all its rows are summed.
 */

#include "products.h"

#define TILE (2 * LANES)
/* Rows of which odds are kept, a multiple of ROWS: the more, the fewer passes over the gradient. */
#define CHUNK 48
/* The logit, in powers of two, of what fills up the last tile: as good as none. */
#define NEVER -120.0f
#define LOG2_E 1.44269504f

/* Write the odds [ROWS, TILE] of rows and add them to the rows' totals. */
INLINE void make_odds(int64_t width, const float *rows, const float *columns, const float *bias,
                      float *odds, vec *totals) {
    vec sums[ROWS][2];
    EACH(r, ROWS) sums[r][0] = load(bias), sums[r][1] = load(bias + LANES);
    meet_rows(2, width, rows, width, columns, TILE, sums);
    EACH(r, ROWS) {
        sums[r][0] = power(sums[r][0]), sums[r][1] = power(sums[r][1]);
        store(odds + r * TILE, sums[r][0]), store(odds + r * TILE + LANES, sums[r][1]);
        totals[r] += sums[r][0] + sums[r][1];
    }
}

/* Add to `mixed` [ROWS, padded] the weights [TILE, padded] of a tile's items, each times its odds. */
INLINE void mix_vectors(int vectors, int64_t padded, const float *odds, const float *weights, float *mixed) {
    vec sums[ROWS][2];
    EACH(r, ROWS) EACH(v, vectors) sums[r][v] = load(mixed + r * padded + v * LANES);
    meet_rows(vectors, TILE, odds, TILE, weights, padded, sums);
    EACH(r, ROWS) EACH(v, vectors) store(mixed + r * padded + v * LANES, sums[r][v]);
}
INLINE void mix_items(int64_t padded, const float *odds, const float *weights, float *mixed) {
    int64_t x = 0;
    for (; x + TILE <= padded; x += TILE) mix_vectors(2, padded, odds, weights + x, mixed + x);
    if (x < padded) mix_vectors(1, padded, odds, weights + x, mixed + x);
}

/* Logits are hidden w + bias, and must be from -60 to 60.  2 if a target is none of the items.
 *
 * totals: sums of the odds of each row.  own: the logit of its target.  The gradients are those of the sum
 * of log(total) - own over all rows; bias and its gradient may be none.
 */
int cross_entropy(int64_t count, int64_t width, int64_t items, const float *hidden,
                  const float *weight, const float *bias, const int64_t *target, float *totals,
                  float *own, float *d_hidden, float *d_weight, float *d_bias) {
    for (int64_t r = 0; r < count; r++)
        if (target[r] < 0 || target[r] >= items) return 2;
    int64_t tiles = (items + TILE - 1) / TILE, padded = whole_vectors(width);
    /* Features and a one, for the gradient of the bias; the steps of ROWS go a little further. */
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
            meet_all_columns(2, place, some, scaled, place, odds + t * CHUNK * TILE, TILE,
                             gradient + t * room * TILE, TILE);
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
