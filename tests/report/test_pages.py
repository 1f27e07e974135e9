"""The pages as a browser shows them: the supplement, and the comparison of samples, of made-up studies."""

import dataclasses
import io
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait
from workshop import run_stage

from asymflow import documents
from asymflow.files import checksum
from asymflow.report import tables
from asymflow.stages import compare, supplement

TITLE = 'Is 1 < 2 & <img src="x" onerror="document.title=1"> text?'
LINES = b'<svg xmlns="http://www.w3.org/2000/svg" width="60" height="40"><path d="M0 0L60 40" stroke="#000"/></svg>'
CLAIM = {
    "claim": "c", "says": "Low ranks <b>help</b>", "source": "paper", "published": "FID 1 against 2", "metric": "fid_local",
    "mean": -4.2, "low": -6.1, "high": -2.3, "smallest": 0.5, "seeds": 3, "verdict": "holds",
}  # fmt: skip
DISTANCES = {"rank10": [30.0, 31.0], "rank2": [4.0, 6.0], "rank_full": [100.0, 120.0]}
SIDE, COUNT = 8, 30  # pixels and samples of a run
PATIENCE = 60


def pictures(folder, name):
    """The files of a study's pictures: one of lines, one of pixels."""
    (folder / f"{name}.svg").write_bytes(LINES)
    Image.new("RGB", (40, 20), "red").save(folder / f"{name}_samples.png")
    return {"figure": str(folder / f"{name}.svg"), "samples": str(folder / f"{name}_samples.png")}


@pytest.fixture
def supplement_page(tmp_path, compared, measured):
    """The supplement of two studies; the second has two seeds, and a row of a published system."""
    shown = []
    for name, distances in (("first", {"a": [1.0], "b": [9.0]}), ("second", DISTANCES)):
        study = compared(tuple(distances), seeds=len(next(iter(distances.values()))), title=TITLE)
        table = measured({(arm, "guided"): values for arm, values in distances.items()})
        summary = tables.summarise(table, study.reference)
        table = pd.concat([table, pd.DataFrame([{"arm": "theirs", "published_fid": 2.0}])], ignore_index=True)
        files = {"table": str(tmp_path / f"{name}.csv"), "summary": str(tmp_path / f"{name}_summary.csv")}
        tables.write(table, tmp_path / f"{name}.csv")
        tables.write(summary, tmp_path / f"{name}_summary.csv")
        described = dataclasses.asdict(dataclasses.replace(study, name=name))
        described.pop("root")
        shown.append(
            {"study": json.dumps(described), "source": None, "expected": "Nothing <much>", "tables": files}
            | {
                "pictures": pictures(tmp_path, name),
                "pages": {"compare": str(tmp_path / f"figures/{name}_compare.html")},
            }
        )
    tables.write(pd.DataFrame([CLAIM]), tmp_path / "claims.csv")
    given = {"scale": "results", "claims": str(tmp_path / "claims.csv"), "studies": shown}
    run_stage(supplement, studies=json.dumps(given), root="/", page=tmp_path / "supplement.html")
    return tmp_path / "supplement.html"


@pytest.fixture
def compare_page(tmp_path, compared):
    """Makes the page of a study whose samples say by their colour what they are: arm in red, setting in green, image in blue."""

    def make(arms=("a", "b", "c"), samplings=("unguided", "guided"), snapshots=None):
        study = compared(arms, samplings, snapshots=snapshots, title=TITLE)
        for i, arm in enumerate(arms):
            for j, sampling in enumerate(samplings):
                folder = tmp_path / arm / sampling
                folder.mkdir(parents=True, exist_ok=True)
                samples = np.zeros((COUNT, SIDE, SIDE, 3), np.uint8)
                samples[:] = colours(i, j)
                samples[..., 2] = np.arange(COUNT)[:, None, None]
                np.save(folder / "samples.npy", samples)
                said = {"file": checksum(folder / "samples.npy"), "images_seen": 1000 * (j + 1)}
                documents.write(folder / "samples.json", "sampling", said)
        described = dataclasses.asdict(study) | {
            "files": {
                "samples": str(tmp_path / "{arm}/{sampling}/samples.npy"),
                "sampled": str(tmp_path / "{arm}/{sampling}/samples.json"),
            }
        }
        described.pop("root")
        run_stage(compare, study=json.dumps(described), root="/", page=tmp_path / "compare.html")
        return tmp_path / "compare.html"

    return make


def colours(arm, setting):
    return 50 * (arm + 1), 50 * (setting + 1), 0


@pytest.fixture
def window(browser):
    """The browser with a window of 1200 pixels in daylight, and what it has to say collected anew."""
    look(browser)
    browser.get_log("browser")
    return browser


def look(browser, width=1200, scheme="light"):
    """Sets the width of the window and what its reader prefers."""
    measures = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", measures)
    preferred = [{"name": "prefers-color-scheme", "value": scheme}]
    preferred += [{"name": "prefers-reduced-motion", "value": "reduce"}]  # or elements move while they are clicked
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": preferred})


def opened(browser, page):
    browser.get(page.as_uri())
    return browser


def wait(browser, condition):
    return WebDriverWait(browser, PATIENCE).until(condition)


def pixel(browser, selector):
    """The colour in the middle of a canvas."""
    script = "return [...document.querySelector(arguments[0]).getContext('2d').getImageData(4, 4, 1, 1).data]"
    return tuple(browser.execute_script(script, selector)[:3])


def drawn(browser, *words):
    """Waits until the page has drawn what was chosen."""
    wait(browser, lambda b: b.execute_script("return document.body.dataset.drawn") == " ".join(words))


def arms(browser, table):
    return [cell.text for cell in table.find_elements(By.CSS_SELECTOR, "tbody td:first-child")]


@pytest.fixture(params=["supplement", "compare"])
def page(request):
    made = request.getfixturevalue(f"{request.param}_page")
    return made if request.param == "supplement" else made()


def test_a_page_asks_for_nothing_and_logs_no_error(window, page):
    opened(window, page)
    wait(window, lambda b: b.execute_script("return document.readyState") == "complete")
    asked = window.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert [address for address in asked if not address.startswith("data:")] == []
    assert window.get_log("browser") == []
    assert window.find_elements(By.CSS_SELECTOR, "link[rel=stylesheet], script[src]") == []


def test_a_page_may_not_ask_for_anything(window, page):
    """Whatever comes into it: its own policy forbids it, which the browser says in its log."""
    opened(window, page)
    window.execute_script("new Image().src = 'http://127.0.0.1:9/x.png'")
    wait(window, lambda b: any("Content Security Policy" in entry["message"] for entry in b.get_log("browser")))


def test_a_title_with_markup_is_shown_as_it_was_written(window, page):
    opened(window, page)
    assert any(TITLE in heading.text for heading in window.find_elements(By.CSS_SELECTOR, "h1, h2"))
    assert window.find_elements(By.CSS_SELECTOR, "[onerror]") == [] and window.title != "1"


@pytest.mark.parametrize("width", [320, 390])
def test_a_page_never_scrolls_sideways(window, page, width):
    look(window, width)
    opened(window, page)
    wait(window, lambda b: b.execute_script("return document.readyState") == "complete")
    window.execute_script("document.querySelectorAll('details').forEach((part) => (part.open = true))")
    page_width, room = window.execute_script(
        "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert page_width == room <= width


def test_a_page_is_dark_for_who_prefers_it(window, page):
    brightness = []
    for scheme in ("light", "dark"):
        look(window, scheme=scheme)
        opened(window, page)
        ground, ink = (
            window.execute_script(
                "return getComputedStyle(document.body)[arguments[0]].match(/\\d+/g).map(Number)", name
            )
            for name in ("backgroundColor", "color")
        )
        brightness.append(sum(ground[:3]) - sum(ink[:3]))
    assert brightness[0] > 300 and brightness[1] < -300


def test_lines_turn_light_in_the_dark_and_pictures_of_pixels_stay(window, supplement_page):
    filters = []
    for scheme in ("light", "dark"):
        look(window, scheme=scheme)
        opened(window, supplement_page)
        script = "return [...document.querySelectorAll('#first img')].map((image) => getComputedStyle(image).filter)"
        filters.append(window.execute_script(script))
    assert filters[0] == ["none", "none"]
    assert "invert" in filters[1][0] and "invert" not in filters[1][1]


def test_the_supplement_has_claims_verdicts_tables_and_origins(window, supplement_page):
    opened(window, supplement_page)
    claims = window.find_element(By.ID, "claims")
    assert "Low ranks <b>help</b>" in claims.text and "−4.2 (−6.1 to −2.3)" in claims.text
    second = window.find_element(By.ID, "second")
    assert "rank2 has the least fid_local of 3 arms, 5.0 ± 1.4; rank10 is next" in second.text
    whole, origins = second.find_elements(By.TAG_NAME, "details")
    assert not whole.find_element(By.TAG_NAME, "table").is_displayed(), "the whole table is folded"
    whole.find_element(By.TAG_NAME, "summary").click()
    assert "theirs" in whole.text and "rank_full" in whole.text
    origins.find_element(By.TAG_NAME, "summary").click()
    assert all(word in origins.text for word in ("commit", "code of train", "machine"))
    links = [link.get_attribute("href") for link in second.find_elements(By.CSS_SELECTOR, ".compare a")]
    assert links == [(supplement_page.parent / "figures/second_compare.html").as_uri()]


def test_a_head_sorts_by_numbers_or_names_and_gives_the_order_back(window, supplement_page):
    opened(window, supplement_page)
    table = window.find_element(By.CSS_SELECTOR, "#second table")
    given = arms(window, table)
    heads = table.find_elements(By.CSS_SELECTOR, "th")
    distance = next(head for head in heads if "fid_local" in head.text)
    orders = []
    for _ in range(3):
        distance.find_element(By.TAG_NAME, "button").click()
        orders.append((distance.get_attribute("aria-sort"), arms(window, table)))
    ascending = ["rank2", "rank10", "rank_full"]
    assert orders == [("ascending", ascending), ("descending", ascending[::-1]), ("none", given)]
    heads[0].find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
    assert arms(window, table) == ["rank_full", "rank2", "rank10"], "numbers in names count as numbers"
    assert [head.get_attribute("aria-sort") for head in heads].count("none") == len(heads) - 1


def test_what_a_table_lacks_comes_last_either_way(window, supplement_page):
    opened(window, supplement_page)
    whole = window.find_element(By.CSS_SELECTOR, "#second details")
    whole.find_element(By.TAG_NAME, "summary").click()
    head = next(head for head in whole.find_elements(By.TAG_NAME, "th") if head.text == "fid_local")
    for _ in range(2):
        head.find_element(By.TAG_NAME, "button").click()
        assert arms(window, whole)[-1] == "theirs"


def test_a_picture_is_enlarged_by_whole_pixels_without_smoothing(window, supplement_page):
    opened(window, supplement_page)
    window.find_elements(By.CSS_SELECTOR, "#first figure button")[1].click()
    shown = window.find_element(By.CSS_SELECTOR, "dialog[open] img")
    assert shown.value_of_css_property("image-rendering") == "pixelated"
    assert shown.rect["width"] > 40 and shown.rect["width"] % 40 == 0
    ActionChains(window).send_keys(Keys.ESCAPE).perform()
    assert window.find_elements(By.CSS_SELECTOR, "dialog[open]") == []


def test_both_sides_show_the_arms_that_are_chosen(window, compare_page):
    opened(window, compare_page())
    drawn(window, "b", "a", "guided", "0")  # the first other beside the reference, under the last setting
    assert (pixel(window, ".stage .left"), pixel(window, ".stage .right")) == (colours(1, 1), colours(0, 1))
    Select(window.find_element(By.ID, "left")).select_by_visible_text("c")
    Select(window.find_element(By.ID, "setting")).select_by_visible_text("unguided")
    drawn(window, "c", "a", "unguided", "0")
    assert (pixel(window, ".stage .left"), pixel(window, ".stage .right")) == (colours(2, 0), colours(0, 0))
    window.find_element(By.ID, "swap").click()
    drawn(window, "a", "c", "unguided", "0")
    assert pixel(window, ".stage .left") == colours(0, 0)


def test_an_image_is_chosen_among_the_pairs(window, compare_page):
    opened(window, compare_page())
    drawn(window, "b", "a", "guided", "0")
    pairs = window.find_elements(By.CSS_SELECTOR, ".pairs button")
    assert len(pairs) == 24
    pairs[17].send_keys(Keys.ENTER)
    wait(window, lambda b: pixel(b, ".stage .left")[2] == 17)
    assert pixel(window, ".stage .right")[2] == 17 and pairs[17].get_attribute("aria-pressed") == "true"


def test_without_snapshots_there_is_no_slider(window, compare_page):
    opened(window, compare_page())
    drawn(window, "b", "a", "guided", "0")
    assert not window.find_element(By.ID, "step").is_displayed()


def test_arrow_keys_move_the_snapshots(window, compare_page):
    page = compare_page(samplings=("part1", "part2", "part3"), snapshots={"part1": 1, "part2": 2, "part3": 3})
    opened(window, page)
    drawn(window, "b", "a", "part", "2")
    assert not window.find_element(By.ID, "setting").is_displayed()
    window.find_element(By.ID, "step").send_keys(Keys.ARROW_LEFT)
    drawn(window, "b", "a", "part", "1")
    assert pixel(window, ".stage .left") == colours(1, 1)
    window.find_element(By.CSS_SELECTOR, ".pairs button").send_keys(Keys.ARROW_LEFT)  # from elsewhere too
    drawn(window, "b", "a", "part", "0")
    assert pixel(window, ".stage .right") == colours(0, 0)
    assert window.find_element(By.ID, "seen").text == "1 of 3, after 1\u202f000 images"


def test_the_divider_uncovers_one_side_by_mouse_and_by_keys(window, compare_page):
    opened(window, compare_page())
    drawn(window, "b", "a", "guided", "0")
    divider, stage = window.find_element(By.ID, "divider"), window.find_element(By.CSS_SELECTOR, ".stage")
    place = "return parseFloat(getComputedStyle(document.querySelector('.stage')).getPropertyValue('--at'))"
    assert window.execute_script(place) == 50
    shift = int(stage.rect["width"] // 4)
    ActionChains(window).move_to_element(stage).click_and_hold().move_by_offset(shift, 0).release().perform()
    assert window.execute_script(place) == pytest.approx(75, abs=3)
    before = window.execute_script(place)
    divider.send_keys(Keys.ARROW_LEFT)
    assert window.execute_script(place) == before - 0.5
    shown = Image.open(io.BytesIO(stage.screenshot_as_png)).convert("RGB")
    assert shown.getpixel((shown.width // 2, 9)) == colours(1, 1), "left of the divider: the left side"
    assert shown.getpixel((shown.width - 9, 9)) == colours(0, 1)
    window.find_element(By.CSS_SELECTOR, "[value=beside]").click()
    assert not divider.is_displayed() and window.find_element(By.CSS_SELECTOR, ".stage .right").is_displayed()


def test_images_are_shown_without_smoothing(window, compare_page):
    opened(window, compare_page())
    drawn(window, "b", "a", "guided", "0")
    script = "return [...document.querySelectorAll('canvas')].map((c) => [getComputedStyle(c).imageRendering, c.width])"
    assert {tuple(found) for found in window.execute_script(script)} == {("pixelated", SIDE)}


def test_of_a_single_arm_the_settings_are_compared(window, compare_page):
    opened(window, compare_page(arms=("a",), samplings=("unguided", "guided")))
    drawn(window, "unguided", "guided", "a", "0")
    assert (pixel(window, ".stage .left"), pixel(window, ".stage .right")) == (colours(0, 0), colours(0, 1))
    assert "Left sampling setting" in window.find_element(By.TAG_NAME, "form").text
