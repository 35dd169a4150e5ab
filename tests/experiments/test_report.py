import json
import re
from pathlib import Path
from typing import Any

import pytest

from influpath.evaluation.metrics import METRICS
from influpath.experiments.examples import Example, Item, Step
from influpath.experiments.report import render_report, write_report
from influpath.experiments.report_numbers import label_of
from influpath.experiments.report_tables import best_planner, paired_difference, stages, table
from influpath.experiments.report_words import findings, grounds, other_judges

HOSTILE = "<script>alert('x')</script> & \"Co\" {{ 7 * 7 }}"


def interval(mean: float | None, half: float = 0.02, n: int = 90) -> dict[str, Any]:
    if mean is None:
        return {"mean": None, "ci95": [None, None], "n": 0}
    return {"mean": mean, "ci95": [mean - half, mean + half], "n": n}


def planner(level: float, **given: float | None) -> dict[str, Any]:
    means = dict.fromkeys(METRICS, level) | given
    return {name: interval(value) for name, value in means.items()}


def make_document(**changes: Any) -> dict[str, Any]:
    planners = {
        "irn": planner(0.5, log_ppl=4.5, ioi=2.0),
        "vanilla/sasrec": planner(0.1, log_ppl=4.0, ioi=-0.3),
        "direct": planner(0.05, sr=1.0, log_ppl=9.0, worst_step=9.0),
        "oracle": planner(0.8, log_ppl=4.4),
    }
    frontier = [
        {"planner": label, "point": point, "dials": {}} | row
        for label, point, row in (
            ("irn", "g 1", planner(0.2, log_ppl=4.1, ioi=0.5)),
            ("irn", "g 4", planners["irn"]),
            ("oracle", "k 20", planner(0.8, log_ppl=4.4, ioi=3.0)),
            ("vanilla/sasrec", "", planners["vanilla/sasrec"]),
        )
    ]
    stepwise = [
        {"planner": label, "align": align, "quantity": quantity, "step": step}
        | {"mean": -5.0 + 0.1 * step, "low": -5.2, "high": -4.8, "n": 40 - abs(step)}
        for label in ("irn", "vanilla/sasrec")
        for align, steps in (("start", range(1, 4)), ("arrival", range(-2, 1)))
        for quantity in ("objective_log_prob", "item_log_prob")
        for step in steps
    ]
    calibration = {"temperature": 1.25, "fitted_on": 10, "measured_on": 100}
    calibration |= {"loss": 6.0, "loss_calibrated": 5.9}
    calibration |= {"error": 0.0123, "error_calibrated": 0.0042}
    about = {"epochs": 3, "best_epoch": 2, "seconds": 12.5, "validation": {"hr@20": 0.3}}
    document: dict[str, Any] = {
        "name": "toy",
        "config": {"name": "toy", "result": "/somewhere/main.json", "max_length": 20, "x": None}
        | {"data": {"source": "/home/someone/log.csv"}},
        "seed": 3,
        "data": {"source": "/home/someone/log.csv", "preset": "clean", "fingerprint": "f00d"}
        | {"users": 100, "items": 60, "interactions": 1200, "density": 0.2}
        | {"report": {"duplicate_rows": 7}},
        "judge": "bert4rec",
        "evaluator": {"name": "bert4rec", "hr@20": 0.3, "hr@20_ci95": [0.2, 0.4]}
        | {"mrr": 0.1, "mrr_ci95": [0.05, 0.15], "n": 100},
        "pairs": 90,
        "planners": planners,
        "coverage": dict.fromkeys(planners, 0.25),
        "subset": {"judge": "bert4rec", "pairs": 90, "planners": planners, "coverage": {}},
        "differences": {
            f"irn - {other}": {"accepted_sr@20": interval(0.4, 0.05)}
            for other in ("vanilla/sasrec", "direct")
        },
        "subset_differences": {},
        "judges": {
            name: {"judge": name, "pairs": 90, "planners": planners, "coverage": {}}
            | {"calibrated": planners, "calibration": calibration}
            for name in ("bert4rec", "sasrec")
        },
        "across_judges": {
            label: {
                metric: {"mean": at["mean"], "worst": at["mean"], "worst_judge": "sasrec"}
                for metric, at in row.items()
            }
            for label, row in planners.items()
        },
        "next_item": {"irn": {"hr@20": 0.2, "hr@20_ci95": [0.1, 0.3], "mrr": None, "n": 100}},
        "stepwise": stepwise,
        "frontier": frontier,
        "dial_choice": {
            "judge": "sasrec",
            "pairs": 10,
            "chosen": {"guidance": 4.0, "pace": 1},
            "reason": "highest accepted SR@20 of 2 candidate(s)",
            "candidates": [
                {
                    "dials": {"guidance": 4.0, "pace": 1},
                    "means": {"accepted_sr@20": 0.5, "ioi": 2.0, "log_ppl": None}
                    | {"worst_step": 5.0},
                }
            ],
        },
        "dials": {"irn": {"guidance": 4.0}, "direct": {}},
        "evaluators": {"bert4rec": about, "sasrec": about},
        "models": {"irn": about},
        "paper_irn": {"sr": 0.259, "ioi": 2.61, "ior": 804.7, "log_ppl": 4.94},
        "versions": {"python": "3.11.1"},
        "hardware": {"processor": "A Processor", "memory_gib": 8.0},
        "seconds": {"train model irn": 130.0, "plan irn 0123456789": 2.0},
    }
    return document | changes


def make_example(title: str = "The Last Rider", **changes: Any) -> Example:
    steps = (
        Step(
            number=1,
            item=Item(title="Bridge", genres=("Crime", "Western")),
            log_prob=-3.0,
            rank=4,
            candidates=55,
            objective_log_prob=-7.0,
        ),
        Step(
            number=2,
            item=Item(title=title),
            log_prob=-2.5,
            rank=2,
            candidates=54,
            objective_log_prob=-2.5,
            is_objective=True,
        ),
    )
    given: dict[str, Any] = {
        "kind": "best",
        "planner": "irn",
        "judge": "bert4rec",
        "user_id": 7,
        "history": (Item(title="First Heist", genres=("Crime",)),),
        "history_length": 12,
        "objective": Item(title=title, genres=("Western",)),
        "steps": steps,
        "start_log_prob": -7.0,
        "end_log_prob": -2.5,
        "reached": True,
        "accepted": True,
    }
    return Example(**(given | changes))


def test_a_page_says_every_planner_metric_and_figure() -> None:
    page = render_report(make_document(), [make_example()])
    for label in make_document()["planners"]:
        assert f"{label}\n<span" in page
    for name in METRICS:
        assert f">{label_of(name)}\n" in page
        assert f"<dt>{label_of(name)}</dt>" in page
    assert page.count("<svg") == page.count("<desc") == 4
    for text in ("g 4", "k 20", "looks through the judge, not a planner", "The Last Rider"):
        assert text in page
    for text in (
        "1 in 1,100",
        "rank 4 of 55",
        "duplicate rows",
        "f00d",
        "A Processor",
        "0.259"[2:4],
    ):
        assert text in page
    assert "highest accepted SR@20 of 2 candidate(s)" in page


def test_a_page_needs_nothing_from_outside_and_names_no_folder() -> None:
    page = render_report(make_document(), [make_example()])
    assert not re.findall(r"https?://", page.replace('xmlns="http://www.w3.org/2000/svg"', ""))
    assert "<script" not in page
    assert "/somewhere" not in page
    assert "/home" not in page
    assert "log.csv" in page


def test_ids_are_unique_and_links_lead_somewhere() -> None:
    page = render_report(make_document(), [make_example(), make_example("Other")])
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    for target in re.findall(r'(?:href="#|url\(#|labelledby=")([^")]+)', page):
        assert set(target.split()) <= set(ids)


def test_titles_are_text_and_nothing_else() -> None:
    example = make_example(
        HOSTILE, user_id=HOSTILE, history=(Item(title=HOSTILE, genres=(HOSTILE,)),)
    )
    document = make_document(name=HOSTILE)
    document["planners"] = {HOSTILE: planner(0.4)} | document["planners"]
    page = render_report(document, [example])
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert (
        "49" not in re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL).split("&lt;script")[1][:80]
    )


def test_undefined_numbers_are_a_dash() -> None:
    nothing = {name: interval(None) for name in METRICS}
    document = make_document()
    document["planners"] = {"irn": nothing, "vanilla/sasrec": nothing}
    document["stepwise"][0] |= {"mean": None, "low": None, "high": None, "n": 0}
    document["stepwise"][1] |= {"low": None, "high": None, "n": 1}
    document["frontier"][0] |= {"ioi": interval(None)}
    document["subset"]["planners"] = document["planners"]
    page = render_report(document, [make_example(history=(), steps=(), reached=False)])
    assert "–" in page
    assert "n = 0" in page
    assert "nan" not in re.sub(r"[a-z]+nan|nan[a-z]+", "", page.lower())


@pytest.mark.parametrize("missing", ["frontier", "stepwise", "judges", "subset"])
def test_parts_may_be_missing(missing: str) -> None:
    # A document that lacks it and one that holds nothing there are the same.
    document = make_document()
    del document[missing]
    assert render_report(document, []) == render_report(make_document(**{missing: None}), [])


def test_a_single_planner_alone() -> None:
    document = make_document(planners={"mine": planner(0.3)}, frontier=[], stepwise=[])
    for key in ("dial_choice", "dials", "differences", "paper_irn", "subset", "judges"):
        del document[key]
    page = render_report(document, [])
    assert "mine shows the objective in 30.0% (28.0% to 32.0%)" in page
    assert "<strong>" not in page
    assert "No sweep over dials was made." in page


def test_no_oracle() -> None:
    document = make_document()
    for part in (document, document["subset"], *document["judges"].values()):
        part["planners"] = {k: v for k, v in part["planners"].items() if k != "oracle"}
    page = render_report(document, [])
    assert "irn" in page
    assert 'class="number aside"' in page  # the paper's column stays


def test_the_file_is_written_and_read_back(tmp_path: Path) -> None:
    document = json.loads(json.dumps(make_document()))
    write_report(document, [make_example()], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page == render_report(document, [make_example()])
    assert page.startswith("<!doctype html>")


def test_bold_needs_a_clear_lead_over_every_honest_planner() -> None:
    planners = make_document()["planners"]
    differences = make_document()["differences"]
    assert best_planner("ioi", planners, {}) == "irn"
    assert best_planner("accepted_sr@20", planners, differences) == "irn"
    assert best_planner("log_ppl", planners, {}) == "vanilla/sasrec"
    # SR is 1 for whoever shows the objective at once.
    assert best_planner("sr", planners, {}) == "irn"
    assert best_planner("length", planners, {}) is None
    level = {"irn": interval(0.0, 0.1)}
    tied = {"irn - vanilla/sasrec": {"accepted_sr@20": level["irn"]}}
    assert best_planner("accepted_sr@20", planners, differences | tied) is None
    assert best_planner("ioi", {"a": planner(0.30), "b": planner(0.33)}, {}) is None


def test_paired_differences_are_read_in_both_directions() -> None:
    differences = {"irn - b": {"sr": interval(0.2, 0.05)}}
    assert paired_difference("sr", "irn", "b", differences) == pytest.approx((0.2, 0.15, 0.25))
    assert paired_difference("sr", "b", "irn", differences) == pytest.approx((-0.2, -0.25, -0.15))
    assert paired_difference("sr", "b", "c", differences) is None


def test_the_summary_is_honest_about_overlap_judge_and_oracle() -> None:
    said = " ".join(findings(make_document()) + grounds(make_document()))
    assert "irn is ahead by 35.0 to 45.0 points" in said
    assert "No person was asked" in said
    assert "bert4rec" in said
    assert "not a planner" in said
    assert "Clearly ahead of all others are irn in SR, accepted SR@20" in said
    close = make_document(
        differences={"irn - vanilla/sasrec": {"accepted_sr@20": interval(0, 0.1)}}
    )
    assert "do not tell the two apart" in " ".join(findings(close))
    behind = make_document(differences={})
    behind["planners"]["direct"] = planner(0.9)
    assert "direct is ahead, and the two intervals do not overlap" in " ".join(findings(behind))
    assert findings({"planners": {}}) == ["This result has no planner to report on."]


def test_other_judges_are_told_once_with_their_numbers_side_by_side() -> None:
    shares = {
        "bert4rec": (0.9, 0.1),  # the headline judge, which is told elsewhere
        "sasrec": (0.5, 0.1),
        "caser": (0.1, 0.5),
        "gru4rec": (0.2, 0.6),
        "pop": (0.30, 0.33),
    }
    document = make_document()
    document["judges"] = {
        judge: {
            **document["judges"]["sasrec"],
            "planners": {"irn": planner(own), "vanilla/sasrec": planner(rival)},
        }
        for judge, (own, rival) in shares.items()
    }
    found = other_judges(document)
    assert found is not None
    assert [(row["judge"], row["ahead"]) for row in found["rows"]] == [
        ("sasrec", "irn"),
        ("caser", "vanilla/sasrec"),
        ("gru4rec", "vanilla/sasrec"),
        ("pop", None),
    ]
    assert found["sentence"].count("how often the objective is taken") == 1
    assert "on 90 pairs" in found["sentence"]
    assert "irn is ahead under sasrec, where" in found["sentence"]
    assert "vanilla/sasrec is ahead under caser and gru4rec, where" in found["sentence"]
    assert "Under pop the two are not told apart" in found["sentence"]
    summary = render_report(document, []).partition('id="planners"')[0]
    for text in ("10.0%", "8.0% to 12.0%", "60.0%", ">neither<"):
        assert text in summary
    assert "90.0%" not in summary


def test_no_other_judge_or_no_other_planner() -> None:
    assert other_judges(make_document(judges=None)) is None
    assert other_judges({"planners": {}, "judge": "x", "judges": {"y": {"planners": {}}}}) is None
    document = make_document()
    document["judges"]["sasrec"]["planners"] = {"irn": planner(0.5), "oracle": planner(0.8)}
    found = other_judges(document)
    assert found is not None
    assert (found["rows"][0]["rival"], found["rows"][0]["ahead"]) == (None, None)
    assert "ahead" not in found["sentence"]
    assert "irn" in render_report(document, [])


def test_a_row_on_fewer_pairs_says_so() -> None:
    rows = table(
        {"irn": planner(0.5) | {"log_ppl": interval(4.0, n=80)}, "oracle": planner(0.5)},
        {},
        {},
        None,
    )["rows"]
    cells = {row["label"]: row["cells"] for row in rows}
    assert cells["log(PPL)"][0]["n"] == 80
    assert cells["IoI"][0]["n"] is None


def test_times_of_like_stages_are_added() -> None:
    given = {"plan irn 0123456789": 2.0, "plan irn abcdef0123": 3.0, "dials-0123456789": 1.0}
    assert stages(given) == {"plan irn": 5.0, "dials": 1.0}
