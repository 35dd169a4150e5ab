"""Who is compared with: the hold-out, by hash, the same whenever and wherever it is asked."""

import hashlib
from typing import Literal

Arm = Literal["treated", "control"]
BITS = 64


def share_of(campaign_id: str, user_id: str) -> float:
    """Return a number that is uniform in [0, 1) over users, independently for every campaign."""
    # The length keeps "ab" + "c" apart from "a" + "bc".
    text = f"{len(campaign_id)}:{campaign_id}{user_id}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(text).digest()[: BITS // 8]) / 2**BITS


def arm_of(campaign_id: str, user_id: str, holdout: float) -> Arm:
    """Return a user's arm: the expected share of "control" is exactly ``holdout``."""
    return "control" if share_of(campaign_id, user_id) < holdout else "treated"
