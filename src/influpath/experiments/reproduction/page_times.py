"""How long every result took, in words: from the result files, for the page and the report."""

from collections.abc import Sequence

from influpath.experiments import reported
from influpath.experiments.reproduction.config import CORE
from influpath.experiments.reproduction.made import Made
from influpath.experiments.reproduction.markdown import listed, table


def times(sets: list[list[Made]]) -> str:
    """Return how long every result took, and on what."""
    machines = list(dict.fromkeys(machine(made) for group in sets for made in group))
    rows, whole = [], []
    for group in sets:
        trained: dict[str, float] = {}
        totals: dict[bool, list[float]] = {True: [0.0, 0.0], False: [0.0, 0.0]}
        for made in group:
            seconds = dict(made.document["seconds"])
            own = seconds.pop("compute")
            # A model is trained once, however many recipes need it.
            new = {name: took for name, took in seconds.items() if name not in trained}
            trained |= new
            total = totals[made.recipe.group == CORE]
            total[0] += own
            total[1] += sum(new.values())
            training = minutes(sum(new.values())) if new else ""
            number = [str(machines.index(machine(made)) + 1)] if len(machines) > 1 else []
            rows.append([made.where, made.recipe.name, minutes(own), training, *number])
        for core, name in ((True, "the core"), (False, "the studies")):
            if any((made.recipe.group == CORE) == core for made in group):
                sums = [minutes(seconds) for seconds in totals[core]]
                rows.append([group[0].where, f"**{name}**", *sums, *[""] * (len(machines) > 1)])
        planning, training_seconds = totals[True]
        if planning:
            whole.append(f"{minutes(planning + training_seconds / 2)} for {group[0].where}")
    columns = ["", "result", "planning and judging, minutes", "training, core-minutes"]
    printed = reported.printed()["training_time"]
    parts = [
        table(columns + ["machine"] * (len(machines) > 1), rows, text=2),
        "A training that several results share stands with the first of them; trainings run side "
        "by side, one core each. Those of Table VI's trials, also side by side, are in its first "
        "figure. " + about_machines(machines),
        f"The paper trained for {printed['lastfm']} on Last.fm and {printed['ml-1m']} on "
        f"MovieLens-1M, on {printed['hardware']}.",
    ]
    if whole:
        parts.insert(
            2,
            "Made from nothing on two cores, without judges that are kept, the core would come to "
            "its planning and half of its trainings' core-minutes, if these parts were made in one "
            f"run: {listed(whole)}, in minutes. They were not timed so.",
        )
    return "\n\n".join(parts)


def machine(made: Made) -> str:
    """Return what a result was made on."""
    hardware = made.document["hardware"]
    return f"{hardware['processor']}, {cores(hardware['cores'])}, {hardware['memory_gib']:g} GiB"


def about_machines(machines: Sequence[str]) -> str:
    """Return the machines, numbered where there are several."""
    if len(machines) == 1:
        return f"Machine: {machines[0]}."
    numbered = [f"{number}: {name}" for number, name in enumerate(machines, 1)]
    return f"Machines: {'; '.join(numbered)}."


def cores(count: int) -> str:
    """Return a number of cores for people."""
    return f"{count} core{'s' * (count != 1)}"


def minutes(seconds: float) -> str:
    """Return seconds as minutes."""
    return f"{seconds / 60:.1f}"
