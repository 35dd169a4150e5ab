"""``influpath doctor``: what a bug report needs."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from influpath.cli.options import DataDir, data_dir_of

if TYPE_CHECKING:
    from influpath.data.archives import ArchiveSource

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "POLARS_MAX_THREADS")


def doctor(
    context: typer.Context,
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print versions, hardware, threads, plugins and the data found: what a bug report needs."""
    from influpath.cli.show import facts_table, show

    facts = gather(data_dir_of(context, data_dir))
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False))
    else:
        show(facts_table(facts))


def gather(data_dir: str | None) -> dict[str, dict[str, Any]]:
    """Return the facts, by group."""
    import torch

    from influpath.data.archives import DATA_VARIABLE
    from influpath.data.lastfm import LASTFM
    from influpath.data.movielens import ML_1M
    from influpath.environment import hardware, versions
    from influpath.registry import PLANNERS, RECOMMENDERS, names

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    folder = data_dir or os.environ.get(DATA_VARIABLE) or None
    found = {source.name: find_archive(source, folder) for source in (ML_1M, LASTFM)}
    return {
        "versions": dict(versions()),
        "hardware": {**hardware(), "gpu": gpu},
        "threads": {
            "torch": torch.get_num_threads(),
            **{name: os.environ.get(name) for name in THREAD_VARIABLES},
        },
        "data": {"folder": folder, **found},
        "plugins": {
            "recommenders": ", ".join(names(RECOMMENDERS)),
            "planners": ", ".join(names(PLANNERS)),
        },
    }


def find_archive(source: "ArchiveSource", folder: str | None) -> str | None:
    """Return where an archive or its unpacked folder is, without downloading anything."""
    import pooch

    places = [Path(pooch.os_cache("influpath")) / source.archives[0]]
    if folder is not None:
        root = Path(folder).expanduser()
        names = [*source.archives, *(f"{name}/{source.main}" for name in source.folders)]
        places = [root / source.main, *(root / name for name in names), *places]
    return next((str(place) for place in places if place.is_file()), None)
