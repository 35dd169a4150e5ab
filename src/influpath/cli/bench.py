"""``influpath bench``: speed and memory, each beside a reference in the same run."""

from pathlib import Path
from typing import Annotated, Any

import typer

from influpath.cli.options import DataDir, DataOption, Preset, data_dir_of, key_values

EXAMPLES = (
    "influpath bench --quick",
    "influpath bench --only planning --only growth --repeats 3",
    "influpath bench --data ml-1m --data-dir ~/datasets --again",
    "influpath bench --only serving --bundles bundles --out results/serving.json",
)


def bench(
    context: typer.Context,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PART",
            help="Only this part: training, planning, judging, start, growth, reach or serving.  "
            "May be repeated.",
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="One round of little work: is everything in order?")
    ] = False,
    repeats: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Rounds; medians are reported.  5, quick 1."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="SOURCE",
            help="ml-1m, lastfm, simulated or a file; by default ml-1m where it is found, else "
            "simulated.",
        ),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Measure also what was measured before.")
    ] = False,
    reach_minutes: Annotated[
        float | None,
        typer.Option(
            min=0.1, metavar="MINUTES", help="Most training time of SASRec here in the part reach."
        ),
    ] = None,
    bundles: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Of influpath publish, with the model for the part serving; it is left out "
            "without.",
        ),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(metavar="URL", help="For the part serving; by default a new file of SQLite."),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(min=1, help="How long the part serving measures.  300, quick 10."),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE.json", help="The result; pictures go beside it.")
    ] = Path("results/bench.json"),
    folder: Annotated[
        Path,
        typer.Option(
            "--references",
            metavar="FOLDER",
            help="The repository's benchmarks/, with RecTools and RecBole set up (make "
            "bench-envs); without them these comparisons are left out.",
        ),
    ] = Path("benchmarks"),
    preset: Preset = "clean",
    data_option: DataOption = None,
    data_dir: DataDir = None,
) -> None:
    """Measure speed and memory: training, planning, judging, start-up, growth, and the service.

    Everything is measured beside a reference in the same run, and as a share of the machine's rate
    of matrix products; docs/benchmarks.md says how.  Each part is written as it comes, and one that
    is there for the same code, data and settings is not measured again.
    """
    from influpath.benchmarks.bench import Bench
    from influpath.benchmarks.config import bench_config, chosen_parts
    from influpath.benchmarks.figure import draw_bench
    from influpath.benchmarks.tables import bench_tables
    from influpath.cli.logs import only_warnings
    from influpath.cli.show import show
    from influpath.data import load_dataset

    parts = chosen_parts(only or [])
    serving = given(bundles=bundles, database=database, seconds=seconds)
    changes = given(repeats=repeats, reach_minutes=reach_minutes, serving=serving or None)
    data_folder = data_dir_of(context, data_dir)
    options = key_values(data_option, "--data-option")
    dataset = load_dataset(source or default_source(data_folder), preset, data_folder, **options)
    with only_warnings("influpath.training"):
        document = Bench(bench_config(quick, changes), dataset, out, folder).run(parts, again)
    for table in bench_tables(document):
        show(table)
    typer.echo(f"result: {out}")
    pictures = [out.with_suffix(suffix) for suffix in (".svg", ".png")]
    if draw_bench(document, pictures):
        typer.echo(f"pictures: {', '.join(map(str, pictures))}")


def given(**options: Any) -> dict[str, Any]:
    """Return the options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def default_source(data_dir: str | None) -> str:
    """Return ml-1m where its archive is at hand (nothing is downloaded), else simulated."""
    import os

    from influpath.cli.doctor import find_archive
    from influpath.data.archives import DATA_VARIABLE
    from influpath.data.movielens import ML_1M

    folder = data_dir or os.environ.get(DATA_VARIABLE) or None
    return "ml-1m" if find_archive(ML_1M, folder) else "simulated"
