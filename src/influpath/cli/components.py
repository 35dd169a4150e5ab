"""``influpath recommenders`` and ``influpath planners``: what there is, in tree or installed."""

import json
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def recommenders(as_json: AsJson = False) -> None:
    """List the recommenders: what each is, and its settings with their defaults."""
    from influpath.registry import RECOMMENDERS, names, recommender_class

    listed("recommenders", {name: recommender_class(name) for name in names(RECOMMENDERS)}, as_json)


def planners(as_json: AsJson = False) -> None:
    """List the planners: what each is, and its dials with their defaults."""
    from influpath.registry import PLANNERS, names, planner_class

    listed("planners", {name: planner_class(name) for name in names(PLANNERS)}, as_json)


def listed(title: str, classes: dict[str, Any], as_json: bool) -> None:
    """Print classes by name: JSON, or a table."""
    from influpath.cli.show import components_table, show

    about = {name: about_class(each) for name, each in classes.items()}
    if as_json:
        typer.echo(json.dumps(about, ensure_ascii=False))
    else:
        show(components_table(title, about))


def about_class(component: Any) -> dict[str, Any]:
    """Return what a recommender or planner class says of itself."""
    config = getattr(component, "config_class", None)
    defaults = config().model_dump(mode="json") if config is not None else {}
    words = (component.__doc__ or "").strip().splitlines()
    return {
        "class": f"{component.__module__}.{component.__qualname__}",
        "about": words[0] if words else "",
        "settings": defaults,
    }
