/* What a layer does to rows of `width` features; see layers.c. */

#pragma once

#include "vectors.h"

/* Features whose level is below `dropped` are left out, the others scaled. */
typedef struct { int32_t dropped; float scale; } dropout;

void normalise(int64_t count, int64_t width, float eps, const float *x, const float *weight,
               const float *bias, float *out, int64_t place, float *stats);
void normalise_backward(int64_t count, int64_t width, const float *x, const float *weight,
                        const float *stats, const float *upstream, float *d_x, float *d_weight,
                        float *d_bias);
void gelu_forward(int64_t count, int64_t width, const float *x, const float *bias, float *out);
void gelu_backward(int64_t count, int64_t width, const float *x, const float *bias,
                   const float *upstream, float *again, float *out, float *d_bias);
void add_forward(int64_t count, int64_t width, const float *x, const float *features,
                 const float *bias, const dropout *how, const uint16_t *levels, float *out);
void add_backward(int64_t count, int64_t width, const dropout *how, const uint16_t *levels,
                  const float *upstream, float *d_features, float *d_bias);
void add_to(int64_t count, const float *x, float *to);
