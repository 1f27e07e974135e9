"""The report: it holds every figure and table with its caption, and a browser shows them."""

import base64
import json
import re

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

pytestmark = pytest.mark.slow  # a study of its own, made by the fixture

RESULTS = "results/smoke/"
REPORT = RESULTS + "report.html"
SHOWN = {  # what the report must show, and a sentence of its caption
    "figures/data.png": "one column for each class",
    "figures/subspace_rgb_p8.png": "patches of 8 pixels",
    "spectrum.csv": "the eigenvalue of the PCA",
    "figures/spectrum.png": "the noise on x_0",
    "figures/parameterisation.png": "Their sum is the same u in every row",
    "figures/components.png": "noise comes into the target",
    "rank_sweep.csv": "Which rank should the predicted noise have?",
    "rank_sweep_summary.csv": "the reference rank8",
    "figures/rank_sweep.png": "Asymmetric Flow Models, Fig. 5",
    "figures/rank_sweep_samples.png": "sampling setting guided",
}
PATIENCE = 600  # seconds: for a page that never comes, not for a loaded machine that draws slowly


@pytest.fixture(scope="module")
def report(finished):
    """The report of the smallest study and of what every study has in common."""
    targets = [RESULTS + name for name in SHOWN]
    for arguments in (targets, ["--report", REPORT, *targets]):
        result = finished.run(*arguments)
        assert result.returncode == 0, result.stdout + result.stderr
    return finished.folder / REPORT


@pytest.fixture
def page(browser, report):
    """The report, freshly loaded."""
    browser.get(report.as_uri())
    WebDriverWait(browser, PATIENCE).until(lambda b: b.find_elements(By.CSS_SELECTOR, "nav li"))
    return browser


def press(page, path):
    """Presses what lies at an XPath once it is there; not by its place on the screen, which the page may still be moving."""
    element = WebDriverWait(page, PATIENCE).until(lambda b: b.find_element(By.XPATH, path))
    page.execute_script("arguments[0].click()", element)


def variable(report, name):
    """A JavaScript variable of the report: Snakemake writes each on one line of a script of that name."""
    return json.loads(re.search(rf'<script id="{name}">\s*var {name} = (.*);\n', report.read_text())[1])


def text(html):
    """The text of a caption as a reader sees it."""
    return " ".join(re.sub(r"<[^>]+>", "", html).replace("&quot;", '"').split())


def test_every_figure_and_table_is_in_the_report_with_its_caption(report):
    results = variable(report, "results")
    assert set(results) == {RESULTS + name for name in SHOWN}
    for name, sentence in SHOWN.items():
        result = results[RESULTS + name]
        assert sentence in text(result["caption"])
        assert f"Made by rule {result['job_properties']['rule']}" in text(result["caption"])
        embedded = result["data_uri"].partition("base64,")[2]
        assert base64.b64decode(embedded) == (report.parent / name).read_bytes()


def test_captions_are_well_formed(report):
    """docutils does not fail on a mistake; it writes a message into the page."""
    assert "system-message" not in report.read_text()


def test_the_browser_shows_the_description_and_the_graph(page):
    assert "Asymmetric Flow Models, reproduced" in page.find_element(By.ID, "app").text
    assert page.find_elements(By.CSS_SELECTOR, ".vega-embed canvas, .vega-embed svg")


@pytest.mark.parametrize("name", [name for name in SHOWN if name.endswith(".png")])
def test_the_browser_shows_each_figure_and_its_caption(page, report, name):
    category, label = place(report, name)
    press(page, f"//nav//a[span[text()='{category}']]")
    press(page, f"(//nav//tr[td[text()='{label}']]//a)[1]")
    picture = WebDriverWait(page, PATIENCE).until(lambda b: b.find_element(By.XPATH, "//img[not(ancestor::nav)]"))
    WebDriverWait(page, PATIENCE).until(lambda b: b.execute_script("return arguments[0].naturalWidth > 0", picture))
    assert picture.rect["y"] >= 0, "the top of the figure is cut off, and scrolling does not reach it"
    press(page, f"(//nav//tr[td[text()='{label}']]//a)[2]")
    assert SHOWN[name] in " ".join(page.find_element(By.TAG_NAME, "nav").text.split())


def test_the_browser_logs_no_error_and_asks_the_network_for_nothing(page):
    loaded = page.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert not [address for address in loaded if address.startswith("http")]
    assert not [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"]


def place(report, name):
    """The category and the label under which the report lists a result."""
    path = RESULTS + name
    (category,) = [c for c, groups in variable(report, "categories").items() if any(path in g for g in groups.values())]
    return category, variable(report, "results")[path]["labels"]["shows"]
