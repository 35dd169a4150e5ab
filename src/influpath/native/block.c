/* A transformer block and its gradients, window by window, each of which stays in the cache: block.py. */

#include "attention.h"
#include "layers.h"
#include "products.h"

/* What is read beyond rows or columns, see products.h. */
#define BEYOND(width) (ROWS * (width) + 2 * LANES)

typedef struct {
    int64_t batch, length, heads, width, inner;
    float eps;
    dropout how;
    /* Of what attention, then the feed-forward layer, adds; none for no dropout. */
    const uint16_t *levels[2];
    pattern who;
} layout;

/* Weights, or their gradients. */
typedef struct {
    float *norm_attention, *norm_attention_bias, *qkv, *qkv_bias, *output, *output_bias;
    float *norm_feed, *norm_feed_bias, *feed_in, *feed_in_bias, *feed_out, *feed_out_bias;
} parameters;

/* What the backward pass needs of a window. */
typedef struct { float *packed, *mixed, *norms, *middle, *fed, *stats; } states;

INLINE int64_t kept_size(int64_t length, int64_t heads, int64_t width, int64_t inner) {
    return length * (5 * width + inner + 2 * heads + 4);
}

int64_t block_kept(int64_t batch, int64_t length, int64_t heads, int64_t width, int64_t inner) {
    return batch * kept_size(length, heads, width, inner) + BEYOND(width);
}

INLINE states states_of(const layout *l, float *kept, int64_t row) {
    float *at = kept + row * kept_size(l->length, l->heads, l->width, l->inner);
    /* What is read beyond the mixed values is mostly written before: what lies elsewhere may be
     * denormal numbers, which are slow. */
    states s = {.mixed = at, .packed = at + l->length * l->width};
    s.middle = s.packed + 3 * l->length * l->width, s.fed = s.middle + l->length * l->width;
    s.norms = s.fed + l->length * l->inner, s.stats = s.norms + 2 * l->length * l->heads;
    return s;
}

/* Room for `width` numbers of every position, from `*free_at` on, which moves on. */
static float *room_for(const layout *l, int64_t width, float **free_at) {
    float *at = *free_at;
    *free_at += l->length * width + BEYOND(width);
    return at;
}

/* Copy weights [outs, ins], as they are or with rows and columns swapped, to `*to`, which moves on. */
static matrix copied(const float *weights, int64_t outs, int64_t ins, int turned, float **to) {
    int64_t rows = turned ? ins : outs, columns = turned ? outs : ins;
    matrix m = {*to, whole_vectors(columns)};
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++)
            (*to)[r * m.place + c] = turned ? weights[c * ins + r] : weights[r * ins + c];
    *to += rows * m.place;
    return m;
}

/* into [outs, padded ins] += the transpose of a [rows, outs], times b [rows, ins] */
static void add_product(int64_t rows, int64_t outs, int64_t ins, const float *a, const float *b,
                        float *into) {
    int64_t x = 0, place = whole_vectors(ins);
    for (; ins - x > LANES; x += 2 * LANES)
        meet_all_columns(2, outs, rows, a, outs, b + x, ins, into + x, place);
    if (x < ins) meet_all_columns(1, outs, rows, a, outs, b + x, ins, into + x, place);
}

static layout layout_of(const int64_t *sizes, float eps, float scale, const uint16_t *attention_levels,
                        const uint16_t *feed_levels, const int64_t *first, const float *last) {
    layout l = {sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], eps, {(int32_t)sizes[5], scale},
                {attention_levels, feed_levels}, {sizes[6], first, last}};
    return l;
}

INLINE pattern pattern_of(const layout *l, int64_t row) {
    pattern who = {l->who.causal, l->who.first ? l->who.first + row : 0,
                   l->who.last ? l->who.last + row * l->length : 0};
    return who;
}

INLINE const uint16_t *levels_of(const layout *l, int which, int64_t row) {
    return l->levels[which] ? l->levels[which] + row * l->length * l->width : 0;
}

/* sizes: batch, length, heads, width, inner width, levels dropped, whether causal. */
int block_forward(const int64_t *sizes, float eps, float scale, const uint16_t *attention_levels,
                  const uint16_t *feed_levels, const int64_t *first, const float *last, const float *x,
                  const parameters *w, float *kept, float *out) {
    layout l = layout_of(sizes, eps, scale, attention_levels, feed_levels, first, last);
    int64_t length = l.length, width = l.width, inner = l.inner;
    float *memory = scratch_of(length * (2 * width + inner) + 3 * BEYOND(inner + width)
                            + width * (whole_vectors(3 * width) + whole_vectors(width) + whole_vectors(inner))
                            + inner * whole_vectors(width));
    if (!memory) return 1;
    float *free_at = memory, *normed = room_for(&l, width, &free_at);
    float *added = room_for(&l, width, &free_at), *raised = room_for(&l, inner, &free_at);
    matrix qkv = copied(w->qkv, 3 * width, width, 1, &free_at);
    matrix output = copied(w->output, width, width, 1, &free_at);
    matrix feed_in = copied(w->feed_in, inner, width, 1, &free_at);
    matrix feed_out = copied(w->feed_out, width, inner, 1, &free_at);
    int failed = 0;
    for (int64_t row = 0; row < l.batch && !failed; row++, x += length * width, out += length * width) {
        states s = states_of(&l, kept, row);
        pattern who = pattern_of(&l, row);
        normalise(length, width, eps, x, w->norm_attention, w->norm_attention_bias, normed, width, s.stats);
        product(length, width, 3 * width, normed, qkv, s.packed);
        failed = attend_forward(1, length, l.heads, width / l.heads, s.packed, w->qkv_bias, &who,
                                s.mixed, s.norms);
        product(length, width, width, s.mixed, output, added);
        add_forward(length, width, x, added, w->output_bias, &l.how, levels_of(&l, 0, row), s.middle);
        normalise(length, width, eps, s.middle, w->norm_feed, w->norm_feed_bias, normed, width,
                  s.stats + 2 * length);
        product(length, width, inner, normed, feed_in, s.fed);
        gelu_forward(length, inner, s.fed, w->feed_in_bias, raised);
        product(length, inner, width, raised, feed_out, added);
        add_forward(length, width, s.middle, added, w->feed_out_bias, &l.how, levels_of(&l, 1, row), out);
    }
    free(memory);
    return failed;
}

/* Gradients of `block_forward`: of x, of the weights and of the last key's weights, if wanted.  Those of
 * normalisations and biases are added to what is there.
 */
int block_backward(const int64_t *sizes, float eps, float scale, const uint16_t *attention_levels,
                   const uint16_t *feed_levels, const int64_t *first, const float *last, const float *x,
                   const parameters *w, float *kept, const float *upstream, float *d_x,
                   const parameters *d, float *d_last) {
    layout l = layout_of(sizes, eps, scale, attention_levels, feed_levels, first, last);
    int64_t length = l.length, width = l.width, inner = l.inner, place = whole_vectors(width);
    int64_t gradients = (4 * width + inner + 3 * ROWS) * place + (width + ROWS) * whole_vectors(inner);
    float *memory = scratch_of(length * (8 * width + 3 * inner) + 9 * BEYOND(3 * width + inner)
                            + (4 * width + inner) * place + width * whole_vectors(inner) + gradients);
    if (!memory) return 1;
    float *free_at = memory, *normed = room_for(&l, width, &free_at);
    float *added = room_for(&l, width, &free_at), *raised = room_for(&l, inner, &free_at);
    float *d_fed = room_for(&l, inner, &free_at), *d_raised = room_for(&l, inner, &free_at);
    float *d_packed = room_for(&l, 3 * width, &free_at), *d_mixed = room_for(&l, width, &free_at);
    float *d_normed = room_for(&l, width, &free_at), *d_middle = room_for(&l, width, &free_at);
    matrix qkv = copied(w->qkv, 3 * width, width, 0, &free_at);
    matrix output = copied(w->output, width, width, 0, &free_at);
    matrix feed_in = copied(w->feed_in, inner, width, 0, &free_at);
    matrix feed_out = copied(w->feed_out, width, inner, 0, &free_at);
    float *d_qkv = free_at, *d_output = d_qkv + (3 * width + ROWS) * place;
    float *d_feed_in = d_output + (width + ROWS) * place, *d_feed_out = d_feed_in + (inner + ROWS) * place;
    int failed = 0;
    for (int64_t row = 0; row < l.batch && !failed; row++) {
        int64_t at = row * length * width;
        states s = states_of(&l, kept, row);
        pattern who = pattern_of(&l, row);
        add_backward(length, width, &l.how, levels_of(&l, 1, row), upstream + at, added, d->feed_out_bias);
        product(length, width, inner, added, feed_out, d_raised);
        gelu_backward(length, inner, s.fed, w->feed_in_bias, d_raised, raised, d_fed, d->feed_in_bias);
        add_product(length, width, inner, added, raised, d_feed_out);
        normalise(length, width, eps, s.middle, w->norm_feed, w->norm_feed_bias, normed, width, 0);
        add_product(length, inner, width, d_fed, normed, d_feed_in);
        product(length, inner, width, d_fed, feed_in, d_normed);
        normalise_backward(length, width, s.middle, w->norm_feed, s.stats + 2 * length, d_normed, d_middle,
                           d->norm_feed, d->norm_feed_bias);
        add_to(length * width, upstream + at, d_middle);

        add_backward(length, width, &l.how, levels_of(&l, 0, row), d_middle, added, d->output_bias);
        product(length, width, width, added, output, d_mixed);
        add_product(length, width, width, added, s.mixed, d_output);
        failed = attend_backward(1, length, l.heads, width / l.heads, s.packed, w->qkv_bias, &who, s.mixed,
                                 s.norms, d_mixed, d_packed, d_last ? d_last + row * length : 0);
        for (int64_t i = 0; i < length; i++) add_to(3 * width, d_packed + i * 3 * width, d->qkv_bias);
        normalise(length, width, eps, x + at, w->norm_attention, w->norm_attention_bias, normed, width, 0);
        add_product(length, 3 * width, width, d_packed, normed, d_qkv);
        product(length, 3 * width, width, d_packed, qkv, d_normed);
        normalise_backward(length, width, x + at, w->norm_attention, s.stats, d_normed, d_x + at,
                           d->norm_attention, d->norm_attention_bias);
        add_to(length * width, d_middle, d_x + at);
    }
    for (int64_t r = 0; r < 3 * width; r++) memcpy(d->qkv + r * width, d_qkv + r * place, width * 4);
    for (int64_t r = 0; r < width; r++) memcpy(d->output + r * width, d_output + r * place, width * 4);
    for (int64_t r = 0; r < inner; r++) memcpy(d->feed_in + r * width, d_feed_in + r * place, width * 4);
    for (int64_t r = 0; r < width; r++)
        memcpy(d->feed_out + r * inner, d_feed_out + r * whole_vectors(inner), inner * 4);
    free(memory);
    return failed;
}
