/* The feed-forward layer where no gradients are wanted, a few rows at a time from end to end; see feed.py. */

#include "layers.h"
#include "products.h"

/* Rows whose features stay in the first cache, a multiple of ROWS. */
#define TOGETHER (24 / ROWS * ROWS)

typedef struct {
    int64_t width, inner;
    float eps;
    matrix in, out;
    const float *in_bias, *out_bias;
    /* Room for some rows: normalised, raised to the inner width, and what is added. */
    float *normed, *raised, *added;
} feeding;

static int begin(feeding *f, int64_t width, int64_t inner, float eps, const float *in,
                 const float *in_bias, const float *out, const float *out_bias) {
    int64_t narrow = TOGETHER * width + LANES, wide = TOGETHER * inner + LANES;
    float *memory = scratch_of(2 * narrow + wide);
    feeding found = {width, inner, eps, {in, whole_vectors(inner)}, {out, whole_vectors(width)},
                     in_bias, out_bias, memory, memory + 2 * narrow, memory + narrow};
    *f = found;
    return !memory;
}

/* Add what the layer makes of rows, normalised, to them; at most TOGETHER. */
static void feed_some(const feeding *f, int64_t count, float *x) {
    normalise(count, f->width, f->eps, x, 0, 0, f->normed, f->width, 0);
    product(count, f->width, f->inner, f->normed, f->in, f->raised);
    gelu_forward(count, f->inner, f->raised, f->in_bias, f->raised);
    product(count, f->inner, f->width, f->raised, f->out, f->added);
    add_forward(count, f->width, x, f->added, f->out_bias, 0, 0, x);
}

static void feed_all(const feeding *f, int64_t count, float *x) {
    for (int64_t row = 0; row < count; row += TOGETHER)
        feed_some(f, count - row < TOGETHER ? count - row : TOGETHER, x + row * f->width);
}

/* Add the layer to rows of `width` numbers, in place.
 *
 * in: [width, inner], out: [inner, width], their columns going on to the next vector.
 */
int feed_forward(int64_t count, int64_t width, int64_t inner, float eps, float *x, const float *in,
                 const float *in_bias, const float *out, const float *out_bias) {
    feeding f;
    if (begin(&f, width, inner, eps, in, in_bias, out, out_bias)) return 1;
    feed_all(&f, count, x);
    free(f.normed);
    return 0;
}

/* What each candidate changes in the positions before and after it, and then the layer.
 *
 * With a share of attention in each head, a candidate's value takes the place of what was mixed
 * without it.  Of every row:
 * x: features with what was mixed added, [positions, width].
 * mixed: what was mixed, [heads, positions, width].
 * share: [heads, candidates, positions].
 * value: [heads, candidates, width].
 * own: the candidates' features, [candidates, width].
 * result: [candidates, 1 + positions, width], the candidates first.
 */
int feed_candidates(int64_t batch, int64_t heads, int64_t candidates, int64_t positions, int64_t width,
                    int64_t inner, float eps, const float *x, const float *mixed, const float *share,
                    const float *value, const float *own, const float *in, const float *in_bias,
                    const float *out, const float *out_bias, float *result) {
    feeding f;
    if (begin(&f, width, inner, eps, in, in_bias, out, out_bias)) return 1;
    for (int64_t b = 0; b < batch; b++)
        for (int64_t k = 0; k < candidates; k++, result += (1 + positions) * width) {
            memcpy(result, own + (b * candidates + k) * width, width * sizeof *own);
            for (int64_t p = 0; p < positions; p++) {
                float *to = result + (1 + p) * width;
                memcpy(to, x + (b * positions + p) * width, width * sizeof *x);
                for (int64_t h = b * heads; h < (b + 1) * heads; h++) {
                    float much = share[(h * candidates + k) * positions + p];
                    const float *before = mixed + (h * positions + p) * width;
                    const float *after = value + (h * candidates + k) * width;
                    for (int64_t e = 0; e < width; e++) to[e] += much * (after[e] - before[e]);
                }
            }
            feed_all(&f, 1 + positions, result);
        }
    free(f.normed);
    return 0;
}
