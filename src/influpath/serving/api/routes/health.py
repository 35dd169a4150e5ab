"""What operators ask: whether it is alive, whether it can answer, and how it goes."""

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response

from influpath.config import FrozenConfig
from influpath.serving.api.parts import in_thread, parts_of
from influpath.serving.api.routes.guarded import Guarded, declare, problems

router = APIRouter(tags=["operation"])
guarded = APIRouter(tags=["operation"], route_class=Guarded)


class Status(FrozenConfig):
    """That all is well."""

    status: str = "ok"


@router.get("/healthz", response_model=Status, operation_id="is_alive", responses=problems(500))
async def is_alive() -> Response:
    """Say that the process answers; no key is needed."""
    return _ok()


@router.get("/readyz", response_model=Status, operation_id="is_ready", responses=problems(500, 503))
async def is_ready(request: Request) -> Response:
    """Say whether the database answers and a model is active; no key is needed."""
    parts = parts_of(request)
    await in_thread(parts, parts.service.ready)
    return _ok()


@declare(guarded, "GET", "/metrics", "viewer", None, as_text=True)
async def get_metrics(request: Request) -> Response:
    """Metrics for Prometheus; of models only those of the key's tenant."""
    parts = parts_of(request)
    models = await in_thread(parts, lambda: parts.service.models(request.state.caller))
    return Response(parts.metrics.text(models), media_type=CONTENT_TYPE_LATEST)


def _ok() -> Response:
    return Response(b'{"status":"ok"}', media_type="application/json")
