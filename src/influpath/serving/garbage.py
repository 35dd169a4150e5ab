"""Keeping the collector of garbage from what stays."""

import gc


def freeze() -> None:
    """Let the collector pass over all that there is now: models and catalogues, which stay.

    Otherwise it walks through them every few seconds, a tenth of a second each time, and nobody
    is answered meanwhile.
    """
    # What stayed until now may be gone.
    gc.unfreeze()
    gc.collect()
    gc.freeze()
