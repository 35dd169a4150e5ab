"""The Explore page in a real browser."""

import csv
import re
from pathlib import Path

from playwright.sync_api import Page, expect

from .conftest import Site, Visit
from .made_up import BY_ID

PATH = "/?user=u3&item=9"
ACTIVE = "#columns .column:first-child .card[data-item] h3"


def titles(page: Page, column: int = 1) -> list[str]:
    """Return the titles of what is still to be shown, without badges."""
    cards = page.locator(f"#columns .column:nth-child({column}) .card[data-item]")
    return [BY_ID[own].title for own in cards.evaluate_all("all => all.map(c => c.dataset.item)")]


def ring(page: Page) -> list[float]:
    """Return where the ring of the frontier stands, once the chart is drawn."""
    frontier = page.locator("#frontier")
    expect(frontier).to_have_attribute("data-now", re.compile(r"\d"))
    return [float(each) for each in (frontier.get_attribute("data-now") or "").split()]


def test_a_user_and_a_title_are_searched_and_the_path_is_shown(visit: Visit) -> None:
    page = visit("/")
    page.get_by_role("combobox", name="User id").press_sequentially("u1")
    page.get_by_role("option", name="u12", exact=True).click()
    page.get_by_role("combobox", name="Title or id").press_sequentially("blue or")
    page.get_by_role("option", name=re.compile("Blue Orchard")).click()
    page.get_by_role("button", name="Show the path").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("User u12 to Blue Orchard (1961)")
    assert "user=u12" in page.url
    assert "item=12" in page.url
    assert len(titles(page)) == 6
    last = page.locator("#columns .card").last
    expect(last).to_contain_text("objective")
    expect(last).to_contain_text(re.compile(r"would pick it by themselves\s*1 in \d"))
    expect(page.locator("#words")).to_contain_text("About 1 in 30 users like this one arrive")
    expect(page.locator("#chances canvas")).to_be_visible()
    expect(page.locator("#frontier canvas")).to_be_visible()


def test_a_history_is_pasted_as_ids_and_titles(visit: Visit) -> None:
    page = visit("/")
    page.get_by_label("a pasted history").check()
    page.get_by_role("combobox", name="Add a title").first.press_sequentially("quiet sig")
    page.get_by_role("option", name=re.compile("Quiet Signal")).click()
    area = page.get_by_label("Titles or ids, one a line, the latest last")
    assert area.input_value() == "Quiet Signal (1970)"
    area.press("Control+End")
    area.press_sequentially("\n7\nlast letter (1992)")
    page.get_by_label("a category").check()
    page.get_by_label(re.compile("Category;")).select_option("Comedy")
    page.get_by_role("button", name="Show the path").click()
    before = page.locator(".before")
    expect(before).to_contain_text("Quiet Signal (1970) → Hidden Harbour (1956) → Last Letter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("the category Comedy")


def test_a_rejection_changes_what_follows_and_the_item_is_gone(visit: Visit, site: Site) -> None:
    page = visit(PATH)
    old = titles(page)
    page.get_by_role("link", name=f"Reject {old[2]}").click()
    expect(page.locator(".card.done.rejected")).to_contain_text(old[2])
    new = titles(page)
    assert old[2] not in new
    assert new[-1] == old[-1]
    accepted = page.locator(".card.done.accepted h3").all_inner_texts()
    assert accepted == old[:2]
    expect(page.locator("#status")).to_contain_text(f"{old[2]} is rejected. ")
    expect(page.locator("#status")).to_contain_text(re.compile(r"\d cards? (are|is) new"))
    marked = page.locator(".card.changed").evaluate_all("all => all.map(c => c.dataset.item)")
    assert marked
    assert {BY_ID[own].title for own in marked} <= set(new) - set(old)
    # The link alone shows the same, to somebody else, too.
    again = visit(page.url.removeprefix(site.url), role="viewer")
    assert titles(again) == new
    assert (
        again.locator(".card.done").all_inner_texts()
        == page.locator(".card.done").all_inner_texts()
    )
    page.get_by_role("link", name="Undo the last answer").click()
    expect(page.locator(".card.done.rejected")).to_have_count(0)
    page.get_by_role("link", name="Undo the last answer").click()
    page.get_by_role("link", name="Undo the last answer").click()
    expect(page.locator(".card.done")).to_have_count(0)
    assert titles(page) == old
    page.go_back()
    expect(page.locator(".card.done")).to_have_count(1)


def test_an_acceptance_keeps_the_item_and_leads_on(visit: Visit) -> None:
    page = visit(PATH)
    old = titles(page)
    page.get_by_role("link", name=f"Accept {old[0]}").click()
    expect(page.locator(".card.done.accepted")).to_contain_text(old[0])
    assert old[0] not in titles(page)


def test_the_slider_moves_the_point_on_the_frontier_and_plans_again(visit: Visit) -> None:
    page = visit(PATH)
    first = ring(page)
    slider = page.get_by_role("slider", name=re.compile("Aggressiveness"))
    slider.focus()
    for _ in range(5):
        slider.press("ArrowRight")
    expect(page.locator("#aggressiveness-said")).to_have_text("1.5")
    page.wait_for_url(re.compile("aggressiveness=1.5"))
    expect(page.locator("#chances-data table")).to_have_attribute("data-aggressiveness", "1.5")
    moved = ring(page)
    assert moved[0] > first[0]
    assert moved[1] > first[1]
    path = page.locator("#chances-data table")
    at = [float(path.get_attribute(f"data-{each}") or "nan") for each in "xy"]
    assert moved == [round(each, 3) for each in at]
    assert slider.evaluate("slider => slider === document.activeElement")


def test_two_planners_stand_side_by_side(visit: Visit, site: Site) -> None:
    page = visit(PATH)
    page.get_by_label("Compare with").select_option("vanilla")
    columns = page.locator("#columns .column")
    expect(columns).to_have_count(2)
    boxes = [columns.nth(place).bounding_box() for place in range(2)]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] + boxes[0]["width"] < boxes[1]["x"]
    expect(columns.nth(1)).to_contain_text("objective, not shown")
    expect(page.locator("#words .said")).to_have_count(2)
    expect(page.locator("#frontier-data table")).to_have_count(2)
    assert len((page.locator("#frontier").get_attribute("data-now") or "").split(";")) == 2
    again = visit(page.url.removeprefix(site.url))
    expect(again.locator("#columns .column")).to_have_count(2)
    assert [titles(again, 1), titles(again, 2)] == [titles(page, 1), titles(page, 2)]


def test_the_path_is_saved_as_a_table_and_charts_as_pictures(visit: Visit) -> None:
    page = visit(PATH)
    ring(page)
    with page.expect_download() as saved:
        page.get_by_role("link", name="CSV of the path").click()
    rows = list(csv.DictReader(Path(saved.value.path()).read_text(encoding="utf-8").splitlines()))
    assert [row["title"] for row in rows] == titles(page)
    assert [row["is_objective"] for row in rows] == ["False"] * 5 + ["True"]
    for name in ("frontier", "chances"):
        with page.expect_download() as saved:
            page.locator(f"[data-png={name}]").click()
        assert Path(saved.value.path()).read_bytes().startswith(b"\x89PNG")
        assert saved.value.suggested_filename == f"{name}.png"


def test_what_is_wrong_is_one_sentence_and_the_form_stays(visit: Visit) -> None:
    page = visit("/?user=u3&item=letter")
    expect(page.get_by_role("alert")).to_contain_text("10 items are like 'letter'")
    page.get_by_role("combobox", name="Title or id").fill("Blue Letter (1991)")
    page.get_by_role("button", name="Show the path").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Blue Letter (1991)")


def test_where_there_is_no_path_it_is_said_and_nothing_is_drawn(visit: Visit) -> None:
    page = visit("/?who=history&history=5%0A9%0A13&item=9")
    expect(page.locator("#words")).to_contain_text("the user has had every item of the objective")
    expect(page.locator("#columns .card")).to_contain_text("objective, not shown")
    expect(page.get_by_text("There is no path here, so there is nothing to weigh.")).to_be_visible()
    for name in ("frontier", "chances"):
        expect(page.locator(f"#{name}")).to_be_hidden()
        expect(page.locator(f"[data-png={name}]")).to_be_hidden()


def test_everything_can_be_done_with_the_keyboard(visit: Visit) -> None:
    page = visit("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    reach(page, "#user")
    page.keyboard.type("u2")
    expect(page.get_by_role("listbox", name="User id")).to_be_visible()
    expect(page.locator("#user")).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    active = page.locator("#user").get_attribute("aria-activedescendant")
    assert page.locator(f"#{active}").inner_text() == "u20"
    page.keyboard.press("Escape")
    expect(page.get_by_role("listbox", name="User id")).to_be_hidden()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option", name="u2", exact=True)).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.locator("#user").input_value() == "u2"
    reach(page, "#goal-item")
    page.keyboard.type("golden w")
    expect(page.get_by_role("option", name=re.compile("Golden Winter"))).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    reach(page, "button.main")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Golden Winter (1987)")
    rejected = titles(page)[0]
    reach(page, ".card[data-item] .answers a")
    page.keyboard.press("Enter")
    expect(page.locator(".card.done.rejected")).to_contain_text(rejected)
    # The focus goes on where the path is planned anew.
    focused = page.evaluate("document.activeElement.closest('.card')?.dataset.step")
    assert focused == "1"


def reach(page: Page, selector: str) -> None:
    """Press Tab until an element has the focus, which must be seen."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("s => document.activeElement.matches(s)", selector):
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none"
            return
    raise AssertionError(f"{selector} is not reached with Tab")


def test_a_path_is_seen_without_scripts(visit: Visit) -> None:
    page = visit("/?user=u3&item=9&compare=vanilla&frontier=on", scripts=False)
    expect(page.locator("#columns .column")).to_have_count(2)
    expect(page.locator("#frontier-data table")).to_have_count(2)
    page.locator(".answers a").nth(2).click()
    expect(page.locator(".card.done").first).to_be_visible()
    page.get_by_text("Change the question").click()
    page.get_by_role("textbox", name="User id").fill("u5")
    page.get_by_role("button", name="Show the path").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("User u5")


def test_the_theme_is_remembered(visit: Visit) -> None:
    page = visit("/", dark=True)
    shade = "getComputedStyle(document.body).backgroundColor"
    night = page.evaluate(shade)
    page.get_by_label("Colours").select_option("light")
    day = page.evaluate(shade)
    assert day == "rgb(255, 255, 255)" != night
    page.reload()
    assert page.evaluate(shade) == day
    page.get_by_label("Colours").select_option("")
    assert page.evaluate(shade) == night
