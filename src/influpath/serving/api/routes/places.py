"""What addresses hold: ids, and the parts of a listing."""

from typing import Annotated

from fastapi import Path, Query
from pydantic import AfterValidator

from influpath.serving.api.edge import SLASH
from influpath.serving.schemas import IdText

TEXT = r"^[^\x00-\x1f]*$"

# An id that holds a slash is written with %2F, see ``edge.py``.
UserId = Annotated[
    IdText,
    AfterValidator(lambda text: text.replace(SLASH, "/")),
    Path(description="The platform's id of the user, URL-encoded."),
]
CampaignId = Annotated[IdText, Path(description="As the campaign was created with.")]
GoalId = Annotated[IdText, Path(description="As the goal was set with.")]
Version = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", description="Name of the version.")
]
Search = Annotated[
    str, Query(max_length=200, pattern=TEXT, description="A part of what is looked for.")
]
Found = Annotated[int, Query(ge=1, le=100, description="At most so many.")]
After = Annotated[
    int | None, Query(ge=0, lt=2**63, description="`last` of the page before; none at first.")
]
Entries = Annotated[int, Query(ge=1, le=1_000, description="At most so many.")]
UserFilter = Annotated[IdText | None, Query(description="Only what concerns this user.")]
CampaignFilter = Annotated[IdText | None, Query(description="Only what concerns this campaign.")]
