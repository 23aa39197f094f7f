"""What a board says, on made-up numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helpers.boards import make_board, make_result
from zoo.leaderboard.configuration import Board, Cell, Row, read_board, write_board
from zoo.leaderboard.pages import save_page, write_markdown
from zoo.leaderboard.results import read_result, result_file, write_result
from zoo.leaderboard.summary import read_leaderboard
from zoo.leaderboard.tables import make_tables
from zoo_core import CheckpointError, UsageError, ZooError

VALUES = {
    "lsgan": [20.0, 20.1, 20.2],
    "dcgan": [10.0, 11.0, 12.0],
    "sngan": [12.0, 13.0, 14.0],
    "wgan-gp": [9.0, None, None],
}


def test_means_intervals_and_order(tmp_path: Path) -> None:
    make_board(tmp_path, VALUES)
    found = read_leaderboard(tmp_path)
    assert (found.done, found.wanted, found.finished) == (10, 12, False)
    assert [row.recipe for row in found.of("faces")] == ["wgan-gp", "dcgan", "sngan", "lsgan"]
    dcgan = next(row for row in found.rows if row.recipe == "dcgan")
    spread = dcgan.value("frechet:scattering")
    assert spread.mean == 11
    assert spread.interval == pytest.approx((11 - 2.48414, 11 + 2.48414), abs=1e-4)
    assert (dcgan.operations, dcgan.images_per_s.mean, dcgan.missing) == (3e9, 500, 0)
    assert next(row for row in found.rows if row.recipe == "wgan-gp").missing == 2


def test_rows_that_reach_the_best_ones_interval_are_said_to(tmp_path: Path) -> None:
    make_board(tmp_path, {name: values for name, values in VALUES.items() if name != "wgan-gp"})
    found = read_leaderboard(tmp_path)
    overlap = {row.recipe: found.overlaps(row, "frechet:scattering") for row in found.rows}
    assert overlap == {"dcgan": False, "sngan": True, "lsgan": False}  # 11 ± 2.5, 13 ± 2.5, 20.1 ± 0.2
    entries = {name: row[0] for name, row in zip(*(make_tables(found)[0].names, make_tables(found)[0].rows), strict=True)}
    assert (str(entries["dcgan"]), entries["dcgan"].best) == ("11.0 ± 2.5", True)
    assert str(entries["sngan"]) == "≈ 13.0 ± 2.5"
    assert str(entries["lsgan"]) == "20.10 ± 0.25"


@pytest.mark.parametrize(
    ("samples", "metrics", "order"),
    [
        (500, ("frechet", "kid"), "kid:scattering"),  # of so few, a Fréchet distance would prefer what has collapsed
        (10_000, ("frechet", "kid"), "frechet:scattering"),
        (500, ("frechet", "precision"), "frechet:scattering"),
        (500, ("precision", "kid"), "precision:scattering"),
    ],
)
def test_few_images_are_ordered_by_what_has_no_bias(
    tmp_path: Path, samples: int, metrics: tuple[str, ...], order: str
) -> None:
    make_board(tmp_path, {"dcgan": [1.0, 1.0], "lsgan": [2.0, 2.0]}, metrics=metrics, samples=samples, real=10_000)
    for recipe, frechet, kid in (("dcgan", 1.0, 5.0), ("lsgan", 2.0, 4.0)):
        values = {"frechet": frechet, "kid": kid, "precision": frechet / 10}
        for seed in range(2):
            measured = {"scattering": {metric: values[metric] for metric in metrics}}
            write_result(tmp_path, make_result(recipe, seed, 0.0, metrics=measured))
    found = read_leaderboard(tmp_path)
    assert found.order == order
    best = "dcgan" if order.startswith("frechet") else "lsgan"
    assert [make_tables(found)[0].order, found.of("faces")[0].recipe] == [order, best]
    assert ("the kernel distance has no such bias" in write_markdown(found)) is (order == "kid:scattering")


def test_more_is_better_where_the_metric_says_so(tmp_path: Path) -> None:
    make_board(tmp_path, {"dcgan": [1.0, 1.0], "lsgan": [9.0, 9.0]})
    found = read_leaderboard(tmp_path)
    assert [row.recipe for row in found.of("faces", "precision")] == ["dcgan", "lsgan"]  # 0.5 and 0.1
    assert [row.recipe for row in found.best("faces", "precision:scattering")] == ["dcgan"]
    assert found.best("faces", "diversity:scattering") == []  # all alike
    with pytest.raises(UsageError, match="unknown column 'precisoin'; did you mean precision:scattering"):
        found.of("faces", "precisoin")


def test_results_of_another_configuration_do_not_count(tmp_path: Path) -> None:
    make_board(tmp_path, {"dcgan": [10.0, 11.0]})
    write_result(tmp_path, make_result("dcgan", 0, 99.0, hash="another"))
    (row,) = read_leaderboard(tmp_path).rows
    assert row.value("frechet:scattering").values == (11.0,)
    assert row.missing == 1


def test_what_failed_diverged_or_cannot_be_is_a_row_with_its_reason(tmp_path: Path) -> None:
    make_board(tmp_path, {"dcgan": [10.0, 11.0], "lsgan": [None, None], "cdcgan": [None, None]})
    nothing = {"metrics": {}, "weights": {}}
    write_result(tmp_path, make_result("dcgan", 1, 0, state="diverged", reason="it diverged at step 3", **nothing))
    write_result(tmp_path, make_result("lsgan", 0, 0, state="failed", reason="ValueError: no | such thing", **nothing))
    write_result(tmp_path, make_result("cdcgan", 0, 0, state="not applicable", reason="wants labels", **nothing))
    found = read_leaderboard(tmp_path)
    assert [(row.recipe, row.done, row.diverged, row.failed, row.missing, row.possible) for row in found.rows] == [
        ("dcgan", 1, 1, 0, 0, True),
        ("lsgan", 0, 0, 1, 1, True),
        ("cdcgan", 0, 0, 0, 0, False),
    ]
    text = write_markdown(found)
    assert "| dcgan/faces | diverged: it diverged at step 3 |" in text
    assert r"| lsgan/faces | failed: ValueError: no \| such thing |" in text
    assert "| cdcgan/faces | cannot be: wants labels |" in text
    assert "1 of 2: 1 diverged" in text


def test_different_pictures_are_warned_of(tmp_path: Path) -> None:
    make_board(tmp_path, {"dcgan": [10.0, 11.0]})
    assert read_leaderboard(tmp_path).warnings == ()
    write_result(tmp_path, make_result("dcgan", 1, 11.0, pictures="others"))
    (text,) = read_leaderboard(tmp_path).warnings
    assert text == "faces: cells were measured against different pictures, and do not compare"
    assert text in write_markdown(read_leaderboard(tmp_path))


def test_markdown_and_page(tmp_path: Path) -> None:
    make_board(tmp_path / "board", VALUES, datasets=["faces", "faces:style=notionists"])
    found = read_leaderboard(tmp_path / "board")
    lines = write_markdown(found).splitlines()
    assert "4 recipes × 2 datasets × 3 seeds: 20 of 24 cells are done." in lines
    assert lines.count("### `scattering` features") == 2
    assert "| recipe | Fréchet distance ↓ | precision ↑ | diversity (data: 1) | images/s | operations | seeds |" in lines
    assert "| wgan-gp | **9.000** | **0.1000** | 0.9000 | 500 | 3 Gflop | 1 of 3: 2 missing |" in lines
    assert "| dcgan | ≈ 11.0 ± 2.5 | ≈ 0.084 ± 0.017 | 0.9000 | 500 | 3 Gflop | 3 |" in lines  # the single seed's 9 is in it
    assert lines.index("## faces") < lines.index("## faces:style=notionists")
    command = "zoo leaderboard build DIR --recipes lsgan,dcgan,sngan,wgan-gp --datasets faces,faces:style=notionists"
    assert f"{command} --images 1000 --size 32 --precision fp32 --features scattering --metrics frechet,precision" in lines
    assert "Computed with: cpu, DEFAULT, 1 thread, torch 2." in lines
    page = save_page(found, tmp_path / "board.html").read_text()
    for words in ("Leaderboard", "faces:style=notionists", "11.0 ± 2.5", "<svg", "1 of 3: 2 missing"):
        assert words in page


def test_a_board_is_read_as_it_was_written(tmp_path: Path) -> None:
    board = Board(("dcgan", "lsgan"), ("faces",), 5, 2, options={"dcgan/generator.width": "4"}, precision="fp32")
    rows = {"dcgan/faces": Row("1", {"a": 1, "b": [2]}), "lsgan/faces": Row("2", {"a": 1, "b": [3]})}
    write_board(tmp_path, board, {**rows, "mlp-gan/faces": Row(problem="it cannot be")})
    found, read = read_board(tmp_path)
    assert found == board
    assert read == {**rows, "mlp-gan/faces": Row(problem="it cannot be")}


def test_names_of_cells_are_files_of_their_own() -> None:
    datasets = ["faces", "faces:style=a", "faces:style=A", "faces+style=a", "folder:data=/a b/c", "folder:data=/a-b/c"]
    datasets.append("folder:data=/" + 300 * "x")
    names = [Cell("dcgan", dataset, 0).name for dataset in datasets]
    assert names[:2] == ["dcgan--faces--seed-0", "dcgan--faces+style=a--seed-0"]
    assert len(set(names)) == len(names)
    assert all(len(name) < 150 and "/" not in name and ":" not in name for name in names)


def test_a_result_with_other_values_is_damaged(tmp_path: Path) -> None:
    make_board(tmp_path, {"dcgan": [10.0, 11.0]})
    file = result_file(tmp_path, cell := Cell("dcgan", "faces", 0))
    file.write_text(json.dumps({**json.loads(file.read_text()), "machine": {"threads": {"nested": 1}}}))
    with pytest.raises(CheckpointError, match=r"is damaged: machine\.threads must be a whole number"):
        read_result(tmp_path, cell)


def test_damaged_files_are_told_by_name(tmp_path: Path) -> None:
    make_board(tmp_path, {"dcgan": [10.0, 11.0]})
    cell = Cell("dcgan", "faces", 0)
    for text in ("{", "[]", '{"format": 1}', '{"format": 99}'):
        result_file(tmp_path, cell).write_text(text)
        with pytest.raises(CheckpointError, match=r"dcgan--faces--seed-0\.json (is damaged|was written by a later)"):
            read_result(tmp_path, cell)
    for text in ("{", '{"format": 1, "shared": {}, "rows": {}}', '{"format": 99}'):
        (tmp_path / "board.json").write_text(text)
        with pytest.raises(CheckpointError, match=r"board\.json (is damaged|was written by a later)"):
            read_leaderboard(tmp_path)
    (tmp_path / "board.json").unlink()
    with pytest.raises(ZooError, match="holds no board"):
        read_leaderboard(tmp_path)
