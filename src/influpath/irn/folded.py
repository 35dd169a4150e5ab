"""IRN's weights folded for reading; see ``recommenders.folded``."""

from dataclasses import dataclass

from influpath.irn.network import IRNNetwork
from influpath.recommenders.folded import FoldedBlock, Folding, folded_blocks
from influpath.recommenders.output_layer import OutputLayer


@dataclass(frozen=True, eq=False)
class FoldedIRN:
    """The whole network but for its embeddings.

    Attributes:
        blocks: Its layers.
        output: Its output projection.
    """

    blocks: tuple[FoldedBlock, ...]
    output: OutputLayer


def _fold(module: IRNNetwork) -> FoldedIRN:
    return FoldedIRN(folded_blocks(module.blocks), OutputLayer(*module.output()))


folded = Folding(_fold)
