"""The page of plots: what is in it, and that a browser shows it without a network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest

from lashup.errors import UsageError
from simulations.cli import OK, main
from simulations.measure import Metric
from simulations.report import page_of, write_report
from simulations.results import Record, Results
from tests.simulations.chromium import Page, executable, open_page
from tests.simulations.example_runs import outcome, record

BROWSER = executable()


@pytest.fixture(scope="module")
def page() -> str:
    """Of three seeds at two sizes, one with loss, one run that failed."""
    failed = outcome(9, violations=("a <b>fact</b> from nowhere",))
    kept = [record(s, nodes=n) for n in (4, 8) for s in (1, 2, 3)]
    return page_of([*kept, record(1, loss=0.1), Record(failed, "c0de")], title="A & B")


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    if BROWSER is None:
        pytest.skip("chromium is not installed (apt-get install chromium)")
    with open_page(BROWSER) as opened:
        yield opened


class _Links(HTMLParser):
    """Collects the addresses that a page refers to, and its ids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "srcset", "action") and value:
                self.addresses.append(value)
            if name == "id":
                self.ids.append(value)


def test_the_page_refers_to_nothing_outside_itself(page):
    links = _Links(page)

    assert links.addresses
    assert all(a.startswith(("#", "data:")) for a in links.addresses)
    assert "<script" not in page
    assert "@import" not in page
    assert not re.search(r"url\((?!#|data:)", page)


def test_every_id_is_there_once_and_every_reference_has_its_id(page):
    links = _Links(page)
    wanted = {a[1:] for a in links.addresses if a.startswith("#")}
    wanted |= set(re.findall(r"url\(#([^)]+)\)", page))

    assert len(links.ids) == len(set(links.ids))
    assert wanted <= set(links.ids)


def test_the_page_shows_each_configuration_with_its_plots_and_commands(page):
    assert "<h3" in page
    for command in (
        "python -m simulations run partition --nodes 4 --seeds 1-3,9-9",
        "python -m simulations run partition --nodes 8 --seeds 1-3",
        "python -m simulations run partition --nodes 4 --loss 0.1 --seeds 1-1",
    ):
        assert command in page
    labels = re.findall(r'aria-label="([^"]+)"', page)
    assert sum(label.startswith("Convergence") for label in labels) == 3
    assert sum(label.startswith("Members that") for label in labels) == 3
    assert sum(label.startswith("Cost and times") for label in labels) == 1


def test_what_was_violated_is_shown_as_text_with_its_command(page):
    assert "a &lt;b&gt;fact&lt;/b&gt; from nowhere" in page
    assert "python -m simulations run partition --nodes 4 --seed 9" in page
    assert "<title>A &amp; B</title>" in page


def test_a_page_of_many_seeds_stays_small():
    runs = [record(seed, nodes=300) for seed in range(1, 101)]

    assert len(page_of(runs, title="many")) < 1_000_000


def test_runs_without_curves_or_metrics_make_a_page_as_well():
    bare = outcome(1, metrics={Metric.FALSE_DOWNS: 0.0})
    poor = Record(outcome(2, metrics={}), "c0de")

    assert "false_downs" in page_of([Record(bare, "c0de"), poor], title="bare")


def test_report_is_written_from_several_directories(tmp_path, capsys):
    for number in (1, 2):
        with Results.open(tmp_path / str(number)) as results:
            results.append(record(number))
    output = tmp_path / "report.html"

    directories = [str(tmp_path / "1"), str(tmp_path / "2")]
    assert main(["report", *directories, "-o", str(output), "--title", "Both"]) == OK

    assert "report.html" in capsys.readouterr().err
    assert "--seeds 1-2" in output.read_text()


def test_a_report_of_nothing_is_an_error(tmp_path):
    with Results.open(tmp_path):
        pass

    with pytest.raises(UsageError, match="no run"):
        write_report([tmp_path], tmp_path / "report.html", title="none")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_the_page_without_a_network(page, browser, tmp_path, scheme):
    path = tmp_path / "report.html"
    path.write_text(page, encoding="utf-8")
    url = path.as_uri()
    browser.prefer(scheme)

    browser.open(url)

    assert browser.requests() == [url]
    assert browser.complaints() == []
    plots = browser.evaluate(
        "[...document.querySelectorAll('svg, svg image')]"
        ".map(e => e.getBoundingClientRect()).map(r => [r.width, r.height])"
    )
    assert len(plots) >= 7
    # The narrowest is the picture of a colour bar.
    assert all(width > 10 and height > 50 for width, height in plots)
    # Nothing is wider than the window: on a phone as well.
    for width in (360, 1200):
        metrics = {"width": width, "height": 800, "deviceScaleFactor": 1}
        browser.ask("Emulation.setDeviceMetricsOverride", mobile=False, **metrics)
        assert browser.evaluate("document.documentElement.scrollWidth") <= width


def test_ink_is_light_on_dark_and_dark_on_light(page, browser, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(page, encoding="utf-8")

    def brightness(scheme: str) -> tuple[float, float]:
        browser.prefer(scheme)
        browser.open(path.as_uri())
        found = browser.evaluate(
            "['body', 'svg text'].map(s => {"
            " const style = getComputedStyle(document.querySelector(s));"
            " return s == 'body' ? style.backgroundColor : style.fill })"
        )
        ground, ink = ([int(n) for n in re.findall(r"\d+", c)[:3]] for c in found)
        return sum(ground) / 3, sum(ink) / 3

    light, dark = brightness("light"), brightness("dark")

    assert light[0] - light[1] > 150
    assert dark[1] - dark[0] > 150
