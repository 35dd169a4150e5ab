"""Models at the first start: those that lie in the folder of bundles already."""

from collections.abc import Callable
from pathlib import Path

from influpath.serving.campaigns.caller import Caller
from influpath.serving.campaigns.service import Service
from influpath.serving.schemas import ModelIn

ABOUT = "bundle.json"


def tenants_with_bundles(bundles: Path) -> dict[str, list[str]]:
    """Return the versions that lie in each tenant's folder, the oldest first."""
    found = sorted(bundles.glob(f"*/*/{ABOUT}"), key=lambda path: path.stat().st_mtime)
    versions: dict[str, list[str]] = {}
    for path in found:
        # A folder that begins with a dot is a bundle in the making.
        if not path.parent.name.startswith("."):
            versions.setdefault(path.parent.parent.name, []).append(path.parent.name)
    return versions


def register_first(service: Service, bundles: Path, say: Callable[[str], None]) -> None:
    """Register the bundles of tenants that have none registered; the newest becomes active.

    Where one is, an admin decides about the others.
    """
    for tenant, versions in tenants_with_bundles(bundles).items():
        operator = Caller(tenant, "start", "admin")
        if service.models(operator):
            continue
        for version in versions:
            service.register_model(operator, ModelIn(version=version))
        if len(versions) > 1:
            service.activate_model(operator, versions[-1])
        say(f"tenant {tenant}: registered {', '.join(versions)}; active is {versions[-1]}.")
