/* What a layer does to features one by one: normalisation, GELU, dropout. */

#include "layers.h"

int64_t lanes(void) { return LANES; }

/* Every row of `width` numbers, LANES at a time: `left` of them are real. */
#define ROW(e, left) for (int64_t e = 0, left = width; e < width; e += LANES, left -= LANES)

INLINE vec real_only(vec v, int64_t left) {
    const ints lane = ALL_LANES;
    return left >= LANES ? v : choose(lane < (int32_t)left, v, (vec){0});
}

/* Normalise rows of numbers; times a weight, plus a bias, if any.  Rows of results are `place` apart.
 *
 * stats: mean and inverse deviation of each row, where they are wanted.
 */
void normalise(int64_t count, int64_t width, float eps, const float *x, const float *weight,
               const float *bias, float *out, int64_t place, float *stats) {
    for (int64_t row = 0; row < count; row++, x += width, out += place) {
        vec sums = {0}, squares = {0};
        ROW(e, left) sums += load_some(x + e, left);
        float mean = sum_of(sums) / width;
        ROW(e, left) {
            vec far = real_only(load_some(x + e, left) - mean, left);
            squares += far * far;
        }
        float scale = 1.0f / __builtin_sqrtf(sum_of(squares) / width + eps);
        ROW(e, left) {
            vec found = (load_some(x + e, left) - mean) * scale;
            if (weight) found = found * load_some(weight + e, left) + load_some(bias + e, left);
            store_some(out + e, found, left);
        }
        if (stats) stats[2 * row] = mean, stats[2 * row + 1] = scale;
    }
}

/* Gradients of `normalise`; those of weight and bias are added to what is there. */
void normalise_backward(int64_t count, int64_t width, const float *x, const float *weight,
                        const float *stats, const float *upstream, float *d_x, float *d_weight,
                        float *d_bias) {
    for (int64_t row = 0; row < count; row++, x += width, upstream += width, d_x += width) {
        float mean = stats[2 * row], scale = stats[2 * row + 1];
        vec sums = {0}, products = {0};
        ROW(e, left) {
            vec up = load_some(upstream + e, left), slope = up * load_some(weight + e, left);
            vec found = (load_some(x + e, left) - mean) * scale;
            sums += slope, products += slope * found;
            store_some(d_weight + e, load_some(d_weight + e, left) + up * found, left);
            store_some(d_bias + e, load_some(d_bias + e, left) + up, left);
        }
        float sum = sum_of(sums) / width, product = sum_of(products) / width;
        ROW(e, left) {
            vec slope = load_some(upstream + e, left) * load_some(weight + e, left);
            vec found = (load_some(x + e, left) - mean) * scale;
            store_some(d_x + e, (slope - sum - found * product) * scale, left);
        }
    }
}

/* GELU by its tanh approximation: x sigmoid(2u), u = sqrt(2 / pi) (x + 0.044715 x^3). */
#define LINEAR 1.5957691216f
#define CUBIC 0.0713548163f

/* Of rows of `width` numbers, to which a bias is added before, if there is one. */
void gelu_forward(int64_t count, int64_t width, const float *x, const float *bias, float *out) {
    for (int64_t row = 0; row < count; row++, x += width, out += width)
        ROW(e, left) {
            vec a = load_some(x + e, left);
            if (bias) a += load_some(bias + e, left);
            store_some(out + e, a * inverse_of(1.0f + vexp(-a * (LINEAR + CUBIC * a * a))), left);
        }
}

/* Its gradient, for the sake of which it is computed again; that of the bias is added to what is there. */
void gelu_backward(int64_t count, int64_t width, const float *x, const float *bias,
                   const float *upstream, float *again, float *out, float *d_bias) {
    for (int64_t row = 0; row < count; row++) {
        ROW(e, left) {
            vec a = load_some(x + e, left) + load_some(bias + e, left), up = load_some(upstream + e, left);
            vec gate = inverse_of(1.0f + vexp(-a * (LINEAR + CUBIC * a * a)));
            vec found = up * gate * (1.0f + a * (1.0f - gate) * (LINEAR + 3.0f * CUBIC * a * a));
            store_some(again + e, a * gate, left);
            store_some(out + e, found, left);
            store_some(d_bias + e, load_some(d_bias + e, left) + found, left);
        }
        x += width, upstream += width, again += width, out += width;
    }
}

typedef uint16_t shorts __attribute__((vector_size(2 * LANES)));

/* By how much features count that dropout may leave out. */
INLINE vec counted(const dropout *how, const uint16_t *levels, int64_t left) {
    shorts some = {0};
    if (left >= LANES) memcpy(&some, levels, sizeof some);
    else memcpy(&some, levels, 2 * left);
    ints whole = __builtin_convertvector(some, ints);
    return choose(whole >= how->dropped, all(how->scale), (vec){0});
}

/* x plus features with a bias, of which dropout leaves some. */
void add_forward(int64_t count, int64_t width, const float *x, const float *features,
                 const float *bias, const dropout *how, const uint16_t *levels, float *out) {
    for (int64_t row = 0; row < count; row++) {
        ROW(e, left) {
            vec found = load_some(features + e, left) + load_some(bias + e, left);
            if (levels) found *= counted(how, levels + e, left);
            store_some(out + e, load_some(x + e, left) + found, left);
        }
        x += width, features += width, out += width;
        if (levels) levels += width;
    }
}

/* Its gradients; that of the bias is added to what is there. */
void add_backward(int64_t count, int64_t width, const dropout *how, const uint16_t *levels,
                  const float *upstream, float *d_features, float *d_bias) {
    for (int64_t row = 0; row < count; row++) {
        ROW(e, left) {
            vec found = load_some(upstream + e, left);
            if (levels) found *= counted(how, levels + e, left);
            store_some(d_features + e, found, left);
            store_some(d_bias + e, load_some(d_bias + e, left) + found, left);
        }
        upstream += width, d_features += width;
        if (levels) levels += width;
    }
}

/* Add numbers to others. */
void add_to(int64_t count, const float *x, float *to) {
    for (int64_t e = 0; e < count; e += LANES)
        store_some(to + e, load_some(to + e, count - e) + load_some(x + e, count - e), count - e);
}
