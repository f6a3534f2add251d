"""The page in a real browser: no error, no request, and every way to use it."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rapid_moo import Comparison, Gene, GridSpace, Objective, get_problem, preferred_point
from rapid_moo.comparison.report import comparison_report
from rapid_moo.objectives import to_minimised
from rapid_moo.report import Report, to_html, write_page
from rapid_moo.report.facts import BoundFacts
from rapid_moo.report.making import architecture_facts, objective_facts, progress_facts, space_facts

from .conftest import EVIL, GOALS, Drawn, make_report

SIZES = [(1400, "light"), (400, "dark")]
# Where a point of the front is on the screen, in the plot of a number.
WHERE = """([plot, index]) => {
  const view = Bokeh.index.roots[plot], box = view.el.getBoundingClientRect(), frame = view.frame;
  const found = (r) => r.glyph.marker?.value === "diamond" && r.view.filter.booleans?.[index];
  const renderer = view.model.renderers.find(found);
  const data = renderer.data_source.data, glyph = renderer.glyph;
  const x = frame.x_scale.compute(data[glyph.x.field][index]), y = frame.y_scale.compute(data[glyph.y.field][index]);
  return [box.x + x, box.y + y];
}"""

# In each plot of a pair: how many crosses, how many bounds.
CROSSES = """() => Bokeh.index.roots.slice(0, 3).map(({ model }) => [
  model.renderers.find((r) => r.glyph?.marker?.value === "x").view.filter.booleans.filter(Boolean).length,
  [...model.center, ...model.renderers].filter((r) => r.type === "Span").length,
])"""


class Page:
    """A page in a tab, with what it complained of and asked for."""

    def __init__(self, browser: Any, path: Path, width: int = 1400, scheme: str = "light", **options: Any) -> None:
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, accept_downloads=True, **options
        )
        self.tab = self.context.new_page()
        self.tab.set_default_timeout(120_000)  # where others use the machine too
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.tab.on("console", lambda m: self.errors.append(m.text) if m.type in ("error", "warning") else None)
        self.tab.on("pageerror", lambda error: self.errors.append(str(error)))
        self.tab.on("dialog", lambda dialog: (self.errors.append(f"dialog {dialog.message}"), dialog.dismiss()))
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.tab.goto(path.as_uri())
        self.tab.wait_for_selector("body[data-ready]")

    def told(self, name: str) -> str:
        return str(self.tab.evaluate(f"document.body.dataset.{name} ?? ''"))

    def at(self, plot: int, index: int) -> tuple[float, float]:
        self.tab.evaluate("document.querySelector('[data-figure=front]').scrollIntoView()")
        x, y = self.tab.evaluate(WHERE, [plot, index])
        return x, y


@pytest.fixture(scope="session")
def file(report: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(to_html(report), encoding="utf-8")
    return path


@pytest.fixture
def page(browser: Any, file: Path) -> Iterator[Page]:
    found = Page(browser, file)
    yield found
    found.context.close()
    assert found.errors == []


def front_of(report: Report) -> list[int]:
    """Rows of the front in the page's order: by the first objective."""
    facts = report.architectures
    assert facts is not None
    return sorted(np.flatnonzero(facts.on_front).tolist(), key=lambda row: facts.raw[row][0])


@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_no_error_no_request_no_overflow(browser, file, width, scheme):
    page = Page(browser, file, width, scheme)
    assert page.errors == []
    assert [url for url in page.requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert page.tab.evaluate("document.documentElement.scrollWidth") <= width
    # Three pairs, parallel coordinates, two curves, three calibrations.
    assert page.tab.locator("[data-figure] [role=img]").count() == 9
    page.context.close()


def test_a_users_text_stays_text(page):
    assert page.tab.title() == f"Search of {EVIL}"
    assert page.tab.locator("img[src=x]").count() == 0
    assert page.tab.get_by_text(f"MemoryError: {EVIL}").count() == 1


@pytest.mark.parametrize("plot", [0, 2])
def test_hover_shows_the_architecture_in_all_plots(page, report, plot):
    rows, facts = front_of(report), report.architectures
    before = [shot(page, other) for other in range(4)]
    page.tab.mouse.move(*page.at(plot, 1))
    page.tab.wait_for_function("document.body.dataset.hovered")
    hovered = int(page.told("hovered"))
    assert hovered in [facts.number[row] for row in rows]
    page.tab.wait_for_timeout(300)
    assert [shot(page, other) != old for other, old in enumerate(before)] == [True] * 4
    text = page.tab.locator(".details").inner_text()
    row = facts.number.index(hovered)
    assert f"Evaluation {hovered}" in text
    assert all(f"{facts.raw[row][k]:.3g}"[:3] in text for k in range(3))
    assert "predicted" in text
    assert "depth" in text


def shot(page: Page, plot: int) -> bytes:
    return bytes(page.tab.locator("[data-figure=front] [role=img]").nth(plot).screenshot())


def test_click_selects_in_all_plots_and_in_the_table(page, report):
    facts = report.architectures
    page.tab.mouse.click(*page.at(1, 2))
    page.tab.wait_for_function("document.body.dataset.selected")
    chosen = page.told("selected").split(",")
    assert set(chosen) <= {str(facts.number[row]) for row in front_of(report)}
    picked = page.tab.locator(".front-table tr[aria-selected=true] td:first-child").all_inner_texts()
    assert sorted(picked) == sorted(chosen)
    page.tab.click("#clear")
    assert page.told("selected") == ""


def test_sliders_narrow_the_front_and_name_the_pick(page, report):
    rows, facts = front_of(report), report.architectures
    raw = np.array([facts.raw[row] for row in rows])
    F = to_minimised(raw, GOALS)
    assert page.told("kept") == str(len(rows))
    assert page.told("pick") == str(facts.number[rows[preferred_point(F, [1, 1, 1])]])
    for weight, value in ((0, 20), (1, 2), (2, 0)):
        page.tab.locator(f"#weight{weight}").fill(str(value))
    assert page.told("pick") == str(facts.number[rows[preferred_point(F, [2.0, 0.2, 0.0])]])
    page.tab.locator("#bound0").fill("100")
    limit = (raw[:, 0].min() + raw[:, 0].max()) / 2
    kept = raw[:, 0] <= limit
    assert 0 < kept.sum() < len(rows)
    assert page.told("kept") == str(kept.sum())
    assert page.tab.locator(".front-table tr.out").count() == (~kept).sum()
    assert int(page.told("pick")) in [facts.number[row] for row, on in zip(rows, kept, strict=True) if on]
    page.tab.click("#reset")
    assert page.told("kept") == str(len(rows))


def saved(page: Page) -> list[dict[str, str]]:
    with page.tab.expect_download() as download:
        page.tab.click("#save")
    text = Path(download.value.path()).read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def test_the_selection_is_saved(page, report):
    rows, facts = front_of(report), report.architectures
    lines = saved(page)
    assert [int(line["evaluation"]) for line in lines] == [facts.number[row] for row in rows]
    assert {"op", "depth", "width", "error", "speed", "size", "predicted_error"} <= set(lines[0])
    assert all(
        float(line["error"]) == pytest.approx(facts.raw[row][0], rel=1e-5)
        for line, row in zip(lines, rows, strict=True)
    )
    assert {line["op"] for line in lines} <= {"conv", EVIL, "mlp & co"}
    page.tab.locator(".front-table tbody tr").nth(1).click()
    assert [int(line["evaluation"]) for line in saved(page)] == [facts.number[rows[1]]]


def test_the_keyboard_is_enough(page, report):
    rows, facts = front_of(report), report.architectures
    page.tab.locator("[data-figure=front] .grid").focus()
    page.tab.keyboard.press("ArrowRight")
    page.tab.keyboard.press("ArrowRight")
    assert page.told("hovered") == str(facts.number[rows[1]])
    page.tab.keyboard.press("Enter")
    assert page.told("selected") == str(facts.number[rows[1]])
    page.tab.keyboard.press("Escape")
    assert page.told("selected") == ""
    page.tab.locator(".front-table tbody tr").first.focus()
    page.tab.keyboard.press("ArrowDown")
    page.tab.keyboard.press("Space")
    assert page.told("selected") == str(facts.number[rows[1]])
    page.tab.locator("#bound0").focus()
    for _ in range(120):
        page.tab.keyboard.press("ArrowLeft")
    assert int(page.told("kept")) < len(rows)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_prints(browser, file, scheme):
    page = Page(browser, file, scheme=scheme)
    assert len(page.tab.pdf()) > 20_000
    page.tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.tab.emulate_media(media="print")
    page.tab.set_viewport_size({"width": 690, "height": 900})
    assert not page.tab.locator("nav").is_visible()
    assert page.tab.locator("h1").is_visible()
    # Each plot is a picture that is no wider than the paper, dark on white.
    pictures = page.tab.locator("img.printed")
    assert pictures.count() == 9
    assert page.tab.evaluate("document.documentElement.scrollWidth") <= 690
    shown = pictures.first.screenshot()
    assert light(page, shown) > 0.8
    page.tab.emulate_media(media="screen")
    page.tab.evaluate("dispatchEvent(new Event('afterprint'))")
    assert pictures.count() == 0
    assert page.errors == []
    page.context.close()


def light(page: Page, png: bytes) -> float:
    """Mean brightness of a picture, 0 to 1."""
    script = """async (url) => {
      const image = new Image(); image.src = url; await image.decode();
      const canvas = new OffscreenCanvas(image.width, image.height), pen = canvas.getContext("2d");
      pen.drawImage(image, 0, 0);
      const { data } = pen.getImageData(0, 0, image.width, image.height);
      return data.filter((_, i) => i % 4 !== 3).reduce((sum, value) => sum + value, 0) / (0.75 * data.length) / 255;
    }"""
    url = "data:image/png;base64," + base64.b64encode(png).decode()
    return float(page.tab.evaluate(script, url))


@pytest.fixture
def phone(browser: Any, file: Path) -> Iterator[Page]:
    found = Page(browser, file, width=400, has_touch=True, is_mobile=True)
    yield found
    found.context.close()
    assert found.errors == []


def test_a_tap_selects_and_tells(phone, report):
    facts = report.architectures
    phone.tab.touchscreen.tap(*phone.at(0, 2))
    phone.tab.wait_for_function("document.body.dataset.selected")
    chosen = phone.told("selected")
    assert chosen in [str(facts.number[row]) for row in front_of(report)]
    sheet = phone.tab.locator("body > .tip")
    assert f"Evaluation {chosen}" in sheet.inner_text()
    box = sheet.bounding_box()
    assert box["x"] == 0
    assert box["width"] == 400
    assert box["y"] + box["height"] == pytest.approx(900, abs=1)
    phone.tab.touchscreen.tap(200, 880)
    assert not sheet.is_visible()
    assert phone.told("selected") == chosen


def test_a_finger_on_a_plot_scrolls_the_page(phone):
    x, y = phone.at(0, 1)
    before = phone.tab.evaluate("scrollY")
    finger = phone.context.new_cdp_session(phone.tab)
    told = "Input.dispatchTouchEvent"
    finger.send(told, {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 11):
        finger.send(told, {"type": "touchMove", "touchPoints": [{"x": x, "y": y - 20 * step}]})
        phone.tab.wait_for_timeout(16)
    finger.send(told, {"type": "touchEnd", "touchPoints": []})
    phone.tab.wait_for_function(f"scrollY > {before} + 50")


def test_sliders_and_rows_are_tapped(phone, report):
    rows, facts = front_of(report), report.architectures
    slider = phone.tab.locator("#bound0")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    phone.tab.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    limit = (facts.raw[rows[0]][0] + facts.raw[rows[-1]][0]) / 2
    kept = sum(facts.raw[row][0] <= limit for row in rows)
    assert abs(int(phone.told("kept")) - kept) <= 1
    assert int(phone.told("kept")) < len(rows)
    phone.tab.locator(".front-table tbody tr").nth(1).tap()
    assert phone.told("selected") == str(facts.number[rows[1]])


def test_logarithmic_axes_have_labels_that_are_right(page, report):
    axes = page.tab.evaluate(
        """() => Bokeh.index.roots.map(({ model }) => model).filter((model) => model.below)
          .flatMap((plot) => [[plot.below[0], plot.x_range], [plot.left[0], plot.y_range]])
          .filter(([axis]) => axis.type === "LogAxis")
          .map(([axis, range]) => [[...axis.major_label_overrides], axis.ticker.ticks, range.start, range.end])"""
    )
    assert axes
    for labels, ticks, low, high in axes:
        assert len(ticks) >= 3
        assert all(low <= tick <= high for tick in ticks)
        assert [float(text) for _, text in labels] == pytest.approx(ticks, rel=1e-2)


def test_a_drawing_of_the_space_is_shown(browser, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(to_html(make_report(Drawn)), encoding="utf-8")
    page = Page(browser, path)
    page.tab.locator(".front-table tbody tr").first.click()
    image = page.tab.locator(".details img")
    assert image.evaluate("async (i) => { await i.decode(); return i.naturalWidth; }") > 50
    assert page.errors == []
    page.context.close()


def test_without_a_front_to_judge_by(browser, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(to_html(make_report(judged=False)), encoding="utf-8")
    page = Page(browser, path)
    assert page.errors == []
    assert page.tab.get_by_text("the front that is known now").count() >= 1
    page.context.close()


@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_what_breaks_a_bound_is_seen(browser, report, tmp_path, width, scheme):
    facts = report.architectures
    others = [row for row in range(len(facts)) if not facts.on_front[row]]
    out = others[: len(others) // 2]
    feasible = [row not in out for row in range(len(facts))]
    size = sorted(values[2] for values in facts.raw)
    bounds = (BoundFacts("size <= 9", "size", size[len(size) // 2]), BoundFacts("depth <= 8"))
    shown = report.replace(bounds=bounds, architectures=replace(facts, feasible=feasible, broken=len(out)))
    page = Page(browser, write_page(shown, tmp_path), width, scheme)
    legend = page.tab.locator(".legend").inner_text()
    assert f"break a bound ({len(out)})" in legend
    assert f"other architectures evaluated ({len(others) - len(out)})" in legend
    assert "bound: size <= 9" in legend
    drawn = page.tab.evaluate(CROSSES)
    assert drawn == [[len(out), 0], [len(out), 1], [len(out), 1]]
    assert page.tab.evaluate("document.documentElement.scrollWidth") <= width
    assert page.errors == []
    page.context.close()


def test_ten_thousand_architectures_are_below_five_megabytes(browser, tmp_path):
    rng = np.random.default_rng(0)
    goals = [Objective(f"objective {k}", "min") for k in range(5)]
    space = GridSpace("large", [Gene(f"gene {k}", (1, 2, 3)) for k in range(75)], goals)
    X = space.sample(10_000, 0)
    raw = rng.lognormal(size=(len(X), 5))

    class Guess:
        def predict_unseen(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return rng.lognormal(size=(len(X), 5)), rng.lognormal(size=(len(X), 5))

    facts, _ = architecture_facts(space, goals, X, raw, ["chosen"] * len(X), predictors=Guess())
    page = to_html(
        Report(
            kind="search",
            name="large",
            objectives=objective_facts(goals),
            space=space_facts(space),
            architectures=facts,
        )
    )
    path = tmp_path / "report.html"
    path.write_text(page, encoding="utf-8")
    assert path.stat().st_size < 5_000_000
    shown = Page(browser, path)
    assert shown.errors == []
    shown.context.close()


def of_values(raw: np.ndarray) -> Report:
    goals = [Objective(f"goal {k}", "min") for k in range(raw.shape[1])]
    space = GridSpace("values", [Gene("a", tuple(range(100))), Gene("b", tuple(range(100)))], goals)
    X = space.enumerate()[: len(raw)]
    facts, _ = architecture_facts(space, goals, X, raw, ["chosen"] * len(raw))
    F = np.where(np.isnan(raw).any(axis=1, keepdims=True), np.inf, raw)
    return Report(
        kind="run",
        name="values",
        objectives=objective_facts(goals),
        space=space_facts(space),
        bill={"evaluations": len(raw), "front_size": sum(facts.on_front)},
        architectures=facts,
        progress=progress_facts(F, None, ""),
    )


RNG = np.random.default_rng(0)
ODD = {
    "one objective": RNG.random((30, 1)),
    "one architecture": RNG.random((1, 3)),
    "nothing complete": np.full((3, 2), np.nan),
    "all equal": np.ones((20, 3)),
    "zero and below": RNG.normal(size=(40, 2)) * [0.0, 1.0] - [0.0, 5.0],
    "huge and tiny": RNG.lognormal(size=(40, 2)) * [1e300, 1e-300],
    "five objectives": RNG.random((50, 5)),
    "a front of 5,000": np.column_stack([np.arange(5000.0), np.arange(5000.0)[::-1]]),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_values_are_shown(browser, tmp_path, name):
    path = tmp_path / "report.html"
    report = of_values(ODD[name])
    path.write_text(to_html(report), encoding="utf-8")
    page = Page(browser, path)
    assert page.errors == []
    n_front = sum(report.architectures.on_front)
    if n_front:
        assert page.told("kept") == str(n_front)
        page.tab.locator(".front-table tbody tr").last.click()
        assert page.told("selected") != ""
        assert page.errors == []
    page.context.close()


def test_the_file_refers_to_nothing_outside(report):
    page = to_html(report)
    body = page[: page.index('<script type="application/json"')]
    assert "http" not in body
    assert "//" not in body.replace("</", "")
    facts = page.split('id="facts">')[1].split("</script>")[0]
    assert json.loads(facts)["genes"][0]["labels"][1] == EVIL


@pytest.fixture(scope="session")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compared")
    Comparison(get_problem("digits").table, ["nsga2", "stratified-random", "random"], [20, 40], 2, folder).run()
    return write_page(comparison_report(folder, f"rapid-moo compare {EVIL}"), folder)


@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_tables_of_a_comparison_scroll_in_their_boxes(browser, compared, width, scheme):
    page = Page(browser, compared, width, scheme)
    assert page.errors == []
    assert page.tab.evaluate("document.documentElement.scrollWidth") <= width
    headings = page.tab.locator("#comparison h3").all_inner_texts()
    assert headings[:3] == ["digits", "At a budget of 20", "At a budget of 40"]
    first = page.tab.locator("#comparison .scroll").first
    assert first.locator("tbody tr").count() == 3
    assert first.locator("strong").count() >= 3
    reach = first.evaluate("box => box.scrollWidth - box.clientWidth")
    assert (reach > 0) == (width == 400)
    # Whose number it is stays in sight at the end of the table.
    first.evaluate("box => { box.scrollLeft = box.scrollWidth; }")
    box, name = first.bounding_box(), first.locator("tbody tr td").first.bounding_box()
    assert box is not None
    assert name is not None
    assert 0 <= name["x"] - box["x"] < 2
    assert name["width"] <= 0.5 * box["width"]
    page.context.close()
