"""Notebooks run from the first cell to the last on the embedded table, and draw what they promise."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "notebooks"
FIGURES = {
    "first_front.ipynb": 2,
    "own_space.ipynb": 2,
    "comparing.ipynb": 2,
    "audit.ipynb": 3,
    "published.ipynb": 5,
    "mix_and_match.ipynb": 2,
    "constraints.ipynb": 2,
    "second_board.ipynb": 3,
}


def test_every_notebook_is_run():
    assert {path.name for path in FOLDER.glob("*.ipynb")} == set(FIGURES)


@pytest.mark.parametrize("name", FIGURES)
def test_committed_without_outputs(name):
    notebook = nbformat.read(FOLDER / name, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell for cell in code if cell.outputs or cell.execution_count is not None] == []


# The kernel's own libraries warn about sockets and event loops on some platforms.
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", FIGURES)
def test_runs_and_draws(name, tmp_path, monkeypatch):
    if name == "published.ipynb" and "RAPID_MOO_DATA" in os.environ:
        pytest.skip("the test below runs it with the published table, which is at hand")
    monkeypatch.delenv("RAPID_MOO_DATA", raising=False)
    monkeypatch.setenv("RAPID_MOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(FOLDER.parent), os.environ.get("PYTHONPATH", "")]))
    assert len(pictures_of(name, tmp_path)) == FIGURES[name]


@pytest.mark.filterwarnings("default")
def test_the_published_table_is_drawn_where_it_is_at_hand(tmp_path, monkeypatch, published):
    monkeypatch.setenv("RAPID_MOO_DATA", str(published("nasbench201_data_final.csv").parent))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(FOLDER.parent), os.environ.get("PYTHONPATH", "")]))
    assert len(pictures_of("published.ipynb", tmp_path)) == FIGURES["published.ipynb"] + 1


def pictures_of(name: str, folder: Path) -> list[str]:
    """Run a notebook in a folder; its pictures, none of them empty."""
    notebook = nbformat.read(FOLDER / name, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"] == []
    pictures = [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    assert all(len(picture) > 5_000 for picture in pictures)
    return pictures
