"""Table V: what the Personalized Impressionability Mask is worth."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from matplotlib.figure import Figure

from influpath.errors import ConfigError
from influpath.evaluation import summarise
from influpath.experiments import reported
from influpath.experiments.figure_parts import BLUE, SKY, VERMILLION, Look
from influpath.experiments.reproduction.bench import Bench
from influpath.experiments.reproduction.config import ReproductionConfig
from influpath.experiments.reproduction.dot_plots import Dot, dot_plot
from influpath.experiments.reproduction.markdown import NAMES, cell, listed, number, table
from influpath.experiments.reproduction.planner_rows import (
    PAPER_LENGTH,
    dials_text,
    planner_table,
    sign,
)
from influpath.experiments.reproduction.recipe import (
    Recipe,
    model_settings,
    path_settings,
    planner_jobs,
)
from influpath.experiments.result import COMPARED, about_model, paired_differences
from influpath.experiments.run import NEUTRAL
from influpath.experiments.training_jobs import TrainingJob
from influpath.irn.config import IRNConfig
from influpath.irn.model import IRN

# Mask type -> the variant that has it; type 3 is IRN itself.
TYPES: dict[str, str | None] = {"type-1": "type-1", "type-2": "type-2", "type-3": None}
PRINTED = ("log_ppl", "sr", "ioi")
SHOWN = (*PRINTED, "ior", "accepted_sr@20", "worst_step")
LOOKS = {
    "type-1": Look(SKY, "v", ":"),
    "type-2": Look(VERMILLION, "s", "--"),
    "type-3": Look(BLUE, "o", "-"),
}


class Table5(Recipe):
    """Mask types 1, 2 and 3, each at neutral dials and at those chosen for IRN."""

    name: ClassVar[str] = "table-5"
    title: ClassVar[str] = "Table V: the mask types"

    def settings(self, config: ReproductionConfig) -> dict[str, Any]:
        """See ``Recipe.settings``."""
        return {**path_settings(config, "irn"), "masks": mask_settings(config)}

    def jobs(self, bench: Bench) -> list[TrainingJob]:
        """See ``Recipe.jobs``."""
        return [
            *planner_jobs(bench, ("irn",)),
            *(bench.variant(name).job("model", "irn") for name in TYPES.values() if name),
        ]

    def compute(self, bench: Bench) -> dict[str, Any]:
        """Plan and judge with each mask at each setting of the dials; compare type 3."""
        seed, pairs = bench.config.seed, bench.report_pairs
        benches = {mask: bench.variant(name) for mask, name in TYPES.items()}
        dials = {"neutral": NEUTRAL, "chosen": {**NEUTRAL, **bench.dials_of("irn")}}
        masks: dict[str, dict[str, Any]] = {
            mask: {"training": about_model(own.models["irn"].history)}
            for mask, own in benches.items()
        }
        differences = {}
        for setting, values in dials.items():
            evaluation = summarise(
                {
                    mask: own.judged("irn", pairs, values, bench.judge)
                    for mask, own in benches.items()
                },
                seed,
            )
            for mask, row in evaluation.to_dict()["planners"].items():
                masks[mask][setting] = row
            others = [mask for mask in TYPES if mask != "type-3"]
            differences[setting] = paired_differences(
                evaluation, [("type-3", other) for other in others], seed
            )
        return {
            "judge": bench.judge.name,
            "pairs": pairs.height,
            "dials": dials,
            "masks": masks,
            "differences": differences,
            "impressionability": impressionability(bench),
        }

    def draw(self, document: Mapping[str, Any]) -> Figure:
        """Draw the masks as dots with intervals, at neutral and at the chosen dials."""
        result, printed = document["result"], printed_masks(document)
        dots = [
            Dot(
                f"{mask}, {setting} dials",
                result["masks"][mask][setting],
                LOOKS[mask],
                printed.get(mask, {}) if setting == "neutral" else {},
                apart=setting == "chosen" and mask == "type-1",
            )
            for setting in result["dials"]
            for mask in TYPES
        ]
        return dot_plot(dots, ("log_ppl", "sr", "ioi", "accepted_sr@20"), result["pairs"])

    def words(self, document: Mapping[str, Any]) -> str:
        """Return the masks beside the paper's, and what the personal weight is worth."""
        result, printed = document["result"], printed_masks(document)
        rows = {
            f"{mask}, {setting} dials": result["masks"][mask][setting]
            for setting in result["dials"]
            for mask in TYPES
        }
        beside = {f"{mask}, neutral dials": row for mask, row in printed.items()}
        parts = [
            f"{result['pairs']:,} report pairs, M = {document['config']['max_length']}, judge "
            f"{result['judge']}. Type 1: the objective is visible, without extra weight; type 2: "
            "the same weight for all users; type 3: the personal weight r_u w_t. Neutral dials are "
            "the paper's setting; the chosen ones are those of Table III, for every type: "
            f"{dials_text(result['dials']['chosen'])}.",
            planner_table(rows, SHOWN, beside, first="mask"),
            lost(printed),
            "What the personal weight is worth: paired differences of type 3.",
            difference_table(result),
            "\n".join(f"- {finding}" for finding in findings(result)),
            the_papers_order(result) if beside else "",
            training_table(result),
            about_training(document),
        ]
        return "\n\n".join(part for part in parts if part)


def mask_settings(config: ReproductionConfig) -> dict[str, Any]:
    """Return the settings of IRN with each mask.

    Raises:
        ConfigError: A variant is missing, or has another mask than its name says.
    """
    found = {}
    for mask, variant in TYPES.items():
        settings = config.settings_of(variant)
        wanted = int(mask[-1])
        has = IRNConfig.parse(settings, mask).mask_type
        if has != wanted:
            where = f"variants.{variant}" if variant else "models.irn"
            raise ConfigError(f"{where}: mask_type is {has}; Table V needs {wanted}.")
        found[mask] = model_settings("irn", settings)
    return found


def impressionability(bench: Bench) -> dict[str, Any]:
    """Return mean and standard deviation of r_u over the users, with type 3."""
    model = bench.models["irn"]
    assert isinstance(model, IRN)
    values = model.impressionability().double()
    return {
        "mean": float(values.mean()),
        "sd": float(values.std()) if len(values) > 1 else None,
        "users": len(values),
    }


def printed_masks(document: Mapping[str, Any]) -> dict[str, reported.Row]:
    """Return the paper's Table V by our names; {} for other data or another M."""
    if document["config"]["max_length"] != PAPER_LENGTH:
        return {}
    found = reported.rows("table_5_masks", document["dataset"])
    return {mask.replace("_", "-"): row for mask, row in found.items()}


def lost(printed: Mapping[str, reported.Row]) -> str:
    """Say which of the paper's figures are missing here, and why."""
    missing = {
        NAMES[metric]: [mask for mask, row in printed.items() if row[metric] is None]
        for metric in PRINTED
    }
    clauses = [f"{name} of {listed(masks)}" for name, masks in missing.items() if masks]
    if not clauses:
        return ""
    return f"Blank: the available text of the paper lost {listed(clauses)}."


def difference_table(result: Mapping[str, Any]) -> str:
    """Return type 3 minus the others as a Markdown table."""
    rows = [
        [f"{name}, {setting} dials", *(cell(row[metric], metric) for metric in COMPARED)]
        for setting, differences in result["differences"].items()
        for name, row in differences.items()
    ]
    return table(["", *(NAMES[metric] for metric in COMPARED)], rows)


def findings(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the personal weight changes, where the interval excludes 0."""
    verbs = {1: "higher", -1: "lower"}
    for setting, differences in result["differences"].items():
        for name, row in differences.items():
            other = name.partition(" - ")[2]
            told = [
                f"{NAMES[metric]} is {verbs[sign(row[metric])]}"
                for metric in COMPARED
                if sign(row[metric])
            ]
            even = [NAMES[metric] for metric in COMPARED if not sign(row[metric])]
            sentence = f"At {setting} dials, type-3 against {other}: {listed(told)}"
            if not told:
                sentence = (
                    f"At {setting} dials, type-3 is not told apart from {other} in any metric"
                )
            elif even:
                sentence += f"; not told apart in {listed(even)}"
            yield f"{sentence}."


def the_papers_order(result: Mapping[str, Any]) -> str:
    """Say how often the order that the paper prints is found here."""
    signs = [
        sign(row[metric])
        for differences in result["differences"].values()
        for row in differences.values()
        for metric in ("sr", "ioi")
    ]
    return (
        "The paper prints type 3 above type 2 above type 1 in SR@M and IoI, and says that r_u adds "
        f"about 20%. Of the {len(signs)} comparisons of type 3 in these two, it is above in "
        f"{signs.count(1)}, below in {signs.count(-1)} and not told apart in {signs.count(0)}."
    )


def training_table(result: Mapping[str, Any]) -> str:
    """Return what each training came to, as a Markdown table."""
    rows = []
    for mask, row in result["masks"].items():
        training = row["training"]
        rows.append(
            [
                mask,
                number(training["validation"].get("validation_loss")),
                number(training["validation"].get("validation_loss_hidden")),
                f"{training['best_epoch']} of {training['epochs']}",
            ]
        )
    return table(["mask", "validation loss", "objective hidden", "best epoch"], rows)


def about_training(document: Mapping[str, Any]) -> str:
    """Return how equal the trainings are, and what the personal weights came to."""
    result, masks = document["result"], document["config"]["masks"]
    plain = [
        {key: value for key, value in settings.items() if key != "mask_type"}
        for settings in masks.values()
    ]
    keys = sorted({key for one in plain for key in one})
    unequal = [key for key in keys if any(one.get(key) != plain[0].get(key) for one in plain)]
    first = (
        f"Besides the mask, the trainings differ in {listed(unequal)}."
        if unequal
        else "All three are trained with the same settings and seed; nothing but the mask differs."
    )
    own = result["impressionability"]
    spread = "" if own["sd"] is None else f" and standard deviation {own['sd']:.3f}"
    return (
        f"{first} With type 3, r_u has mean {own['mean']:.3f}{spread} over {own['users']:,} users."
    )
