"""Who is compared with: the hold-out, by hash, the same whenever and wherever it is asked."""

import hashlib
from typing import Literal

Arm = Literal["treated", "control"]
# As many as a float holds exactly, so that the share stays below 1.
BITS = 53


def share_of(campaign_id: str, user_id: str) -> float:
    """Return a number that is uniform in [0, 1) over users, independently for every campaign."""
    # The length keeps "ab" + "c" apart from "a" + "bc".
    text = f"{len(campaign_id)}:{campaign_id}{user_id}".encode("utf-8", "surrogatepass")
    number = int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> (64 - BITS)
    return number / float(1 << BITS)


def arm_of(campaign_id: str, user_id: str, holdout: float) -> Arm:
    """Return a user's arm: the expected share of "control" is exactly ``holdout``."""
    return "control" if share_of(campaign_id, user_id) < holdout else "treated"
