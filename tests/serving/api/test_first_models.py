"""Which models are there after a start, without anybody registering them."""

import os
from pathlib import Path

from influpath.serving.api.first_models import register_first, tenants_with_bundles
from influpath.serving.campaigns.service import Caller, Service
from influpath.serving.schemas import ModelIn


def lay(folder: Path, version: str, second: int) -> None:
    """Put what looks like a bundle into its place."""
    about = folder / version / "bundle.json"
    about.parent.mkdir(parents=True)
    about.touch()
    os.utime(about, (second, second))


def versions(service: Service, tenant: str) -> dict[str, bool]:
    return {each.version: each.active for each in service.models(Caller(tenant, "me", "viewer"))}


def test_tenants_without_models_get_what_lies_there_and_the_newest_is_active(
    service: Service, tmp_path: Path
) -> None:
    lay(tmp_path, "fresh/b", 1)
    lay(tmp_path, "fresh/a", 2)
    lay(tmp_path, "fresh/.c-in-the-making", 3)
    # This tenant has a model: an admin decides about more of them.
    lay(tmp_path, "default/v2", 4)
    said: list[str] = []
    for _ in range(2):
        register_first(service, tmp_path, said.append)
    assert versions(service, "fresh") == {"a": True, "b": False}
    assert versions(service, "default") == {"v1": True}
    assert said == ["tenant fresh: registered b, a; active is a."]


def test_the_choice_of_an_admin_outlasts_a_start(service: Service, tmp_path: Path) -> None:
    admin = Caller("fresh", "me", "admin")
    lay(tmp_path, "fresh/a", 1)
    lay(tmp_path, "fresh/b", 2)
    service.register_model(admin, ModelIn(version="a"))
    register_first(service, tmp_path, lambda _: None)
    assert versions(service, "fresh") == {"a": True}


def test_no_folder_is_no_bundles(tmp_path: Path) -> None:
    assert tenants_with_bundles(tmp_path / "nowhere") == {}
