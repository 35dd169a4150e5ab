"""Sweeping the planners' dials on the fixed subset, for a run's frontier."""

from typing import Any

from influpath.evaluation import summarise
from influpath.experiments.dial_choice import REC2INF, VANILLA
from influpath.experiments.run import ORACLE, Run
from influpath.planning.schedule import schedule_text


def sweep_dials(run: Run) -> list[dict[str, Any]]:
    """Sweep the planners' dials on the subset; return log(PPL) and IoI of every point."""
    chosen, sweep = run.dials_of("irn"), run.config.sweep
    points: list[tuple[str, str, dict[str, Any]]] = [
        ("irn", f"g {schedule_text(g)}", {**chosen, "guidance": g})
        for g in sweep.model_dump(mode="json")["guidance"]
    ]
    points += [(REC2INF, f"k {k}", {"k": k}) for k in sweep.rec2inf_k]
    points += [(ORACLE, f"k {k}", {"k": k}) for k in sweep.oracle_k]
    points += [(VANILLA, "", {})]
    points = [point for point in points if point[0] in run.config.planners]
    asked = [run.on_subset(label, dials, run.judge) for label, _, dials in points]
    result = []
    for (label, name, dials), judgement in zip(points, run.judge_all(asked), strict=True):
        row = summarise({label: judgement}, run.config.seed).to_dict()["planners"][label]
        metrics = ("log_ppl", "ioi", "accepted_sr@20", "worst_step", "sr")
        result.append(
            {"planner": label, "point": name, "dials": dials} | {m: row[m] for m in metrics}
        )
    return result
