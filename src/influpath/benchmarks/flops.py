"""How much arithmetic a piece of work needs: what its formulas ask for, whatever is computed.

A multiplication and an addition count as two.  Only matrix products count, since shares are of the
machine's rate of matrix products; the backward pass of a product costs two more of its size.
Measured rates times these numbers, over the peak, say how near the machine's limit the work is.
"""

BACKWARD = 3


def layer_flops(width: int, attended: float, inner: int = 4) -> float:
    """Return the FLOPs of one position in one transformer layer.

    Args:
        width: D.
        attended: Keys that the position attends to.
        inner: Width of the feed-forward layer as a multiple of D.
    """
    # Query, key, value and output projections; both feed-forward products; logits and mixture.
    return 2 * (4 + 2 * inner) * width**2 + 4 * attended * width


def output_flops(width: int, items: int) -> float:
    """Return the FLOPs of the logits of one position over the catalogue."""
    return 2.0 * width * items


def recurrent_flops(width: int, hidden: int, layers: int) -> float:
    """Return the FLOPs of one position of a GRU with its projection back to D."""
    first = 6 * hidden * (width + hidden)
    return float(first + (layers - 1) * 12 * hidden**2 + 2 * hidden * width)


def training_flops(encoder: float, positions: float, output: float) -> float:
    """Return the FLOPs of one supervised target in training.

    Args:
        encoder: FLOPs of one position in the network, forward.
        positions: Positions read per target.
        output: FLOPs of the output layer, forward.
    """
    return BACKWARD * (encoder * positions + output)


def planning_flops(
    layer: float, layers: int, known: float, steps: int, output: float, readings: int, ahead: int
) -> float:
    """Return the FLOPs of one path.

    Args:
        layer: FLOPs of a position in a layer.
        layers: Number of layers.
        known: History items in the window.
        steps: Path length.
        output: FLOPs of the output layer.
        readings: 1, or 2 where the objective is also hidden.
        ahead: Candidates looked at per step.
    """
    position = layer * layers
    return readings * (known + steps) * position + steps * (
        readings * output + ahead * (position + output)
    )
