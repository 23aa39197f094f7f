"""Publishing and fetching through the real client, against the stand-in."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from markdown_it import MarkdownIt
from PIL import Image

import zoo
from helpers.hub_server import Fault, HubServer
from helpers.hub_server.fixtures import OTHER, TOKEN, make_model
from zoo_core import UsageError

MODEL_FILES = {"config.json", "generator.safetensors", "discriminator.safetensors", "README.md", "samples.png"}


def files(hub: HubServer, repo: str, revision: str = "main") -> dict[str, Any]:
    return hub.store.resolve(repo, revision)[1]["files"]


class TestThereAndBack:
    def test_the_same_pixels_after_everything_local_is_gone(
        self, hub: HubServer, small_model: Path, tmp_path: Path, other_process: Callable[..., Any]
    ) -> None:
        before = zoo.load(small_model).sample(5, seed=3)
        pushed = zoo.push(small_model, "ada/small")
        assert set(files(hub, "ada/small")) == MODEL_FILES | {".gitattributes"}
        shutil.rmtree(small_model)
        found = zoo.pull("ada/small")
        assert found.commit == pushed.commit
        assert torch.equal(zoo.load("ada/small").sample(5, seed=3), before)
        code = f"import zoo, torch; torch.save(zoo.load('ada/small').sample(5, seed=3), r'{tmp_path / 'again.pt'}')"
        done = other_process(code, HF_HUB_OFFLINE="1")
        assert done.returncode == 0, done.stderr
        assert torch.equal(torch.load(tmp_path / "again.pt", weights_only=True), before)

    def test_from_a_run(self, hub: HubServer, tmp_path: Path) -> None:
        options = {"generator.width": 4, "discriminator.width": 4, "training.log_every": 1}
        (tmp_path / "pictures").mkdir()
        for i in range(16):
            Image.new("RGB", (16, 16), (i * 15, 100, 200)).save(tmp_path / "pictures" / f"{i}.png")
        run = zoo.train(
            "dcgan",
            dataset="folder",
            data=str(tmp_path / "pictures"),
            size=16,
            batch=8,
            images=64,
            out=tmp_path / "run",
            options=options,
            device="cpu",
            workers=0,
        )
        before = zoo.load(run.path).sample(3)
        zoo.push(run.path, "ada/run", license="cc-by-4.0")
        shutil.rmtree(run.path)
        assert torch.equal(zoo.load("ada/run").sample(3), before)
        assert "curves.png" in files(hub, "ada/run")
        card = zoo.pull("ada/run").folder / "README.md"
        assert "zoo train dcgan" in card.read_text()
        assert "license: cc-by-4.0" in card.read_text()

    def test_any_revision(self, hub: HubServer, tmp_path: Path) -> None:
        first, second = make_model(tmp_path / "a", seed=1), make_model(tmp_path / "b", seed=2)
        old = zoo.push(first, "ada/m", tag="v1")
        zoo.push(second, "ada/m", tag="v2")
        zoo.push(first, "ada/m", revision="feature/x")
        wanted = {"v1": first, "v2": second, "main": second, "feature/x": first, old.commit: first}
        for revision, model in wanted.items():
            assert torch.equal(zoo.load(f"ada/m@{revision}").sample(2), zoo.load(model).sample(2)), revision
        assert zoo.pull("ada/m", revision="v1").commit == old.commit

    def test_a_copy_of_ones_own(self, hub: HubServer, small_model: Path, tmp_path: Path) -> None:
        zoo.push(small_model, "ada/small")
        found = zoo.pull("ada/small", to=tmp_path / "mine")
        assert found.folder == tmp_path / "mine"
        assert {path.name for path in found.folder.iterdir()} == MODEL_FILES
        assert not any(path.is_symlink() for path in found.folder.iterdir())
        with pytest.raises(UsageError, match="not an empty folder"):
            zoo.pull("ada/small", to=tmp_path / "mine")


class TestPush:
    def test_one_commit_and_then_the_tag(self, hub: HubServer, small_model: Path) -> None:
        pushed = zoo.push(small_model, "ada/small", tag="v1", message="first")
        state = hub.store.repo("ada/small")
        assert [c["title"] for c in state["commits"].values()] == ["initial commit", "first"]
        assert state["tags"] == {"v1": pushed.commit}
        order = [path for method, path, _ in hub.log if method == "POST"]
        assert order.index("/api/models/ada/small/commit/main") < order.index(f"/api/models/ada/small/tag/{pushed.commit}")

    def test_twice_changes_nothing(self, hub: HubServer, small_model: Path) -> None:
        first = zoo.push(small_model, "ada/small", tag="v1")
        again = zoo.push(small_model, "ada/small", tag="v1")
        assert first.changed
        assert not again.changed
        assert again.commit == first.commit
        assert len(hub.store.repo("ada/small")["commits"]) == 2

    def test_stale_files_go_and_others_stay(self, hub: HubServer, small_model: Path, tmp_path: Path) -> None:
        (small_model / "metrics.json").write_text('{"metrics": {"fid": 12.5}, "protocol": {"dataset": "faces"}}')
        zoo.push(small_model, "ada/small")
        hub.store.commit("ada/small", "main", None, "mine", {"NOTES.md": hub.store.put(b"notes", lfs=False)})
        (small_model / "metrics.json").unlink()
        zoo.push(small_model, "ada/small")
        assert set(files(hub, "ada/small")) == MODEL_FILES | {".gitattributes", "NOTES.md"}

    def test_a_dry_run_asks_nobody(self, hub: HubServer, small_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(small_model.parent)
        monkeypatch.delenv("HF_TOKEN")
        for _ in range(2):
            pushed = zoo.push(small_model, "ada/small", dry_run=True)
        assert pushed.folder == Path("dry-run/ada/small")
        assert {path.name for path in pushed.folder.iterdir()} == MODEL_FILES
        assert torch.equal(zoo.load(pushed.folder).sample(2), zoo.load(small_model).sample(2))
        assert hub.log == []

    def test_private_stays_private(self, hub: HubServer, small_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        zoo.push(small_model, "ada/secret", private=True)
        assert hub.store.repo("ada/secret")["private"]
        zoo.push(small_model, "ada/open")
        with pytest.raises(zoo.ZooError, match="everybody can see it; nothing was uploaded"):
            zoo.push(make_model(small_model.parent / "other", seed=9), "ada/open", private=True)
        assert len(hub.store.repo("ada/open")["commits"]) == 2
        monkeypatch.setenv("HF_TOKEN", OTHER)
        with pytest.raises(zoo.ZooError, match="no repository ada/secret"):
            zoo.pull("ada/secret")

    def test_another_model_is_not_written_over(self, hub: HubServer, small_model: Path) -> None:
        hub.store.create("ada/bert", private=False)
        files_there = {name: hub.store.put(b"{}", lfs=False) for name in ("config.json", "model.safetensors")}
        hub.store.commit("ada/bert", "main", None, "bert", files_there)
        with pytest.raises(zoo.ZooError, match="another kind of model"):
            zoo.push(small_model, "ada/bert")
        assert files(hub, "ada/bert")["config.json"] == files_there["config.json"]

    @pytest.mark.parametrize("repo", ["small", "ada/", "/small", "ada/a/b", "ada/a b", "ada/../x", "https://x/y", "-a/b"])
    def test_names_that_are_none(self, repo: str, small_model: Path) -> None:
        with pytest.raises(UsageError, match="no name of a repository"):
            zoo.push(small_model, repo, dry_run=True)

    def test_licenses_and_tags_that_are_none(self, hub: HubServer, small_model: Path) -> None:
        with pytest.raises(UsageError, match="no license identifier"):
            zoo.push(small_model, "ada/small", license="My Own <License>")
        with pytest.raises(UsageError, match="no name for a tag"):
            zoo.push(small_model, "ada/small", tag="..")
        assert hub.log == []


class TestCard:
    def test_what_the_hub_reads(self, hub: HubServer, small_model: Path) -> None:
        metrics = {"metrics": {"fid": 12.5, "kid": {"value": 0.01}}, "protocol": {"dataset": "faces", "samples": 5000}}
        (small_model / "metrics.json").write_text(json.dumps(metrics))
        zoo.push(small_model, "ada/small", license="apache-2.0")
        text = (zoo.pull("ada/small").folder / "README.md").read_text()
        header = yaml.safe_load(text.split("---")[1])
        assert header["library_name"] == "dcgan-zoo"
        assert header["pipeline_tag"] == "unconditional-image-generation"
        assert header["license"] == "apache-2.0"
        assert "datasets" not in header  # the Hub knows no dataset of that name
        assert {"dcgan-zoo", "gan", "dcgan", "16x16", "trained-on-faces"} <= set(header["tags"])
        from huggingface_hub import ModelCard

        results = {r.metric_type: r for r in ModelCard(text).data.eval_results}
        assert results["fid"].metric_value == 12.5
        assert results["kid"].metric_value == 0.01
        assert results["fid"].metric_args == metrics["protocol"]
        assert 'zoo.load("ada/small")' in text
        assert "samples.png" in text

    def test_metrics_that_are_none(self, small_model: Path) -> None:
        from zoo.models.folder import rewrite_card

        odd = {"kid": None, "is": {"value": "<b>"}, "<i>": [1], "precision": True}
        (small_model / "metrics.json").write_text(json.dumps({"metrics": odd, "protocol": {"dataset": "faces"}}))
        rewrite_card(small_model)
        text = (small_model / "README.md").read_text()
        assert "model-index" not in yaml.safe_load(text.split("---")[1])
        assert "&lt;i&gt;" in text
        for wrong in (
            "[]",
            '{"metrics": []}',
            '{"metrics": {"fid": 1%s}, "protocol": {}}' % ("0" * 400),
            '{"metrics": {"fid": NaN}, "protocol": {}}',
        ):
            (small_model / "metrics.json").write_text(wrong)
            with pytest.raises(zoo.ZooError, match=r"metrics\.json"):
                rewrite_card(small_model)

    def test_only_what_is_known(self, small_model: Path) -> None:
        header = yaml.safe_load((small_model / "README.md").read_text().split("---")[1])
        assert "license" not in header
        assert "model-index" not in header

    def test_texts_of_others_are_shown_and_not_obeyed(self, tmp_path: Path) -> None:
        hostile = "<script>alert(1)</script> [x](javascript:alert(1)) | `a` ![i](http://e.vil/i.png)\n# Head"
        dataset = {"name": hostile, "split": "train", "credit": hostile, "license": hostile}
        command = "zoo train x\n```\n<script>alert(2)</script>\n```"
        text = (make_model(tmp_path / "m", dataset=dataset, command=command) / "README.md").read_text()
        page = MarkdownIt("commonmark", {"html": True}).enable("table").render(text.split("---", 2)[2])
        assert "<script" not in page
        assert "&lt;script&gt;alert(1)" in page
        assert "&lt;script&gt;alert(2)" in page
        assert re.findall(r'(?:src|href)="([^"]*)"', page) == ["samples.png"]
        assert re.findall(r"<h1>(.*?)</h1>", page) == ["dcgan, 16×16"]
        header = yaml.safe_load(text.split("---")[1])
        assert "datasets" not in header
        assert [tag for tag in header["tags"] if tag.startswith("trained-on")] == []


class TestPull:
    def test_only_names_of_a_model_are_asked_for(self, hub: HubServer, small_model: Path) -> None:
        zoo.push(small_model, "ada/small")
        extra = {name: hub.store.put(name.encode(), lfs=False) for name in ("extra.txt", "sub/config.json", "a.png")}
        hub.store.commit("ada/small", "main", None, "more", extra)
        hub.log.clear()
        zoo.pull("ada/small")
        asked = {path.rpartition("/")[2] for _, path, _ in hub.log if "/resolve/" in path}
        assert asked == MODEL_FILES
        assert not any(path.endswith("sub/config.json") for _, path, _ in hub.log)

    def test_the_token_goes_to_nobody_else(self, hub: HubServer, small_model: Path) -> None:
        zoo.push(small_model, "ada/small", private=True)
        zoo.pull("ada/small")
        assert all(not token for _, path, token in hub.log if path.startswith(("/lfs/", "/upload/")))
        assert sum(path.startswith(("/lfs/", "/upload/")) for _, path, _ in hub.log) >= 4

    def test_a_stale_answer_is_not_taken(self, hub: HubServer, small_model: Path, naps: list[float]) -> None:
        zoo.push(small_model, "ada/small")
        zoo.pull("ada/small")
        newer = zoo.push(make_model(small_model.parent / "b", seed=5), "ada/small").commit
        for before in range(3):  # whichever of its questions fails, the client's cache must not answer for the Hub
            hub.faults.add(Fault(r"/revision/main", status=503, skip=before))
            assert zoo.pull("ada/small").commit == newer
            hub.faults.clear()

    def test_progress_is_drawn_on_terminals_alone(
        self, hub: HubServer, small_model: Path, other_process: Callable[..., Any]
    ) -> None:
        done = other_process(f"import zoo; zoo.push(r'{small_model}', 'ada/small'); zoo.pull('ada/small')")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    def test_a_second_time_fetches_nothing(self, hub: HubServer, small_model: Path) -> None:
        zoo.push(small_model, "ada/small")
        zoo.pull("ada/small")
        hub.log.clear()
        zoo.pull("ada/small")
        assert not any(method == "GET" and ("/resolve/" in path or "/lfs/" in path) for method, path, _ in hub.log)

    def test_a_folder_is_only_checked(self, small_model: Path) -> None:
        assert zoo.pull(small_model).folder == small_model
        with pytest.raises(UsageError, match="no revisions"):
            zoo.pull(small_model, revision="v1")

    def test_without_a_discriminator(self, hub: HubServer, small_model: Path, tmp_path: Path) -> None:
        from zoo.models.folder import write_model

        model = zoo.load(small_model)
        model.discriminator = None
        del model.config["parts"]["discriminator"]
        write_model(model, tmp_path / "half")
        zoo.push(tmp_path / "half", "ada/half")
        assert zoo.load("ada/half").discriminator is None


class TestList:
    def test_published_models(self, hub: HubServer, tmp_path: Path) -> None:
        model = make_model(tmp_path / "m")
        for name in ("a", "b", "c", "d", "faces-e"):  # more than a page
            zoo.push(model, f"ada/{name}", license="mit" if name == "a" else None)
        hub.store.create("ada/other", private=False)
        zoo.pull("ada/c")
        listed = {one.name: one for one in zoo.list_published()}
        assert set(listed) == {f"ada/{name}" for name in ("a", "b", "c", "d", "faces-e")}
        assert listed["ada/c"].downloads == 1
        assert next(iter(listed)) == "ada/c"
        assert listed["ada/a"].license == "mit"
        assert (listed["ada/b"].dataset, listed["ada/b"].size) == ("faces", 16)
        assert (listed["ada/b"].bytes or 0) > 10_000
        assert [one.name for one in zoo.list_published(search="faces")] == ["ada/faces-e"]
        assert zoo.list_published(author="bob") == []

    def test_what_others_wrote_cannot_steer_a_terminal(self, hub: HubServer, tmp_path: Path) -> None:
        zoo.push(make_model(tmp_path / "m"), "ada/m")
        hub.api.listed_extra.append(
            {
                **hub.api.info("ada/m", "main"),
                "id": "eve/\x1b[31mred",
                "tags": ["dcgan-zoo", "\x1b]0;title\x07"],
                "cardData": {"datasets": ["a\nb\x1b[2J" * 50], "license": {"x": 1}},
            }
        )
        for one in zoo.list_published():
            for text in (one.name, one.dataset, one.license, *one.tags):
                assert text.isprintable()
                assert len(text) < 210


class TestOffline:
    def test_a_cold_cache_says_what_is_missing(self, hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        with pytest.raises(zoo.ZooError, match=r"HF_HUB_OFFLINE forbids the network.*nothing of it") as caught:
            zoo.pull("ada/small")
        assert "env -u HF_HUB_OFFLINE zoo pull ada/small" in caught.value.hint
        assert hub.log == []

    def test_a_lukewarm_one_too(self, hub: HubServer, small_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        zoo.push(small_model, "ada/small")
        folder = zoo.pull("ada/small").folder
        (folder / "discriminator.safetensors").unlink()
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        with pytest.raises(zoo.ZooError, match=r"no discriminator\.safetensors"):
            zoo.load("ada/small")

    def test_no_connection_takes_the_cache_and_says_so(
        self, hub: HubServer, small_model: Path, naps: list[float], capsys: pytest.CaptureFixture[str]
    ) -> None:
        from zoo.progress import PlainReporter

        zoo.push(small_model, "ada/small")
        commit = zoo.pull("ada/small").commit
        hub.close()
        found = zoo.pull("ada/small", report=PlainReporter())
        assert found.cached
        assert found.commit == commit
        assert f"taking commit {commit[:12]}" in capsys.readouterr().err


def test_a_name_that_nobody_bears(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(zoo.ZooError, match=r"no folder 'ada/nowhere' here.*no repository ada/nowhere"):
        zoo.load("ada/nowhere")
    with pytest.raises(UsageError, match="there is no model at 'runs/nowhere'"):
        zoo.load("runs/nowhere")
    with pytest.raises(UsageError, match="there is no model at 'nowhere'"):
        zoo.load("nowhere")


def test_the_command_line_never_prints_a_token(hub: HubServer, small_model: Path, tmp_path: Path) -> None:
    hub.faults.add(
        Fault("/api/repos/create", status=403, headers={"X-Error-Message": f"bad token {TOKEN} in Bearer {TOKEN}"})
    )
    command = [sys.executable, "-m", "zoo_cli", "--debug", "push", str(small_model), "ada/small"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode != 0
    assert "may not do this" in done.stderr
    assert TOKEN not in done.stdout + done.stderr
