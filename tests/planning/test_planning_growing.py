"""Histories put together late are what they would have been at once."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from influpath.data.sequences import Sequences
from influpath.planning.growing import Growing


@given(data=st.data())
def test_late_equals_at_once(data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.lists(st.integers(1, 9), max_size=4), max_size=5))
    now = Sequences.from_rows(rows)
    late = Growing(now)
    for _ in range(data.draw(st.integers(0, 8))):
        if data.draw(st.booleans()):
            item = st.integers(0, 9)
            items = np.array(
                data.draw(st.lists(item, min_size=len(now), max_size=len(now))), dtype=np.int64
            )
            now = now.append(items)
            late.append(items)
        else:
            order = data.draw(st.permutations(range(len(now))))
            kept = np.array(order[: data.draw(st.integers(0, len(now)))], dtype=np.int64)
            now = now.take(kept)
            late.take(kept)
        assert len(late) == len(now)
        if data.draw(st.booleans()):
            assert late.sequences.values.tolist() == now.values.tolist()
    assert late.sequences.values.tolist() == now.values.tolist()
    assert late.sequences.offsets.tolist() == now.offsets.tolist()
