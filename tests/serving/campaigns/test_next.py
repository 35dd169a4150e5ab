from serving.conftest import ADMIN, SERVER

from influpath.serving.campaigns.service import Service
from influpath.serving.schemas import CampaignIn, Event, FeedbackIn, NextIn


def test_smoke(service: Service):
    c = service.create_campaign(
        ADMIN, CampaignIn(name="x", objective={"kind": "item", "id": 9}, holdout=0)
    )
    for k in range(6):
        n = service.next(SERVER, NextIn(user_id=1))
        assert service.next(SERVER, NextIn(user_id=1)) == n
        print(n)
        print(
            service.feedback(
                SERVER,
                FeedbackIn(
                    events=[
                        Event(
                            event_id=f"e{k}", user_id=1, kind="accepted", proposal_id=n.proposal_id
                        )
                    ]
                ),
            )
        )
    print(service.user(SERVER, 1))
    for e in service.audit(ADMIN).entries:
        print(e.words)
    for w in service.report(ADMIN, c.id).words:
        print(w)
    print(service.report(ADMIN, c.id))
