/* Matrix products whose sums stay in registers: ROWS rows and two vectors of columns at a time.
 *
 * What is read goes on to the next multiple of ROWS rows and of LANES columns: memory has to be there,
 * but what it holds does not matter.
 */

#pragma once

#include "vectors.h"

#if LANES == 16
#define ROWS 12
#else
#define ROWS 6
#endif
#define EACH(i, count) _Pragma("GCC unroll 16") for (int i = 0; i < (count); i++)

/* Add to `sums` the products of ROWS rows [depth], `a_place` apart, with columns of b [depth, b_place]. */
INLINE void meet_rows(int vectors, int64_t depth, const float *a, int64_t a_place, const float *b,
                      int64_t b_place, vec sums[ROWS][2]) {
    for (int64_t k = 0; k < depth; k++) {
        vec column[2];
        EACH(v, vectors) column[v] = load(b + k * b_place + v * LANES);
        EACH(r, ROWS) {
            float x = a[r * a_place + k];
            EACH(v, vectors) sums[r][v] += x * column[v];
        }
    }
}

/* Add to `into` [some, place] the products of some columns of a, each [depth], with columns of b. */
INLINE void meet_columns(int some, int vectors, int64_t depth, const float *a, int64_t a_place,
                         const float *b, int64_t b_place, float *into, int64_t place) {
    vec sums[ROWS][2];
    EACH(e, some) EACH(v, vectors) sums[e][v] = load(into + e * place + v * LANES);
    for (int64_t k = 0; k < depth; k++) {
        vec column[2];
        EACH(v, vectors) column[v] = load(b + k * b_place + v * LANES);
        EACH(e, some) {
            float x = a[k * a_place + e];
            EACH(v, vectors) sums[e][v] += x * column[v];
        }
    }
    EACH(e, some) EACH(v, vectors) store(into + e * place + v * LANES, sums[e][v]);
}

/* The same for any number of columns of a; `into` goes on to the next multiple of ROWS / 3 rows. */
INLINE void meet_all_columns(int vectors, int64_t columns, int64_t depth, const float *a,
                             int64_t a_place, const float *b, int64_t b_place, float *into,
                             int64_t place) {
    int64_t e = 0;
    for (; columns - e > ROWS / 3 * 2; e += ROWS)
        meet_columns(ROWS, vectors, depth, a + e, a_place, b, b_place, into + e * place, place);
    if (columns - e > ROWS / 3)
        meet_columns(ROWS / 3 * 2, vectors, depth, a + e, a_place, b, b_place, into + e * place, place);
    else if (columns - e > 0)
        meet_columns(ROWS / 3, vectors, depth, a + e, a_place, b, b_place, into + e * place, place);
}

/* A matrix whose columns go on to the next vector. */
typedef struct { const float *numbers; int64_t place; } matrix;

/* c [rows, columns] = a [rows, depth] b [depth, columns] */
static inline void product(int64_t rows, int64_t depth, int64_t columns, const float *a, matrix b, float *c) {
#define PART(vectors)                                                                             \
    for (int64_t r = 0; r < rows; r += ROWS) {                                                    \
        vec sums[ROWS][2];                                                                        \
        EACH(i, ROWS) EACH(v, vectors) sums[i][v] = (vec){0};                                     \
        meet_rows(vectors, depth, a + r * depth, depth, b.numbers + x, b.place, sums);            \
        EACH(i, ROWS) if (r + i < rows) EACH(v, vectors)                                          \
            store_some(c + (r + i) * columns + x + v * LANES, sums[i][v], columns - x - v * LANES); \
    }
    int64_t x = 0;
    for (; columns - x > LANES; x += 2 * LANES) PART(2)
    if (x < columns) PART(1)
}
