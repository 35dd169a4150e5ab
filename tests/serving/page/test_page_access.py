"""Everybody can use the pages: names, headings, contrast, small screens."""

from playwright.sync_api import Route, expect

from .conftest import Site, Visit

PAGES = (
    "/",
    "/?user=u3&item=9&compare=vanilla&frontier=on&answered=rejected:5",
    "/?user=u3&item=letter",
    "/campaigns?item=3#new",
    "/campaigns/c-1",
    "/users/u4",
    "/users?q=u1",
    "/models",
    "/login",
)

# What a checker for accessibility asks first: everything has a name, headings go down one by one,
# ids are there once, and text stands out from what is behind it (4.5 : 1, large text 3 : 1).
FAULTS = """() => {
  const faults = [];
  const seen = (e) => e.checkVisibility({ visibilityProperty: true });
  const say = (what, e) => faults.push(what + ": " + e.outerHTML.slice(0, 120));
  const named = (e) => (e.getAttribute("aria-label") || "").trim() ||
    (e.getAttribute("aria-labelledby") || "").split(" ").some(
      (id) => document.getElementById(id)?.textContent.trim()) ||
    [...(e.labels ?? [])].some((label) => label.textContent.trim());
  for (const e of document.querySelectorAll("input:not([type=hidden]), select, textarea, progress"))
    if (!named(e)) say("no label", e);
  for (const e of document.querySelectorAll("button, a, summary"))
    if (!e.textContent.trim() && !named(e)) say("no name", e);
  for (const e of document.querySelectorAll("img:not([alt])")) say("no alt", e);
  for (const e of document.querySelectorAll("[role=region], [role=img], figure, section"))
    if (!named(e)) say("no name", e);
  for (const name of ["aria-labelledby", "aria-describedby", "aria-controls", "for"])
    for (const e of document.querySelectorAll(`[${name}]`))
      for (const id of e.getAttribute(name).split(" "))
        if (!document.getElementById(id)) say("dangling " + name, e);
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  const twice = ids.filter((id, at) => ids.indexOf(id) !== at);
  if (twice.length) faults.push("twice: " + twice);
  let level = 0;
  for (const e of document.querySelectorAll("h1, h2, h3, h4")) {
    const now = Number(e.tagName[1]);
    if (now > level + 1) say("heading skips a level", e);
    level = now;
  }
  if (document.querySelectorAll("h1").length !== 1) faults.push("not one h1");
  if (!document.documentElement.lang) faults.push("no language");
  for (const e of document.querySelectorAll("[tabindex]")) if (e.tabIndex > 0) say("tabindex", e);
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (c) => {
    const [r, g, b] = c.slice(0, 3).map((v) =>
      v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = channels(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || !seen(e)) continue;
    if (e.matches("option, script, .hidden, [disabled]")) continue;
    const style = getComputedStyle(e);
    const [a, b] = [light(channels(style.color)), light(behind(e))].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < (large ? 3 : 4.5)) say("contrast " + contrast.toFixed(2), e);
  }
  return faults;
}"""


WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def test_everybody_can_read_every_page_on_every_screen(visit: Visit, site: Site) -> None:
    page = visit(PAGES[0])
    for path in PAGES:
        page.set_viewport_size({"width": 1280, "height": 900})
        page.emulate_media(color_scheme="light")
        page.goto(site.url + path)
        page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
        assert page.evaluate(FAULTS) == [], path
        page.emulate_media(color_scheme="dark")
        assert page.evaluate(FAULTS) == [], f"{path} in the dark"
        for width in (360, 390, 768):
            page.set_viewport_size({"width": width, "height": 780})
            assert page.evaluate(WIDER) == 0, f"{path} {width} px wide"


def test_nothing_is_asked_of_anybody_else(visit: Visit, site: Site) -> None:
    page = visit("/")
    others = []

    def stop(route: Route) -> None:
        if route.request.url.startswith(f"{site.url}/"):
            route.continue_()
        else:
            others.append(route.request.url)
            route.abort()

    page.route("**/*", stop)
    page.goto(f"{site.url}/?user=u3&item=9&compare=vanilla")
    expect(page.locator("#frontier canvas")).to_be_visible()
    page.goto(f"{site.url}/campaigns/c-1")
    expect(page.locator("#days canvas")).to_be_visible()
    assert not others
