"""The pages as HTML: what is there without a browser, and who may see it."""

import csv
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from influpath.serving.page.drawing import log_share, scale_of
from influpath.serving.page.login import safe_way_back
from influpath.serving.page.rendering import harmless
from influpath.serving.page.view import ExploreView
from influpath.serving.schemas import Role

from .conftest import Site

PATH = "/?user=u3&item=9"


def test_the_whole_view_is_in_the_html(site: Site) -> None:
    with site.client("viewer") as client:
        answer = client.get("/?user=u3&item=Broken Harbour (1958)&compare=rec2inf&frontier=on")
    assert answer.status_code == 200
    assert answer.text.count('class="card') == 12
    assert answer.text.count("<table data-planner=") == 4
    assert "About 1 in 30 users like this one arrive at Broken Harbour (1958)." in answer.text
    assert "would pick it by themselves" in answer.text


def test_pages_forbid_scripts_and_styles_that_are_not_files(site: Site) -> None:
    with site.client() as client:
        for path in (PATH, "/campaigns/c-1", "/users/u4", "/models", "/login", "/campaigns/nope"):
            answer = client.get(path)
            assert "default-src 'self'" in answer.headers["content-security-policy"]
            assert " style=" not in answer.text
            assert " onclick=" not in answer.text
            files = re.findall('<script[^>]* src="/static/', answer.text)
            assert answer.text.count("<script") == len(files)
            assert "://" not in answer.text.replace("http://www.w3.org", "")


def test_what_users_and_films_are_called_cannot_become_markup(site: Site) -> None:
    evil = "<img src=x onerror=alert(1)>"
    with site.client() as client:
        for path in (f"/?user={evil}&item={evil}", f"/users?q={evil}", f"/campaigns?item={evil}"):
            assert evil not in client.get(path).text


@pytest.mark.parametrize("path", [PATH, "/campaigns", "/campaigns/c-1", "/users/u4", "/models"])
def test_without_a_key_there_is_the_login_and_nothing_else(site: Site, path: str) -> None:
    with site.client(None) as client:
        answer = client.get(path)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/login?next=/")
        assert client.get("/login").status_code == 200
        assert client.get("/static/page.css").status_code == 200
        part = client.get("/paths?user=u3&item=9", headers={"X-Influpath": "page"})
        assert part.status_code == 401
        assert "card" not in part.text


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/?user=u3&item=letter", 422, "items are like"),
        ("/?user=nobody&item=9", 422, "user id &#39;nobody&#39; is not in the data"),
        ("/?user=u3&item=9&horizon=x", 422, "horizon"),
        ("/?user=u3&item=9&answered=eaten:5", 422, "is not understood"),
        ("/?user=u3&item=9&planner=none", 422, "planner"),
        ("/path.csv", 422, "Name a history and an objective first."),
        ("/campaigns/nope", 404, "There is no campaign"),
        ("/users/nobody", 404, "There is no user"),
    ],
)
def test_errors_are_one_sentence_in_a_page(site: Site, path: str, status: int, said: str) -> None:
    with site.client() as client:
        answer = client.get(path)
    assert answer.status_code == status
    assert said in answer.text
    assert '<main id="main"' in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(("role", "there"), [("viewer", False), ("admin", True)])
def test_the_form_for_campaigns_is_there_for_admins(site: Site, role: Role, there: bool) -> None:
    with site.client(role) as client:
        assert ("data-shape=" in client.get("/campaigns").text) == there


def test_parts_without_the_page_lead_to_the_page(site: Site) -> None:
    with site.client() as client:
        answer = client.get("/paths?user=u3&item=9")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?user=u3&item=9")


def test_audit_trails_are_exported_whole(site: Site) -> None:
    for number in range(2_500):
        site.service.write_down("=cmd()", "proposal.shown", f"shown {number}", campaign="c-1")
    with site.client("viewer") as client:
        rows = list(csv.DictReader(client.get("/campaigns/c-1/audit.csv").text.splitlines()))
    assert len(rows) == 2_501
    assert rows[-1]["words"] == "shown 2499"
    assert rows[-1]["actor"] == "'=cmd()"


@given(
    st.builds(
        ExploreView,
        who=st.sampled_from(["user", "history"]),
        user=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zs"]), max_size=9),
        kind=st.sampled_from(["item", "set", "category"]),
        items=st.sampled_from(["", "1\n2", "Blue & Co = 3?\n#"]),
        planner=st.sampled_from(["", "irn", "vanilla/sasrec"]),
        horizon=st.integers(1, 200),
        aggressiveness=st.integers(0, 20).map(lambda tenths: tenths / 10),
        answered=st.lists(st.sampled_from(["rejected:a:b", "accepted:7"]), max_size=3).map(tuple),
        frontier=st.booleans(),
    )
)
def test_a_link_restores_the_view(view: ExploreView) -> None:
    from fastapi import Request

    scope = {"type": "http", "query_string": view.query().encode(), "headers": []}
    assert ExploreView.of(Request(scope)) == view


@given(
    st.lists(st.none() | st.floats(-5, 5, allow_subnormal=False), max_size=6),
    st.booleans(),
)
def test_scales_hold_what_is_drawn_and_zero(values: list[float | None], middle: bool) -> None:
    scale = scale_of(values, middle)
    known = [value for value in values if value is not None]
    places = [scale.at(value) for value in sorted([*known, 0.0])]
    assert places == sorted(places)
    assert all(0 <= place <= 100 for place in places)
    if middle:
        assert scale.at(0.0) == 50


@given(st.floats(1e-12, 1), st.floats(1e-12, 1))
def test_bars_grow_with_the_probability(first: float, second: float) -> None:
    assert (log_share(first) <= log_share(second)) or first > second
    assert 0 <= log_share(first) <= 100


@given(st.text())
def test_the_way_back_from_the_login_stays_here(path: str) -> None:
    back = safe_way_back(path)
    assert back.startswith("/")
    assert not back.startswith(("//", "/\\"))


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@x", "\tx"])
def test_no_cell_is_a_formula(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"
    assert harmless(-1.5) == -1.5
