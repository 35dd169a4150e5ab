"""The pages of campaigns, users and models in a real browser."""

import re

from playwright.sync_api import Route, expect

from .conftest import Site, Visit, key_of


def test_the_dashboard_says_it_in_words_and_shows_it(visit: Visit) -> None:
    page = visit("/campaigns/c-1")
    expect(page.locator(".words")).to_contain_text("1 in 14 led users arrive")
    expect(page.get_by_role("region", name="Funnel").get_by_role("row")).to_have_count(6)
    uplift = page.get_by_role("region", name="What it changed")
    expect(uplift).to_contain_text("+5.1 percentage points (−1 to +8.3)")
    expect(uplift).to_contain_text("not decided yet")
    expect(uplift.locator("svg.interval")).to_have_count(3)
    assert page.locator("#progress").evaluate("bar => [bar.value, bar.max]") == [1000, 2400]
    expect(page.get_by_text("+0.029 bits")).to_be_visible()
    expect(page.locator("#days canvas")).to_be_visible()
    expect(page.locator("#audit-table")).to_contain_text("ada created the campaign")
    with page.expect_download() as saved:
        page.get_by_role("link", name="CSV of all of it").click()
    assert saved.value.suggested_filename == "audit-c-1.csv"


def test_a_campaign_is_created_paused_and_ended(visit: Visit, site: Site) -> None:
    page = visit("/campaigns")
    page.get_by_text("New campaign").click()
    page.get_by_label("Name", exact=True).fill("Refused")
    page.get_by_role("combobox", name="Title or id").press_sequentially("paper sig")
    page.get_by_role("option", name=re.compile("Paper Signal")).click()
    page.get_by_label("Hold-out, percent of users").fill("25")
    page.get_by_role("button", name="Create the campaign").click()
    expect(page.get_by_role("alert")).to_contain_text("every item of the objective is excluded")
    page.get_by_label("Name", exact=True).fill("Paper week")
    page.get_by_role("button", name="Create the campaign").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Paper week running")
    expect(page.locator("#status")).to_have_text("The campaign is created.")
    made = site.service.campaigns_[-1]
    assert (made.holdout, made.objective.id, made.audience.kind) == (0.25, 25, "everyone")
    assert made.guardrails.floor == 100
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("paused")
    page.get_by_role("button", name="End").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert site.service.campaigns_[-1].status == "paused"
    page.get_by_role("button", name="End").click()
    page.get_by_role("dialog").get_by_role("button", name="End it").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("ended")
    expect(page.get_by_role("button", name="Resume")).to_have_count(0)


def test_what_is_pressed_while_scripts_still_load_is_not_lost(visit: Visit, site: Site) -> None:
    page = visit("/campaigns/c-1")
    held: list[Route] = []
    page.route("**/static/page.js", lambda route: held.append(route), times=1)
    page.goto(page.url, wait_until="commit")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("running")
    held.pop().continue_()
    expect(page.get_by_role("heading", level=1)).to_contain_text("paused")
    assert site.service.campaigns_[0].status == "paused"


def test_the_audit_trail_is_filtered(visit: Visit) -> None:
    page = visit("/campaigns/c-2")
    rows = page.locator("#audit-table tbody tr")
    expect(rows).to_have_count(2)
    page.get_by_label("Show only lines with").fill("paused")
    expect(rows.filter(visible=True)).to_have_count(1)
    expect(page.locator("#audit-count")).to_have_text("1 of 2 lines")


def test_a_user_opts_out_excludes_and_sets_goals(visit: Visit, site: Site) -> None:
    page = visit("/users/u4", role="service")
    switch = page.get_by_role("switch", name="Left alone by campaigns")
    expect(switch).to_have_attribute("aria-checked", "false")
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "true")
    assert site.service.people["u4"].opted_out
    page.get_by_label("Romance").check()
    page.get_by_label("Titles or ids, one a line", exact=True).fill("Hidden Harbour (1956)\n9")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#status")).to_have_text("The exclusions are saved.")
    assert site.service.people["u4"].excluded.items == (7, 9)
    assert site.service.people["u4"].excluded.categories == ("Romance", "Western")
    page.get_by_text("Set a goal").click()
    page.get_by_label("a category").check()
    page.get_by_label(re.compile("Category;")).select_option("Drama")
    page.get_by_role("button", name="Set the goal").click()
    goals = page.get_by_role("region", name="Goals of the user")
    expect(goals.get_by_text("Drama", exact=False).first).to_be_visible()
    page.get_by_role("button", name="Give up Blue Orchard").click()
    page.get_by_role("dialog").get_by_role("button", name="Yes").click()
    expect(goals).to_contain_text("given up")


def test_an_admin_says_what_nobody_is_shown(visit: Visit, site: Site) -> None:
    page = visit("/campaigns")
    page.get_by_role("combobox", name="Add a title", exact=True).press_sequentially("northern l")
    page.get_by_role("option", name=re.compile("Northern Letter")).click()
    page.get_by_role("region", name="Never shown to anybody").get_by_label("Western").check()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#status")).to_have_text("The exclusions are saved.")
    expect(page.locator("#never")).to_have_value("Northern Letter (1995)\n")
    assert site.service.nobody.categories == ("Western",)


def test_a_user_is_deleted_only_after_a_confirmation(visit: Visit, site: Site) -> None:
    page = visit("/users/n%C3%A9%2Fo%20%C3%BC", role="service")
    expect(page.get_by_role("heading", level=1)).to_have_text("User né/o ü")
    page.get_by_role("button", name="Delete the data of user").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    assert not site.service.people
    page.get_by_role("button", name="Delete the data of user").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.wait_for_url(re.compile("/users$"))
    expect(page.locator("#status")).to_contain_text("is deleted")
    assert site.service.people["né/o ü"].recent == ()


def test_a_viewer_has_nothing_to_write_with(visit: Visit) -> None:
    for path in ("/campaigns", "/campaigns/c-1", "/users/u4", "/models"):
        page = visit(path, role="viewer")
        assert page.locator("main [data-method]").count() == 0, path
        page.context.close()
    page = visit("/users/u4", role="service")
    assert page.locator("main [data-method]").count() > 0


def test_models_are_activated_and_rolled_back(visit: Visit, site: Site) -> None:
    page = visit("/models")
    page.get_by_role("button", name="Activate 2026-11-20").click()
    page.get_by_role("dialog").get_by_role("button", name="Yes").click()
    expect(page.locator("#model-2026-11-20")).to_contain_text("active")
    expect(page.locator("#model-2026-11-24 .badge")).to_have_count(0)
    page.get_by_role("button", name="Roll back").click()
    page.get_by_role("dialog").get_by_role("button", name="Yes").click()
    expect(page.locator("#model-2026-11-24 .badge")).to_have_text("active")
    page.get_by_label(re.compile("Name of its folder")).fill("missing")
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_role("alert")).to_contain_text("there is no folder 'missing'")


def test_a_key_is_asked_for_and_leads_back(visit: Visit) -> None:
    page = visit("/campaigns/c-1?after=0", role=None)
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.get_by_label("Your key").fill("ip_wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("key")
    page.get_by_label("Your key").fill(key_of("viewer"))
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Harbour nights")
    assert page.evaluate("document.cookie") == ""
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
