/* What attention's kernels share. */

#pragma once

#include "vectors.h"

/* Of a head. */
#define WIDEST 128

/* Who sees whom.  Every query sees keys first .. query (causal) or first .. length - 1.  With `last`
 * every query but the last one sees the last key too, with that much added to its logit (minus
 * infinity hides it), and the last query sees itself alone.  Pads (before first) see themselves. */
typedef struct { int64_t causal; const int64_t *first; const float *last; } pattern;

/* Where the keys start and stop that a query sees, the last one apart. */
INLINE void keys_seen(const pattern *who, int64_t row, int64_t query, int64_t length, int64_t *start,
                      int64_t *stop) {
    int64_t first = who->first ? who->first[row] : 0;
    *start = first, *stop = who->causal ? query + 1 : length;
    if (who->last && query == length - 1) *start = query;
    if (query < first) *start = query, *stop = query + 1;
}

/* What is added to a query's logit of the last key; 0 and not seen if none of `last` does. */
INLINE int last_seen(const pattern *who, int64_t row, int64_t query, int64_t length, float *extra) {
    *extra = who->last && query < length - 1 ? who->last[row * length + query] : -1e31f;
    /* What is no number is seen, so that it comes out. */
    return !(*extra <= -1e30f);
}

/* Of `batch` windows: see attention_forward and attention_backward. */
int attend_forward(int64_t batch, int64_t length, int64_t heads, int64_t width, const float *packed,
                   const float *bias, const pattern *who, float *out, float *norms);
int attend_backward(int64_t batch, int64_t length, int64_t heads, int64_t width, const float *packed,
                    const float *bias, const pattern *who, const float *out, const float *norms,
                    const float *upstream, float *gradient, float *d_last);

/* The gradients where heads are so narrow that what belongs to some keys fits the registers: see
 * narrow_attention.c. */
#if LANES == 16
#define NARROW(width) ((width) == 5 || (width) == 8)
#else
#define NARROW(width) 0
#endif
int narrow_backward(int64_t batch, int64_t length, int64_t heads, int64_t width, const float *packed,
                    const float *bias, const pattern *who, const float *out, const float *norms,
                    const float *upstream, float *gradient, float *d_last);
