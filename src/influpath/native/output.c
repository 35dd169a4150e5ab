/* The softmax over the catalogue where only its totals are wanted; see output.py. */

#include "products.h"

#define TILE (2 * LANES)
/* Rows that meet a tile of items while it is in the first cache, a multiple of ROWS. */
#define CHUNK 48

/* Sums of 2 to the power of each row's logits, which must be from -126 to 100.
 *
 * hidden: [count, width].
 * columns: [tiles, width, TILE], what fills up the last tile so that its logits are as good as none.
 */
int power_sums(int64_t count, int64_t width, int64_t tiles, const float *hidden, const float *columns,
               float *totals) {
    float *rows = scratch_of(CHUNK * width);
    if (!rows) return 1;
    for (int64_t from = 0; from < count; from += CHUNK) {
        int64_t some = count - from < CHUNK ? count - from : CHUNK;
        vec sums[CHUNK];
        memset(sums, 0, sizeof sums);
        memcpy(rows, hidden + from * width, some * width * sizeof *rows);
        for (int64_t t = 0; t < tiles; t++)
            for (int64_t r = 0; r < some; r += ROWS) {
                vec logits[ROWS][2];
                EACH(i, ROWS) logits[i][0] = logits[i][1] = (vec){0};
                meet_rows(2, width, rows + r * width, width, columns + t * width * TILE, TILE, logits);
                EACH(i, ROWS) sums[r + i] += power(logits[i][0]) + power(logits[i][1]);
            }
        for (int64_t r = 0; r < some; r++) totals[from + r] = sum_of(sums[r]);
    }
    free(rows);
    return 0;
}
