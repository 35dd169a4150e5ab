"""``influpath recommenders`` and ``influpath planners``: what there is, in tree or installed."""

import inspect
import json
import re
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

    about = {name: about_class(name, each) for name, each in classes.items()}
    if as_json:
        typer.echo(json.dumps(about, ensure_ascii=False))
    else:
        show(components_table(title, about))


def about_class(name: str, component: Any) -> dict[str, Any]:
    """Return what a recommender or planner class says of itself.

    Args:
        name: What it is called in tables and settings.
        component: The class.
    """
    config = getattr(component, "config_class", None)
    return {
        "class": f"{component.__module__}.{component.__qualname__}",
        "about": purpose(name, component),
        "settings": config().every_setting() if config is not None else {},
    }


def purpose(name: str, component: Any) -> str:
    """Return the first paragraph of the module that is named for the component, or of its class.

    The name at its start, which the reader knows already, is left out.
    """
    module = inspect.getmodule(component)
    own = component.__module__.rpartition(".")[2] == name
    sources = (module, component) if own else (component, module)
    # Not inspect.getdoc, which gives a class without a docstring its parent's.
    texts = (inspect.cleandoc(source.__doc__ or "") for source in sources if source is not None)
    paragraph = next(filter(None, texts), "").partition("\n\n")[0]
    text = " ".join(paragraph.replace("``", "").split())
    text = re.sub(rf"^{re.escape(name)}: ", "", text, flags=re.IGNORECASE)
    return text[:1].upper() + text[1:]
