"""What README and HACKING say is so: the code runs, the figures come from bench/results."""

import doctest
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from convolith import data, filters, metrics, models, nn, optim, train, viz, weights

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = sorted((ROOT / "docs").glob("*.md"))


def test_readme_example_learns(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.S)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    label, loss = done.stdout.split()
    assert label == "loss"
    assert float(loss) < 0.1  # from ln 4 = 1.39: it has learnt its 16 images


def test_data_guide_runs() -> None:
    text = (ROOT / "docs/data.md").read_text()
    (code,) = re.findall(r"```python\n(?!>>>)(.*?)```", text, flags=re.S)
    names: dict[str, Any] = {}
    exec(code, names)
    assert (names["x"].shape, str(names["x"].dtype)) == ((64, 1, 28, 28), "float32")
    assert names["y"].shape == (64,)
    assert len(names["train"]) == 9000


def test_readme_has_two_commands() -> None:
    commands = re.findall(r"```sh\n(.*?)```", README, flags=re.S)
    assert [c.count("\n") for c in commands] == [1, 1]
    assert "convolith train" in commands[0]
    assert "python -m pytest" in commands[1]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_of_the_pages(page: Path) -> None:
    """A page is one session, with what it prints."""
    code = "\n".join(re.findall(r"```python\n(>>>.*?)```", page.read_text(), flags=re.S))
    session = doctest.DocTestParser().get_doctest(code, {}, page.name, str(page), 0)
    said = io.StringIO()
    doctest.DocTestRunner().run(session, out=said.write)
    assert said.getvalue() == ""


@pytest.mark.parametrize(
    "module",
    [nn, nn.init, optim, optim.lr_scheduler, metrics, models, data, train, viz, filters, weights],
    ids=lambda module: module.__name__,
)
def test_every_public_name_is_on_a_page(module: ModuleType) -> None:
    text = "\n".join(page.read_text() for page in PAGES)
    names = getattr(module, "__all__", None) or [
        name
        for name, value in vars(module).items()
        if getattr(value, "__module__", "") == module.__name__ and name[0] != "_"
    ]
    assert [name for name in names if not re.search(rf"\b{name}\b", text)] == []


@pytest.mark.parametrize(
    "file", [ROOT / "README.md", ROOT / "HACKING.md", *PAGES], ids=lambda file: file.stem
)
def test_links_lead_somewhere(file: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", file.read_text())
    local = [link for link in links if not link.startswith(("http", "_pictures/"))]
    assert [link for link in local if not (file.parent / link).exists()] == []


def test_performance_tables_are_the_measured_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "bench")
    import tables

    text = tables.DOCUMENT.read_text()
    assert text == tables.filled(text)


def test_what_is_said_of_photographs_is_what_was_measured() -> None:
    text = (ROOT / "docs/transfer.md").read_text()
    measured = json.loads((ROOT / "bench/results/photographs.json").read_text())
    for row in measured["rows"][:3]:
        said = zip(row["classes"], row["probabilities"], strict=True)
        cells = [f"`{row['name']}`", *(f"{name} {100 * p:.1f} %" for name, p in said)]
        assert f"| {' | '.join(cells)} |" in text
    assert all(row["bfloat16_class"] == row["classes"][0] for row in measured["rows"])
    most = max(row["bfloat16_difference"] for row in measured["rows"])
    sizes = f"{measured['bfloat16_mb']:.1f} MB instead of {measured['parameters_mb']:.1f}"
    words = " ".join(text.split())
    assert f"differ by up to {most:.1f}" in words
    assert sizes in words
    assert measured["transfer_accuracy"] == 1
    assert "of 96 crops of their right halves it names all" in words


def test_readme_speed_is_the_measured_one() -> None:
    rows = json.loads((ROOT / "bench/results/train.json").read_text())["rows"]
    table = [
        f"| {row['model']}, batch {row['batch_size']} | {row['threads']} | "
        f"{row['ours']:,.0f} | {row['peer']:,.0f} | {row['ratio']:.2f} |"
        for row in rows
        if row["library"] == "torch"
    ]
    assert table
    assert [line for line in table if line not in README] == []


def test_hacking_lists_every_file_of_a_primitive() -> None:
    hacking = (ROOT / "HACKING.md").read_text()
    section = hacking.split("## Adding a primitive")[1].split("\n## ")[0]
    listed = set(re.findall(r"^\| `([^|]*)` \|", section, flags=re.M))
    listed = {name for cell in listed for name in cell.split("`, `")}
    rooms = [ROOT / "csrc", ROOT / "python/convolith/reference", ROOT / "tests/cases"]
    files = [ROOT / "CMakeLists.txt", *(file for room in rooms for file in room.rglob("*.*"))]
    touched = {
        str(file.relative_to(ROOT))
        for file in files
        if file.suffix in {".cpp", ".cu", ".hpp", ".inc", ".py", ".txt"}
        and "softsign" in file.read_text()
    }
    assert touched == listed


def test_mutations_meet_the_sources_once() -> None:
    import mutate

    mutations = list(mutate.table())
    assert len({m.name for m in mutations}) == len(mutations) >= 20
    counts = {m.name: (ROOT / "csrc/cuda" / m.path).read_text().count(m.before) for m in mutations}
    assert {name: n for name, n in counts.items() if n != 1} == {}
