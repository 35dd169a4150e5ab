"""item2vec: skip-gram with negative sampling over item sequences (Barkan and Koenigstein, 2016).

gensim does the work and is imported only when embeddings are trained.
"""

import numpy as np
import numpy.typing as npt

from influpath.data.sequences import Sequences

# Small logs need many passes: on Last.fm five leave the embeddings close to random.
SHOWN_ITEMS = 4_000_000
FEWEST_EPOCHS, MOST_EPOCHS = 5, 200


def item2vec(
    sequences: Sequences, items: int, size: int, seed: int, window: int = 5, epochs: int = 0
) -> npt.NDArray[np.float32]:
    """Train item embeddings.

    Args:
        sequences: Training sequences of item numbers 1..items.
        items: Catalogue size.
        size: Embedding size.
        seed: Makes the result reproducible (one worker, fixed hash).
        window: Neighbours on each side.
        epochs: Passes over the sequences; 0 takes as many as show about four million items, from 5
            to 200.

    Returns:
        float32 [items + 1, size]; row 0 (padding) and items without a sequence are 0.
    """
    from gensim.models import Word2Vec

    rows = [list(map(str, sequences.row(row).tolist())) for row in range(len(sequences))]
    shown = max(1, len(sequences.values))
    model = Word2Vec(
        rows,
        vector_size=size,
        window=window,
        min_count=1,
        sg=1,
        negative=5,
        workers=1,
        seed=seed,
        epochs=epochs or min(MOST_EPOCHS, max(FEWEST_EPOCHS, -(-SHOWN_ITEMS // shown))),
        # Python's string hash differs between processes; the number itself does not.
        hashfxn=lambda word: int(word) if word.isdigit() else 0,
    )
    vectors = np.zeros((items + 1, size), dtype=np.float32)
    known = np.array([int(word) for word in model.wv.index_to_key], dtype=np.int64)
    vectors[known] = model.wv.vectors
    return vectors
