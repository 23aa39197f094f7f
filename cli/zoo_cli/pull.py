"""`zoo pull`."""

from __future__ import annotations

import shlex

import click

from .completion import completing
from .options import out_option
from .output import echo, json_option, print_fitting_table, print_json, warn_about_plugins


@click.command()
@click.argument("model", required=False, shell_complete=completing("models"))
@out_option("a copy of your own", otherwise="it stays in the Hub's cache", metavar="DIR", name="to", old=["--to"])
@click.option("--revision", metavar="NAME", help="Revision on the Hub: a branch, tag or commit.  [default: main]")
@click.option("--html", metavar="FILE", type=click.Path(), help="Write a page with samples.")
@json_option
def pull(model: str | None, to: str | None, revision: str | None, html: str | None, as_json: bool) -> None:
    """Fetch MODEL and check it; without MODEL, list the catalog.

    MODEL is a name of the catalog, user/name[@revision] on the Hugging Face Hub, or a model folder, which is only checked.

    \b
    Examples:
      zoo pull
      zoo pull --html models.html
      zoo pull ada/dcgan-faces@v1 --out faces
      HF_HUB_OFFLINE=1 zoo pull ada/dcgan-faces
    """
    import zoo
    from zoo.progress import reporter_for_terminal

    warn_about_plugins()
    if model is None:
        if to is not None or revision is not None:
            raise click.UsageError("--out and --revision need a MODEL; zoo pull alone lists the catalog")
        page = None if html is None else zoo.save_catalog(html)
        if page is None:
            _print_catalog(as_json)
        elif as_json:
            print_json({"file": page})
        else:
            echo(page)
        return
    if html is not None:
        raise click.UsageError("--html shows the whole catalog; leave MODEL out")
    found = zoo.pull(model, to=to, revision=revision, report=reporter_for_terminal())
    if as_json:
        print_json({"model": found.folder, "repo": found.repo, "commit": found.commit, "refused": found.refused})
        return
    echo(found.folder)
    if found.commit:
        echo(f"this is {found.repo} at commit {found.commit}{' (from the cache)' if found.cached else ''}")
        echo(f"to have this very one again: zoo pull {found.repo}@{found.commit}")
    name = model if to is None else to
    echo(f"draw from it: zoo sample {shlex.quote(name)} -n 64 --out samples.png")


def _print_catalog(as_json: bool) -> None:
    import zoo
    from zoo.catalog import describe_data, describe_entry, describe_score, model_of

    entries = zoo.read_catalog()
    if as_json:
        print_json([describe_entry(entry) for entry in entries])
        return
    rows = []
    for entry in entries:
        model = model_of(entry)
        score = describe_score(model.scores[0]) if model.scores else "not measured"
        place = entry.plugin.distribution if ":" in model.where else model.where
        size, weight = f"{model.size}×{model.size}", f"{model.bytes / 1e6:.1f} MB"
        rows.append((entry.name, size, weight, describe_data(model), model.recipe, score, model.license, place))
    print_fitting_table([[row[:count] for row in rows] for count in (8, 6, 5, 4, 3)])
    echo("with pictures: zoo pull --html models.html; published models: zoo list --hub")
