"""The report in a browser: ten questions answered by clicks, names that would do harm, keys, themes, many nodes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphc.executable import Executable
from graphc.inspect.profile import Profile
from graphc.report import describe, page
from graphc.report.compare import beside
from graphc.report.runs import attention_document, run_document
from tests.support.browser import browser
from tests.support.report_pages import Report, large
from tests.support.reports import HOSTILE, arguments, compiled, hostile, write_run

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

MOST_CLICKS = 3


@pytest.fixture(scope="module")
def running() -> Iterator[Any]:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def program() -> Executable:
    return compiled()


@pytest.fixture(scope="module")
def profile(program: Executable) -> Profile:
    return program.profile(*arguments(), repeat=2)


@pytest.fixture(scope="module")
def document(program: Executable, profile: Profile, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("runs")
    return {**describe(program, profile), "run": run_document(write_run(folder / "run"))}


@pytest.fixture(scope="module")
def path(document: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("report") / "page.html"
    made.write_text(page(document), encoding="utf-8")
    return made


@pytest.fixture
def report(running: Any, path: Path) -> Iterator[Report]:
    found = Report(running, path, viewport={"width": 1400, "height": 900})
    yield found
    assert found.clicks <= MOST_CLICKS
    found.close()


CHOSEN = "aside #chosen"


def line_of(document: dict[str, Any], text: str) -> str:
    """The name of the line of the test program that reads so."""
    (file,) = document["files"]
    (number,) = [number for number, line in file["lines"] if line.strip() == text]
    return f"reports.py:{number}"


LAYER = "return np.tanh(h @ w + b)"
RESULT = "return np.mean(np.exp(h) * 2.0 + np.exp(h) * h)"


def test_1_the_costliest_line(report: Report, document: dict[str, Any]) -> None:
    cost: dict[int, float] = {}
    for row, seconds, *_ in document["shares"]:
        lines = document["sources"][document["rows"][row][4]][0]
        for line in lines:
            cost[line] = cost.get(line, 0) + seconds / len(lines)
    costliest = document["lines"][max(cost, key=lambda line: cost[line])][1]
    report.click('.card:has-text("Costliest line") button')
    assert report.text(CHOSEN) == f"line reports.py:{costliest}"


def test_2_the_kernels_of_a_line(report: Report, document: dict[str, Any], program: Executable) -> None:
    line = line_of(document, RESULT)
    plan = program.plan
    expected = {plan.kernels[d.kernel].name for d in plan.dispatches if line in d.lines}
    report.click("button.code", RESULT)
    assert set(report.texts("aside .thing.kernel")) == expected


def test_3_the_wgsl_of_such_a_kernel(report: Report, program: Executable) -> None:
    report.click("button.code", RESULT)
    name = report.text("aside .thing.kernel")
    report.click("aside .thing.kernel")
    (kernel,) = [kernel for kernel in program.plan.kernels if kernel.name == name]
    assert report.page.locator("pre.wgsl").text_content() == kernel.wgsl
    assert report.page.locator("pre.wgsl .c-keyword").count() > 5


def test_4_who_stands_at_the_peak(report: Report, program: Executable) -> None:
    memory = program.memory
    live = memory.live_at(memory.peak_dispatch)
    report.tab("Memory")
    table = 'table:has(caption:text("Who stands at the peak")) tbody tr'
    sizes = {record.name: record.size for record in live}
    name = report.text(f"{table} .thing.tensor")
    assert sizes[name] == max(sizes.values())
    assert re.fullmatch(r"reports\.py:\d+", report.text(f"{table} .thing.line"))
    report.click(f"{table} .thing.tensor")
    assert report.text(CHOSEN) == f"tensor {name}"


def test_5_what_it_costs_to_keep_it(report: Report, program: Executable) -> None:
    memory = program.memory
    last = max(record.end for record in memory.lifetimes)

    def peak(without: str = "") -> int:
        """Most bytes alive, where one tensor lives but when it is made and when it is read last."""
        return max(
            sum(r.size for r in memory.live_at(at) if r.name != without or at in (r.start, r.end))
            for at in range(last + 1)
        )

    assert peak() == memory.lower_bound_bytes
    report.tab("Memory")
    table = 'table:has(caption:text("Who stands at the peak"))'
    name, saved = report.text(f"{table} tbody tr .thing.tensor"), report.text(f"{table} tbody tr td:nth-child(3)")
    assert saved == shown(peak() - peak(name))


def shown(count: int) -> str:
    """Bytes as the page writes them."""
    value, units = float(count), ["B", "KiB", "MiB"]
    while value >= 1024:
        value, units = value / 1024, units[1:]
    digits = 0 if units[0] == "B" or value >= 100 else 1 if value >= 10 else 2
    return f"{value:.{digits}f} {units[0]}"


def test_6_why_two_ops_are_not_one_kernel(report: Report, program: Executable) -> None:
    reasons = {stop.why for decision in program.decisions().values() for stop in decision.stops if stop.op == "matmul"}
    assert "a kernel holds one matmul" in reasons
    report.click("button.code", LAYER)
    report.tab("Not fused")
    report.click('label:has-text("of the selection only") input')
    rows = report.texts("#panel-fusion tbody tr")
    assert [row for row in rows if row.count("matmul") >= 2 and "a kernel holds one matmul" in row]


def test_6_why_any_two_ops_are_not_one_kernel(report: Report, document: dict[str, Any], program: Executable) -> None:
    lines = {line_of(document, LAYER), line_of(document, RESULT)}
    one = any(lines <= set(dispatch.lines) for dispatch in program.plan.apart().dispatches)
    report.click("button.code", LAYER)
    report.click('aside button:text("Compare with")')
    report.click("button.code", RESULT)
    assert ("They are one kernel" if one else "It costs") in report.text("aside .together")


def test_a_launch_costs_what_its_ops_cost(running: Any, path: Path, document: dict[str, Any]) -> None:
    launch = document["launches"][0]["row"]
    report = Report(running, path, "#launch=0", viewport={"width": 1400, "height": 900})
    body = document["rows"][launch][6]
    rows = set(body[0]) if body else {launch}
    moved = sum(share[2] for share in document["shares"] if share[0] in rows)
    assert shown(moved) in report.text('aside .fact:has-text("moved")')
    report.close()


def test_two_ops_far_from_each_other(running: Any, path: Path, document: dict[str, Any]) -> None:
    ends = sorted({part[0] for dispatch in document["dispatches"] for part in dispatch["parts"]})
    place = f"#launch={ends[0]}&with=launch.{ends[-1]}"
    report = Report(running, path, place, viewport={"width": 1400, "height": 900})
    assert "goes through other kernels" in report.text("aside .together")
    assert report.page.locator("aside .together li").count() >= 2
    report.page.goto(report.url + f"#launch={ends[0]}&with=launch.{ends[0]}")
    assert "Choose something else" in report.text("aside .card")
    report.close()


def test_7_which_pass_removed_an_op(report: Report) -> None:
    report.tab("Passes")
    report.click('nav button:text-is("cse")')
    report.click('section:has(h4:text("Removed")) button.code', "exp(")
    assert "cse" in report.text('aside .fact:has-text("removed by")')
    assert "exp" in report.text('aside .fact:has-text("read instead")')


def test_8_the_kernel_farthest_from_its_roofline(report: Report, document: dict[str, Any]) -> None:
    rates: dict[int, list[float]] = {}
    for dispatch in document["dispatches"]:
        found = rates.setdefault(dispatch["kernel"], [0.0, 0.0, 0.0])
        for k, value in enumerate((dispatch["flops"], dispatch["read"] + dispatch["written"], dispatch["seconds"])):
            found[k] += value
    most = [max(found[k] / found[2] for found in rates.values()) for k in (0, 1)]
    reached = {n: max(f[0] / most[0], f[1] / most[1]) / f[2] for n, f in rates.items()}
    farthest = document["kernels"][min(reached, key=lambda n: reached[n])]
    report.click('.card:has-text("Farthest from its roofline") button')
    assert report.text(CHOSEN) == f"kernel {document['texts'][farthest['name']]}"
    assert report.page.locator("circle.dot.on").count() == 1


def test_9_what_caused_the_second_compilation(report: Report) -> None:
    report.tab("Signatures")
    assert report.texts("#panel-signatures .difference") == ["argument x is f32[96,40], was f32[8,40]"]


def test_10_whose_gradient_is_largest(report: Report) -> None:
    report.tab("Run")
    assert report.text("#panel-run tbody tr th") == "tap1"


def test_a_place_can_be_linked_to(running: Any, path: Path, document: dict[str, Any]) -> None:
    report = Report(running, path, "#tab=kernels&kernel=0", viewport={"width": 1400, "height": 900})
    name = document["texts"][document["kernels"][0]["name"]]
    assert report.text(CHOSEN) == f"kernel {name}"
    assert report.text("#wgsl-title") == name
    report.click("aside .thing.line")
    assert "line=" in report.page.evaluate("location.hash")
    report.page.go_back()
    assert report.text(CHOSEN) == f"kernel {name}"
    report.close()


@pytest.mark.parametrize(
    "place",
    [
        "#tab=nothing&kernel=99999",
        "#op=-1",
        "#line=1e9&stage=1.5",
        "#kernel=<p>",
        "#with=constructor.1",
        "#with=__proto__.x",
        "#tab=__proto__&constructor=1",
        "#%",
    ],
)
def test_links_to_nowhere(running: Any, path: Path, place: str) -> None:
    report = Report(running, path, place)
    assert report.text("[role=tab][aria-selected=true]") == "Overview"
    assert report.text(CHOSEN) == "Nothing is selected" or not report.page.locator(CHOSEN).is_visible()
    report.close()


def test_choosing_marks_the_counterparts_everywhere(running: Any, path: Path) -> None:
    report = Report(running, path, "#tab=time&dispatch=0", viewport={"width": 1400, "height": 900})
    assert report.page.locator("#panel-time tr.on").count() == 1
    assert report.page.locator(".lines tr.on").count() >= 1
    report.tab("Memory")
    assert report.page.locator("#panel-memory rect.on").count() >= 1
    report.tab("Kernels")
    assert report.page.locator("#panel-kernels tr.on").count() == 1
    report.close()


def test_all_of_it_by_keys(running: Any, path: Path) -> None:
    report = Report(running, path, viewport={"width": 1400, "height": 900})
    keys = report.page.keyboard
    report.page.locator("[role=tab][aria-selected=true]").focus()
    keys.press("ArrowRight")
    assert report.text("[role=tab][aria-selected=true]") == "Graph"
    report.page.locator("canvas").focus()
    keys.press("ArrowDown")
    assert report.text(CHOSEN).startswith(("launch", "op"))
    first = report.page.evaluate("location.hash")
    keys.press("ArrowDown")
    assert report.page.evaluate("location.hash") != first
    keys.press("/")
    keys.type("tanh")
    report.page.locator(".results .thing.op").first.focus()
    keys.press("Enter")
    assert "tanh" in report.text(CHOSEN)
    report.close()


def test_what_a_screen_reader_is_told(running: Any, path: Path) -> None:
    report = Report(running, path, "#tab=memory", viewport={"width": 1400, "height": 900})
    for tab in [one.inner_text() for one in report.page.locator("[role=tab]:visible").all()]:
        report.tab(tab)
        unnamed = report.page.evaluate(
            """() => [...document.querySelectorAll("button, input, select, canvas, [role=img]")]
                .filter((node) => node.checkVisibility() && !node.closest("label"))
                .filter((node) => !(node.getAttribute("aria-label") || node.textContent.trim()))
                .map((node) => node.outerHTML.slice(0, 200))"""
        )
        assert unnamed == []
    report.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 700])
def test_text_stands_out_and_nothing_leaves_the_window(running: Any, path: Path, scheme: str, width: int) -> None:
    report = Report(running, path, "#line=0", viewport={"width": width, "height": 900}, color_scheme=scheme)
    for tab in [one.inner_text() for one in report.page.locator("[role=tab]:visible").all()]:
        report.tab(tab)
        assert report.page.evaluate("document.documentElement.scrollWidth") <= width, tab
    contrast = report.page.evaluate(
        """() => {
            const style = getComputedStyle(document.documentElement);
            const light = (name) => {
                const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
                context.fillStyle = style.getPropertyValue(name);
                context.fillRect(0, 0, 1, 1);
                const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].map((c) => c / 255)
                    .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            const inks = ["--ink", "--quiet", "--accent", "--keyword", "--string", "--number", "--type", "--comment"];
            const under = ["--paper", "--ground"].map(light);
            return Math.min(...inks.map(light).flatMap((ink) => under.map((one) => ratio(ink, one))));
        }"""
    )
    assert contrast >= 4.5
    report.close()


def test_where_a_run_looks(running: Any, document: dict[str, Any], tmp_path: Path) -> None:
    maps = np.tri(3) / np.arange(1, 4)[:, None] * np.ones((2, 2, 1, 1))
    maps[1, 1] = np.eye(3)
    looked = attention_document("<b>", maps)
    run = {**run_document(write_run(tmp_path / "run")), "attention": looked}
    (tmp_path / "page.html").write_text(page({**document, "run": run}), encoding="utf-8")
    report = Report(running, tmp_path / "page.html", "#tab=run")
    section = report.page.locator(".looks")
    assert section.locator("rect").count() == 6
    section.locator("select").nth(0).select_option("1")
    section.locator("select").nth(1).select_option("1")
    told = section.locator("svg").get_attribute("aria-label")
    assert told.startswith("Layer 1, head 1. < looks most at < (0 back); b looks most at b (0 back)")
    section.locator("rect").nth(1).hover()
    assert section.locator("p.quiet").inner_text() == "b at 1 looks at < at 0: 0.00"
    assert report.page.locator("table", has_text="Update of each layer").locator("tbody tr").count() == 3
    assert "tap after 30" in report.page.locator("table", has_text="What it wrote").inner_text()
    report.close()


def test_drawings_of_a_run_are_images_that_do_nothing(running: Any, document: dict[str, Any], tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    script = '<script>window.evil=1;parent.evil=1</script><image href="https://example.com/x.png"/>'
    drawn = f'<svg xmlns="http://www.w3.org/2000/svg" width="90" height="60" onload="parent.evil=1">{script}</svg>'
    (folder / "embedding.svg").write_text(drawn)
    (folder / "loss.svg").write_text(drawn)
    (tmp_path / "page.html").write_text(page({**document, "run": run_document(folder)}), encoding="utf-8")
    report = Report(running, tmp_path / "page.html", "#tab=run")
    picture = report.page.locator("img.picture")
    assert picture.get_attribute("alt") == "embedding"
    assert picture.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 90
    assert report.page.evaluate("window.evil") is None
    report.close()


def test_two_programs_side_by_side(running: Any, document: dict[str, Any], tmp_path: Path) -> None:
    folder = write_run(tmp_path / "other", "tap", 20)
    other = {**document, "run": run_document(folder), "name": HOSTILE[0]}
    (tmp_path / "page.html").write_text(page({**document, "beside": beside(other)}), encoding="utf-8")
    report = Report(running, tmp_path / "page.html", "#tab=compare", viewport={"width": 1400, "height": 900})
    assert (
        report.texts('#panel-compare table:has(caption:text("Figures")) tbody tr:has-text("launches") td')[-1]
        == "1.00 ×"
    )
    lines = '#panel-compare table:has(caption:text("Lines by time")) tbody tr'
    assert {row.split("\t")[4] for row in report.texts(lines)} == {"1.00 ×"}
    assert report.page.locator("#panel-compare polyline.second").count() == 1
    report.click(f"{lines} .thing.line")
    assert report.text(CHOSEN).startswith("line reports.py:")
    report.close()


def test_the_other_theme(running: Any, path: Path) -> None:
    report = Report(running, path, color_scheme="light")
    paper = "getComputedStyle(document.body).backgroundColor"
    before = report.page.evaluate(paper)
    report.click('button:text-is("Dark")')
    assert report.page.evaluate(paper) != before
    report.close()


def test_all_panels_are_printed(running: Any, path: Path) -> None:
    report = Report(running, path)
    report.page.emulate_media(media="print")
    report.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    for name in ("overview", "graph", "passes", "kernels", "memory", "time", "fusion", "run", "signatures"):
        assert report.page.locator(f"#panel-{name}").bounding_box()["height"] > 50, name
    assert report.page.pdf().startswith(b"%PDF")
    report.close()


def test_hostile_names_do_nothing(running: Any, tmp_path: Path) -> None:
    made = hostile(HOSTILE)
    found = {**describe(made, None), "run": run_document(write_run(tmp_path / "run", HOSTILE[0]))}
    found["files"][0]["lines"][0][1] = HOSTILE[1]
    found["retraces"].append([HOSTILE[2], [HOSTILE[3]]])
    (tmp_path / "page.html").write_text(page(found), encoding="utf-8")
    report = Report(running, tmp_path / "page.html", viewport={"width": 1400, "height": 900})
    for tab in [one.inner_text() for one in report.page.locator("[role=tab]:visible").all()]:
        report.tab(tab)
        for thing in report.page.locator("[role=tabpanel]:visible .thing").all()[:1]:
            thing.click()
            assert report.text(CHOSEN)
    report.page.locator("input[type=search]").first.fill("<script>")
    assert report.page.locator(".results .thing").count() >= 1
    assert report.page.evaluate("window.evil") is None
    assert report.page.locator("script").count() == 2
    assert report.page.locator("img, iframe, object, a").count() == 0
    assert report.page.evaluate("document.documentElement.scrollWidth") <= 1400
    report.close()


def test_folded_boxes_and_kernels_open(running: Any, path: Path) -> None:
    report = Report(running, path, "#tab=graph&launch=0", viewport={"width": 1400, "height": 900})
    before = report.boxes()
    report.click('.bar-row button:text-is("Open")')
    assert report.boxes() > before
    report.close()


def test_what_does_the_same_is_one_box(running: Any, tmp_path: Path) -> None:
    report = Report(running, large(tmp_path, 200), "#tab=graph", viewport={"width": 1400, "height": 900})
    folded = report.boxes()
    assert folded < 20
    report.page.locator("canvas").focus()
    report.page.keyboard.press("ArrowDown")
    report.click('.bar-row button:text("Open ×")')
    assert report.boxes() >= folded + 18
    report.click('label:has-text("fold") input')
    assert report.boxes() >= 200
    report.close()


def test_ten_thousand_nodes(running: Any, tmp_path: Path) -> None:
    report = Report(running, large(tmp_path), "#tab=graph", viewport={"width": 1400, "height": 900})
    report.click('label:has-text("fold") input')
    assert report.boxes() >= 10_000
    report.page.locator("canvas").focus()
    for key in ("ArrowDown", "+", "+", "-", "ArrowDown", "0"):
        report.page.keyboard.press(key)
    assert report.text(CHOSEN).startswith("op ")
    report.close()
