"""What goes in and out of the service, as JSON: one model per thing, for HTTP, page and tests.

Ids of users and items are the platform's own, text or whole numbers.  Times are UTC.
"""

from influpath.serving.schemas.audit import (
    AuditEntry,
    AuditPage,
)
from influpath.serving.schemas.basics import (
    Exclusions,
    Id,
    Ids,
    IdText,
    ItemCard,
    Name,
    Names,
    Page,
    Problem,
    Role,
    Share,
)
from influpath.serving.schemas.campaigns import (
    Audience,
    Campaign,
    CampaignChange,
    CampaignIn,
    CampaignStatus,
    Guardrails,
)
from influpath.serving.schemas.feedback import (
    Event,
    Feedback,
    FeedbackIn,
    Next,
    NextIn,
    Recorded,
    Source,
)
from influpath.serving.schemas.models import (
    Model,
    ModelIn,
)
from influpath.serving.schemas.people import (
    Deleted,
    Goal,
    GoalIn,
    Journey,
    OptOutIn,
    User,
)
from influpath.serving.schemas.plans import (
    Answered,
    AudienceIn,
    AudienceMember,
    AudienceOut,
    Plan,
    PlanFigures,
    PlanIn,
    PlanStep,
)
from influpath.serving.schemas.reports import (
    CampaignReport,
    Day,
    Estimate,
    FunnelStage,
    Shift,
    Uplift,
    UsersNeeded,
)

__all__ = [
    "Answered",
    "Audience",
    "AudienceIn",
    "AudienceMember",
    "AudienceOut",
    "AuditEntry",
    "AuditPage",
    "Campaign",
    "CampaignChange",
    "CampaignIn",
    "CampaignReport",
    "CampaignStatus",
    "Day",
    "Deleted",
    "Estimate",
    "Event",
    "Exclusions",
    "Feedback",
    "FeedbackIn",
    "FunnelStage",
    "Goal",
    "GoalIn",
    "Guardrails",
    "Id",
    "IdText",
    "Ids",
    "ItemCard",
    "Journey",
    "Model",
    "ModelIn",
    "Name",
    "Names",
    "Next",
    "NextIn",
    "OptOutIn",
    "Page",
    "Plan",
    "PlanFigures",
    "PlanIn",
    "PlanStep",
    "Problem",
    "Recorded",
    "Role",
    "Share",
    "Shift",
    "Source",
    "Uplift",
    "User",
    "UsersNeeded",
]
