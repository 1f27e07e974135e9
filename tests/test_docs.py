"""The pages: tables are those of the CSV files, the site builds strictly, and nothing that a page shows is missing."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pandas as pd
import pytest
import yaml

from asymflow.report import lengths, tables
from asymflow.report.intervals import interval
from asymflow.report.study import number

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def module(path):
    """A module of docs/, which is no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


fill_tables = module(DOCS / "fill_tables.py")


add_looks = module(DOCS / "add_looks.py")


code_lines = module(DOCS / "code_lines.py")


# ----- pages and what they are made from -----


@pytest.mark.parametrize("page", fill_tables.PAGES)
def test_the_tables_of_a_page_are_those_of_its_csv(page):
    """`python docs/fill_tables.py` writes them."""
    text = (ROOT / page).read_text()
    assert fill_tables.BLOCK.search(text)
    assert text == fill_tables.filled(text)


def test_a_number_that_was_typed_into_a_table_is_found_out():
    text = (DOCS / "results.md").read_text()
    assert fill_tables.filled(text.replace("| 30.3 ± 1.6 |", "| 29.3 ± 1.6 |")) == text


def test_the_table_of_claims_says_and_compares_what_the_configuration_does():
    claims = yaml.safe_load((ROOT / "workflow/claims.yaml").read_text())["claims"]
    for row in tables.read(add_looks.TABLE).itertuples():
        assert (row.says, row.holds_if) == (claims[row.claim]["says"], claims[row.claim]["holds_if"])


def test_a_look_takes_the_row_of_its_claim_and_no_other():
    table = tables.read(add_looks.TABLE)
    new = table.iloc[3].to_dict() | {"mean": -9.0, "seeds": 8}
    joined = add_looks.joined(table, [new])
    assert joined.iloc[3].to_dict() == new
    pd.testing.assert_frame_equal(joined.drop(index=3), table.drop(index=3), check_dtype=False)
    pd.testing.assert_frame_equal(add_looks.joined(table.drop(index=3), [new]), joined, check_dtype=False)


def test_a_look_at_an_unknown_claim_or_of_other_columns_is_not_added():
    table = tables.read(add_looks.TABLE)
    new = table.iloc[3].to_dict()
    with pytest.raises(ValueError, match=r"has no claim of_old"):
        add_looks.joined(table, [new | {"claim": "of_old"}])
    with pytest.raises(ValueError, match=r"differ in the columns places"):
        add_looks.joined(table, [new | {"places": 3}])


def test_every_page_with_a_table_of_a_csv_is_filled():
    marked = {
        str(path.relative_to(ROOT))
        for path in [ROOT / "README.md", *DOCS.glob("*.md")]
        if "<!-- table:" in path.read_text()
    }
    assert marked == set(fill_tables.PAGES)


def test_every_study_has_a_row_and_every_row_a_study():
    studies = set(yaml.safe_load((ROOT / "workflow/studies.yaml").read_text())["studies"]) | {"claims"}
    rows = re.findall(r"^\| (`results/.*?) \|", (DOCS / "studies.md").read_text(), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`results/(\w+)\.csv`", row)}
    assert studies <= named
    parts = {f"{study}_{part}" for study in studies for part in ("velocity", "speedup", "pairs", "paired")}
    assert named <= studies | parts


def test_every_scale_has_a_row():
    page = (DOCS / "scales.md").read_text()
    assert not [path.name for path in (ROOT / "workflow/scales").glob("*.yaml") if f"scales/{path.name})" not in page]


def test_nobody_is_told_to_install_it_from_an_index():
    """It is on none: a clone is installed, as `.`."""
    pages = [ROOT / "README.md", *DOCS.glob("*.md"), *(ROOT / "src").rglob("*.py")]
    asked = re.compile(r"pip install (?:-e )?[\"']?asymflow")
    assert not [str(path.relative_to(ROOT)) for path in pages if asked.search(path.read_text())]


# ----- the site -----


class Links(HTMLParser):
    """What a page leads to, what it shows, and the names of its places."""

    def __init__(self, path):
        super().__init__()
        self.links, self.shown, self.places = [], [], set()
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.places |= {given[key] for key in ("id", "name") if given.get(key)}
        self.links += [given["href"]] if tag in ("a", "link") and given.get("href") else []
        self.shown += [given["src"]] if tag in ("img", "script") and given.get("src") else []


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built strictly: a warning of MkDocs is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


def missing(site):
    """The links, figures and scripts of all pages that are not there, each as (page, link); and how many were looked at."""
    pages = {path.resolve(): Links(path) for path in site.rglob("*.html") if path.name != "404.html"}
    absent, count = [], 0
    for path, page in pages.items():
        for link in page.links + page.shown:
            parts = urlsplit(link)
            if parts.scheme or link.startswith("//"):
                continue
            count += 1
            there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            known = there in pages and parts.fragment and parts.fragment not in ("", "__skip")
            if not there.exists() or (known and unquote(parts.fragment) not in pages[there].places):
                absent.append((path.name, link))
    return absent, count


def test_no_link_and_no_figure_is_missing(site):
    absent, count = missing(site)
    assert not absent and count > 1000


def test_a_figure_a_page_and_a_place_that_are_gone_are_found_out(site, tmp_path):
    copy = shutil.copytree(site, tmp_path / "site")
    (copy / "rank_sweep.png").unlink()
    (copy / "faq.html").unlink()
    page = copy / "results.html"
    page.write_text(page.read_text().replace('id="the-rank-sweep"', 'id="elsewhere"'))
    gone = {link for _, link in missing(copy)[0]}
    assert gone >= {"rank_sweep.png", "faq.html", "#the-rank-sweep"}


def test_pages_ask_the_network_for_nothing(site):
    for path in site.rglob("*.html"):
        page = Links(path)
        assert not [source for source in page.shown if urlsplit(source).scheme or source.startswith("//")], path
        styles = re.findall(r'<link[^>]*rel="stylesheet"[^>]*>', path.read_text())
        assert styles and not [style for style in styles if "//" in style], path


def test_every_public_function_of_the_method_is_in_the_reference(site):
    page = (site / "api.html").read_text()
    for package in ("flow", "subspace"):
        for path in (ROOT / "src/asymflow" / package).glob("[a-z]*.py"):
            for name in re.findall(r"^(?:def|class) ([a-zA-Z]\w*)", path.read_text(), re.MULTILINE):
                assert f'id="asymflow.{package}.{path.stem}.{name}"' in page, f"{package}.{path.stem}.{name}"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["index.html", "results.html"])
def test_the_browser_loads_every_picture(site, browser, name):
    """And nothing from the network; no table or picture is wider than its page."""
    browser.get((site / name).as_uri())
    widths = browser.execute_script("return [...document.images].map(image => [image.src, image.naturalWidth])")
    assert widths and not [source for source, width in widths if not width]
    loaded = browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert not [address for address in loaded if address.startswith("http")]
    assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def bullets(text):
    return re.findall(r"^- (.*?)(?=^- |^$)", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    ("page", "begins", "count"), [("which_target.md", "- **With more", 1), ("rivals.md", "## Eight", 4)]
)
def test_every_sentence_on_longer_training_names_its_rows_and_has_their_numbers(page, begins, count):
    rows, once = (
        tables.read(DOCS / f"tables/overnight_rivals{name}.csv").dropna(subset="seed") for name in ("", "_once")
    )
    text = (DOCS / page).read_text()
    sentences = bullets(text[text.index(begins) :].partition("\n## ")[0])[:count]
    assert len(sentences) == count
    for sentence in sentences:
        named = [word for word in re.findall(r"`(\w+)`", sentence) if word in {*rows["arm"], *once["arm"]}]
        alone = once[once["arm"].isin(named)]
        known = {f"{value:.1f}" for value in alone[["fid_local", "fid_local_error"]].to_numpy().ravel()}
        for reference in {*named, "rank0", "nanodit_rank0"} & {*rows["arm"]}:
            found = tables.summarise(rows, reference).query("metric in ('fid_local', 'seams') and arm in @named")
            values = found[["mean", "difference", "difference_low", "difference_high"]].to_numpy().ravel()
            known |= {f"{abs(value):.1f}" for value in values}
        numbers = re.findall(r"(?<![\d.])(\d{1,3}\.\d)(?!\d)", sentence)
        assert named and numbers and set(numbers) <= known, (sentence, set(numbers) - known)


TARGETS_SAID = {
    "which_target.md": ("", 6),
    "rivals.md": ("## Every target", 5),
}  # where sentences on the table begin, and how many


@pytest.mark.parametrize("page", TARGETS_SAID)
def test_every_sentence_on_targets_names_its_rows_and_has_their_numbers(page):
    """Distances, their differences from data prediction or another row and what these are beyond those of the other network
    have one digit after the point, errors have four.
    """
    rivals, bypass = (tables.read(DOCS / f"tables/{name}.csv").dropna(subset="seed") for name in ("rivals", "bypass"))
    rows = pd.concat([rivals, bypass[~bypass.arm.isin(rivals.arm)]])
    means = rows.groupby("arm")[["fid_local", "velocity_error"]].mean()
    gains = rows.pivot(index="seed", columns="arm", values="fid_local")
    begins, count = TARGETS_SAID[page]
    text = (DOCS / page).read_text()
    text = text[text.index(begins) + len(begins) :].partition("\n## ")[0]
    sentences = [sentence for sentence in bullets(text) if not sentence.startswith("**With more training")]
    assert len(sentences) == count
    for sentence in sentences:
        named = [word for word in re.findall(r"`(\w+)`", sentence) if word in means.index]
        known = {f"{means.fid_local[arm]:.1f}" for arm in named} | {f"{means.velocity_error[arm]:.4f}" for arm in named}
        for reference in {*named, "rank0", "nanodit_rank0"}:
            found = tables.summarise(rows, reference).query("metric == 'fid_local'").set_index("arm")
            differences = found.loc[named, ["difference", "difference_low", "difference_high"]]
            known |= {f"{abs(end):.1f}" for end in differences.to_numpy().ravel()}
        for arm in {arm for arm in named if f"nanodit_{arm}" in named}:
            here, there = gains[arm] - gains["rank0"], gains[f"nanodit_{arm}"] - gains["nanodit_rank0"]
            known |= {f"{abs(end):.1f}" for end in ((here - there).mean(), *interval(here - there))}
        numbers = re.findall(r"(?<![\d.])(\d{1,3}\.\d|0\.\d{4})(?!\d)", sentence)
        assert named and numbers and set(numbers) <= known, (sentence, set(numbers) - known)


def test_which_target_to_use_is_said_on_one_screen():
    text = (DOCS / "which_target.md").read_text()
    assert len(text.split("\n")) < 40 and len(text.split()) < 420


ERRORS_SAID = {
    "Near the data": ("ratio", [0.05], 128, ["kdiff_equal", "soft", "rank8"]),
    "Noise in directions": ("ratio", None, 192, ["kdiff_equal", "soft"]),
    "What is missed": ("noise_passed", [0.2, 0.4], 192, ["kdiff_equal", "rank_full", "full"]),
}  # what is said of errors: the column, noise levels, the last of the directions, and arms of both networks


@pytest.mark.parametrize("begins", ERRORS_SAID)
def test_every_error_that_is_said_of_targets_is_in_their_table(begins):
    column, levels, last, arms = ERRORS_SAID[begins]
    errors = tables.read(DOCS / "tables/rivals_velocity.csv")
    of_arms = errors["arm"].isin([*arms, *(f"nanodit_{arm}" for arm in arms)])
    rows = errors[of_arms & (errors["last"] == last) & (errors["t"].isin(levels) if levels else True)]
    known = {f"{value:.2f}" for value in rows.groupby(["arm", "t"])[column].mean()}
    said = (DOCS / "rivals.md").read_text().split(f"- **{begins}")[1].split("\n- **")[0].split("\n## ")[0]
    numbers = re.findall(r"(?<![\d.])(\d\.\d\d)(?!\d)", said.replace("t = 0.05", ""))
    assert len(numbers) > 2 and set(numbers) <= known, set(numbers) - known


@pytest.mark.parametrize("kind", code_lines.TARGETS + code_lines.NETWORKS)
def test_a_rival_takes_fewer_than_sixty_lines_of_formulas_and_configuration(kind):
    found = code_lines.of_target(kind) if kind in code_lines.TARGETS else code_lines.of_network(kind)
    assert 0 < found["config"] + found.get("flow", 0) < 60 and found["models"] > 5


def test_lines_of_code_are_those_without_comments_docstrings_and_blank_ones(tmp_path):
    (tmp_path / "a.py").write_text(
        '"""Says\nwhat."""\n\nX = (  # why\n    1\n)\n\n\ndef f():\n    """Gives."""\n    return X\n'
    )
    assert code_lines.count(tmp_path / "a.py") == 5


def test_every_number_that_is_said_of_lengths_is_in_their_table():
    rows = tables.read(DOCS / "tables/length.csv")
    rows = rows.assign(rank=rows["target.rank"].map(number))
    known = set()
    for metric, digits in (("fid_local", 1), ("patch_fid_local", 1), ("seams", 1), ("velocity_error", 4)):
        found = lengths.compared(rows, metric)[["mean", "difference", "low", "high"]].to_numpy().ravel()
        known |= {f"{abs(value):.{digits}f}" for value in found}
    changes = rows.pivot(index=["images_seen", "rank", "seed"], columns="sampling", values="fid_local")
    known |= {f"{value:.1f}" for value in (changes["unguided"] - changes["guided"]).groupby(level=[0, 1]).mean()}
    text = " ".join((DOCS / "length.md").read_text().split())  # wherever lines are broken
    said = (
        text[text.index("- **The lead") : text.index("Where the error")]
        + text[text.index("The guidance is") : text.index("What [the")]
    )
    numbers = re.findall(r"(?<![\d.])(\d{1,3}\.\d|0\.\d{4})(?!\d)", said)
    assert len(numbers) > 40 and set(numbers) <= known, set(numbers) - known


def test_every_number_that_is_said_of_ways_around_is_in_their_table():
    narrow, wide = (tables.read(DOCS / f"tables/{name}.csv") for name in ("narrow_bypass", "bypass"))
    known = {f"{value:.1f}" for value in narrow[narrow.seed == 0]["fid_local"]}
    networks = ("", "uvit_", "decoupled_", "gained_")
    closed = [(rows, f"{network}rank0") for rows in (narrow, wide) for network in networks]
    opened = [(wide, f"{network}open_rank0") for network in networks[:3]]
    for rows, reference in [*closed, *opened, (wide, "rank8"), (wide, "rank_full")]:
        found = tables.summarise(rows, reference).query("metric == 'fid_local'")
        known |= {
            f"{abs(value):.1f}"
            for value in found[["mean", "difference", "difference_low", "difference_high"]].to_numpy().ravel()
        }
    rivals = tables.read(DOCS / "tables/rivals.csv").dropna(subset="seed")
    other = tables.summarise(rivals, "nanodit_rank0").query("metric == 'fid_local' and arm == 'nanodit_full'")
    known |= {f"{value:.1f}" for value in other[["difference", "difference_low", "difference_high"]].to_numpy().ravel()}
    text = (DOCS / "mechanism.md").read_text()
    made, said = text.split("<!-- table: bypass -->")[1].split("<!-- end of table -->")
    known |= set(re.findall(r"\d+\.\d", made))
    numbers = re.findall(r"(?<![\d.])(\d{1,3}\.\d)(?!\d)", said)
    assert len(numbers) > 15 and set(numbers) <= known, set(numbers) - known


def test_every_number_that_is_said_of_ranks_on_cifar10_is_in_their_table():
    rows = tables.read(DOCS / "tables/cifar10_ranks.csv")
    known = {"1.03", "1.07", "0.2", "0.8"} | {"1.20", "1.25", "0.92", "1.02", "3.1", "3.3", "1.9", "2.5"}  # from runs
    for reference in ("rank0", "rank20"):
        found = tables.summarise(rows, reference).query("metric == 'fid_local'")
        values = found[["mean", "difference", "difference_low", "difference_high"]].to_numpy().ravel()
        known |= {f"{abs(value):.1f}" for value in values}
    text = (DOCS / "spectrum.md").read_text()
    said = text[text.index("- *By the error of the velocity") : text.index("- Nothing is recognisable")]
    numbers = re.findall(r"(?<![\d.])(\d{1,3}\.\d+)(?!\d)", said)
    assert len(numbers) > 5 and set(numbers) <= known, set(numbers) - known


def test_every_number_that_is_said_of_prx_tg_is_in_its_table():
    rows = tables.read(DOCS / "tables/prx_arms.csv")
    found = tables.summarise(rows, "prx_d")
    values = found[["mean", "difference", "difference_low", "difference_high"]].to_numpy().ravel()
    floors = (
        rows[rows["seed"].isna()][["recon_lpips_local", "text_lpips_local", "kept_accuracy_local"]].to_numpy().ravel()
    )
    known = {f"{abs(value):.{digits}f}" for value in [*values, *floors] for digits in (1, 3)} | {"98.3"}  # a confidence
    text = (DOCS / "prx.md").read_text()
    said = text[text.index("(recon_lpips_local: to the image") : text.index("![four arms")]
    said = said.replace("0.0002", "").replace("(0.02)", "")  # of the claim: its interval, and what is of interest
    numbers = re.findall(r"(?<![\d.])(\d{1,3}\.\d+)(?!\d)", said)
    assert len(numbers) > 15 and set(numbers) <= known, set(numbers) - known


def test_every_number_that_is_said_of_auxiliary_losses_is_on_the_page_or_of_its_rows():
    rows = tables.read(DOCS / "tables/auxiliary.csv")
    early, late = (rows[rows.sampling == part].set_index("arm") for part in ("part1", "part8"))
    claims = tables.read(DOCS / "tables/claims.csv").set_index("claim")
    claims = claims.loc[["alignment_late", "masked_alignment", "spatial_alignment", "losses_on_images"]]
    images = late["fid_local"].groupby("arm").mean()
    values = [
        *claims[["mean", "low", "high"]].to_numpy().ravel(),
        *early["fid_second"].loc[["aux_rank0", "aux_repa_rank0"]],
        *images.loc[[f"aux_{loss}_rank{rank}" for loss in ("pixelgen", "spatial") for rank in (0, 8)]],
        *late["seams"].groupby("arm").mean().agg(["min", "max"]),
    ]
    page = (DOCS / "losses.md").read_text()
    start = page.index("- **Alignment harms")
    made, said = page[:start], page[start:]  # its tables, which are made from the rows, and what is said of them
    known = {f"{abs(value):.1f}" for value in values} | {"98.3"}
    known |= set(re.findall(r"\d+\.\d+", made + " ".join(claims["published"].dropna())))
    numbers = re.findall(r"(?<![\d.])(\d{1,3}\.\d+)(?!\d)", said)
    assert len(numbers) > 40 and set(numbers) <= known, set(numbers) - known
