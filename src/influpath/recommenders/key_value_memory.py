"""Keys and values of the positions that a causal transformer has read.

Shape suffixes: X layers, B rows, R some of the rows, H heads, L positions, Q queries, K candidates,
E width of a head.
"""

from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from influpath.recommenders.blocks import Attention, causal_attention
from influpath.recommenders.causal_reader import Memory

# Positions that are added when the room is used up.
ROOM = 32


@dataclass(eq=False)
class KeyValueMemory(Memory):
    """Keys and values by layer and position; a row has read its first ``length`` positions.

    Attributes:
        keys_XBHLE: Keys.
        values_XBHLE: Values.
        length_B: Positions read in each row, the start token included.
    """

    keys_XBHLE: Tensor
    values_XBHLE: Tensor
    length_B: Tensor

    @classmethod
    def blank(cls, layers: int, rows: int, heads: int, room: int, size: int) -> Self:
        """Return a memory of nothing, with room for so many positions."""
        shape = (layers, rows, heads, room, size)
        return cls(torch.zeros(shape), torch.zeros(shape), torch.zeros(rows, dtype=torch.int64))

    def rows(self, part: slice) -> "KeyValueMemory":
        """Return some rows, without copying them."""
        return KeyValueMemory(
            self.keys_XBHLE[:, part], self.values_XBHLE[:, part], self.length_B[part]
        )

    def keep(self, rows_R: Tensor) -> None:
        """See ``Memory.keep``."""
        self.keys_XBHLE = self.keys_XBHLE[:, rows_R]
        self.values_XBHLE = self.values_XBHLE[:, rows_R]
        self.length_B = self.length_B[rows_R]

    def put(self, rows_R: Tensor, other: "KeyValueMemory") -> None:
        """See ``Memory.put``; there is room for whatever the other has read."""
        while self.keys_XBHLE.shape[3] < int(other.length_B.max()):
            self.add_room()
        width = min(other.keys_XBHLE.shape[3], self.keys_XBHLE.shape[3])
        self.keys_XBHLE[:, rows_R, :, :width] = other.keys_XBHLE[:, :, :, :width]
        self.values_XBHLE[:, rows_R, :, :width] = other.values_XBHLE[:, :, :, :width]
        self.length_B[rows_R] = other.length_B

    def make_room(self) -> None:
        """Make sure that every row can read one more position."""
        if len(self.length_B) and int(self.length_B.max()) >= self.keys_XBHLE.shape[3]:
            self.add_room()

    def add_room(self) -> None:
        """Add positions."""
        self.keys_XBHLE = F.pad(self.keys_XBHLE, (0, 0, 0, ROOM))
        self.values_XBHLE = F.pad(self.values_XBHLE, (0, 0, 0, ROOM))

    def filling(self, layer: int) -> Attention:
        """Return causal attention over whole windows that keeps their keys and values."""

        def attend(q_BHLE: Tensor, k_BHLE: Tensor, v_BHLE: Tensor) -> Tensor:
            self.keys_XBHLE[layer] = k_BHLE
            self.values_XBHLE[layer] = v_BHLE
            return causal_attention(q_BHLE, k_BHLE, v_BHLE)

        return attend

    def writing(self, layer: int) -> Attention:
        """Return attention of one new position per row, whose key and value are kept."""
        rows_B = torch.arange(len(self.length_B))
        visible_BL = torch.arange(self.keys_XBHLE.shape[3]) <= self.length_B[:, None]

        def attend(q_BH1E: Tensor, k_BH1E: Tensor, v_BH1E: Tensor) -> Tensor:
            keys_BHLE, values_BHLE = self.keys_XBHLE[layer], self.values_XBHLE[layer]
            keys_BHLE[rows_B, :, self.length_B] = k_BH1E[:, :, 0]
            values_BHLE[rows_B, :, self.length_B] = v_BH1E[:, :, 0]
            return masked(q_BH1E, keys_BHLE, values_BHLE, visible_BL[:, None, None])

        return attend

    def reading(self, layer: int) -> Attention:
        """Return attention of candidates: each sees what was read, and itself."""
        read_BL = torch.arange(self.keys_XBHLE.shape[3]) < self.length_B[:, None]

        def attend(q_BHKE: Tensor, k_BHKE: Tensor, v_BHKE: Tensor) -> Tensor:
            rows, count = len(read_BL), q_BHKE.shape[2]
            itself_BKK = torch.eye(count, dtype=torch.bool).expand(rows, -1, -1)
            before_BKL = read_BL[:, None].expand(-1, count, -1)
            return masked(
                q_BHKE,
                torch.cat([self.keys_XBHLE[layer], k_BHKE], dim=2),
                torch.cat([self.values_XBHLE[layer], v_BHKE], dim=2),
                torch.cat([before_BKL, itself_BKK], dim=2)[:, None],
            )

        return attend


def masked(q_BHQE: Tensor, k_BHLE: Tensor, v_BHLE: Tensor, visible: Tensor) -> Tensor:
    """Attend to the positions where ``visible`` (broadcast to [B, H, Q, L]) is true."""
    mixed: Tensor = F.scaled_dot_product_attention(q_BHQE, k_BHLE, v_BHLE, attn_mask=visible)
    return mixed
