"""`zoo data`."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Any, Literal

import click

import zoo
from zoo.progress import reporter_for_terminal
from zoo_core.words import are, plural, printable

from .completion import completing, completing_settings
from .options import (
    Renamed,
    channels_option,
    data_option,
    dataset_option,
    download_option,
    limit_option,
    out_option,
    seed_option,
    set_option,
    size_option,
    split_option,
    take_once,
)
from .output import echo, format_bytes, json_option, print_json, print_table, warn_about_plugins
from .train import select_data


@click.group(no_args_is_help=True)
def data() -> None:
    """Look after packs: datasets, decoded, cropped and resized.

    PACK is a name that `zoo data list` shows, the beginning of one, or a folder.

    \b
    Examples:
      zoo data build lsun --data ~/lsun --size 64
      zoo data list
      zoo data inspect lsun-64
      zoo data dedup lsun-64 --radius 6
    """


@data.command(no_args_is_help=True)
@click.argument("dataset", required=False, shell_complete=completing("datasets"))
@dataset_option("DATASET", name="named")
@data_option
@download_option
@limit_option
@split_option
@size_option(default=64)
@channels_option()
@click.option(
    "--workers", type=click.IntRange(1), metavar="N", help="Processes that decode.  [default: the cores there are]"
)
@set_option("those that zoo show DATASET lists", completing_settings("dataset"))
@json_option
def build(
    dataset: str | None, named: str | None, workers: int | None, options: dict[str, str], as_json: bool, **asked: Any
) -> None:
    """Make the pack of DATASET, or find it in the cache.

    A build that was interrupted, even killed, goes on when the same command is given again; the pack is the same.

    \b
    Examples:
      zoo data build faces --data ~/Pictures/portraits --size 64
      zoo data build lsun --data ~/lsun --set dataset.category=bedroom
    """
    from zoo.packs.request import parse_options

    warn_about_plugins()
    name = take_once(dataset, named, "DATASET", "", flag="--dataset") or None
    if name is None and asked["data"] is None:
        raise click.UsageError("name a dataset; for example: zoo data build faces")
    asked["dataset"] = name
    options = select_data(asked, options)
    name = asked["dataset"]
    request = zoo.PackRequest(options=parse_options(name, options), **asked)
    pack = zoo.build_pack(request, workers=workers, report=reporter_for_terminal())
    if as_json:
        keys = ("key", "dataset", "size", "channels", "count", "classes", "attributes", "skipped", "notes", "license")
        print_json({"pack": str(pack.path), "bytes": pack.nbytes, **{key: pack.info[key] for key in keys}})
        return
    echo(pack.path)
    classes = f", {plural(len(pack.info['classes']), 'class', 'classes')}" if pack.info["classes"] else ""
    shape = "×".join(map(str, (request.size, request.size, pack.spec.channels)))
    echo(f"{plural(len(pack), 'image')} of {shape}{classes}, {format_bytes(pack.nbytes)}")
    for entry in pack.info["skipped"]["records"][:10]:
        echo(f"skipped {printable(entry['key'])}: {printable(entry['reason'])}")
    if pack.info["skipped"]["count"] > 10:
        echo(f"… {pack.info['skipped']['count']:,} skipped in all, listed in {pack.path / 'pack.json'}")
    echo(f"look at it: zoo data inspect {shlex.quote(pack.path.name)}")


@data.command(no_args_is_help=True)
@click.argument("pack", shell_complete=completing("packs"))
@out_option("the pictures", otherwise="inspect-PACK", metavar="DIR")
@click.option(
    "--show",
    "images",
    cls=Renamed,
    old=["--images"],
    type=click.IntRange(1, 10_000),
    metavar="N",
    default=100,
    show_default=True,
    help="How many to show on the contact sheet.",
)
@json_option
def inspect(pack: str, out: str | None, images: int, as_json: bool) -> None:
    """Look at PACK: labels, a contact sheet, the mean picture.

    \b
    Examples:
      zoo data inspect faces-64
      zoo data inspect faces-64 --out look --json
    """
    opened = zoo.open_pack(zoo.find_pack(pack))
    found = zoo.inspect_pack(opened, out or f"inspect-{opened.path.name}", images=images, report=reporter_for_terminal())
    if as_json:
        print_json(found)
        return
    made, side, enlarged = found["dataset"], found["side"], found["enlarged"]
    source = f", from {made['data']}" if made["data"] else ""
    rows = [
        ("dataset", f"{made['name'].partition(':')[2]}, split {made['split']}{source}"),
        (
            "images",
            f"{found['count']:,} of {found['size']}×{found['size']}×{found['channels']}, {format_bytes(found['bytes'])}",
        ),
        ("skipped", f"{found['skipped']['count']:,}"),
        ("source", f"{side['least']} to {side['most']} pixels a side, median {side['median']}; {enlarged:,} enlarged"),
        ("mean, std", "; ".join(f"{m:.1f}, {s:.1f}" for m, s in zip(found["mean"], found["std"], strict=True)) + " of 255"),
        ("license", found["license"] or "not stated"),
        ("credit", found["credit"] or "not stated"),
        *((("restriction", found["restriction"]),) if found["restriction"] else ()),
        ("contact sheet", found["sheet"]),
        ("mean picture", found["mean_picture"]),
    ]
    print_table(rows)
    for heading, counts in {"classes": found["classes"], **found["attributes"]}.items():
        if counts:
            echo(f"{heading}:")
            shown = sorted(counts.items(), key=lambda item: -item[1])
            print_table([(f"  {name}", f"{n:,}") for name, n in shown[:20]])
            if len(shown) > 20:
                echo(f"  … {len(shown)} in all, the smallest {shown[-1][0]} with {shown[-1][1]:,}")


@data.command()
@click.argument("packs", nargs=-1, shell_complete=completing("packs"))
@json_option
def verify(packs: tuple[str, ...], as_json: bool) -> None:
    """Read every byte of PACKS (or of all), and compare checksums.

    \b
    Examples:
      zoo data verify
      zoo data verify lsun-64
    """
    from zoo.packs.curation.inspecting import verify_packs

    folders = [zoo.find_pack(pack) for pack in packs] or None
    results = verify_packs(folders, report=reporter_for_terminal())
    if as_json:
        print_json([{"pack": str(folder), "problem": problem} for folder, problem in results])
    else:
        print_table([(folder.name, problem or "whole") for folder, problem in results])
    if any(problem for _, problem in results):
        click.get_current_context().exit(1)


@data.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """List what the cache of packs holds, interrupted builds too."""
    stored = zoo.list_packs()
    if as_json:
        print_json([entry.to_json() for entry in stored])
        return
    if not stored:
        echo("no packs; to make one: zoo data build DATASET --data PATH --size S", err=True)
    rows = []
    for entry in stored:
        info, kind = entry.info, f"view of {entry.of}" if entry.kind == "view" else entry.kind
        count = f"{info['count']:,} × {info['size']}×{info['size']}×{info['channels']}" if info else ""
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.modified))
        rows.append((entry.name, count, format_bytes(entry.bytes), when, "" if kind == "pack" else kind))
    print_table(rows)
    if len(stored) > 1:
        echo(f"{format_bytes(sum(e.bytes for e in stored))} in {stored[0].path.parent}")


@data.command()
@click.argument("packs", nargs=-1, shell_complete=completing("packs"))
@click.option("--unfinished", is_flag=True, help="What interrupted builds left.")
@click.option("--all", "everything", is_flag=True, help="Everything, of every kind.")
@json_option
def clear(packs: tuple[str, ...], unfinished: bool, everything: bool, as_json: bool) -> None:
    """Delete PACKS from the cache, with the views of them. Your pictures are never touched.

    \b
    Examples:
      zoo data clear faces-64-0123456789abcdef
      zoo data clear --unfinished
      zoo data clear --all
    """
    gone = zoo.clear_packs(packs, everything=everything, unfinished=unfinished, report=reporter_for_terminal())
    if as_json:
        print_json({"cleared": [entry.name for entry in gone], "bytes": sum(entry.bytes for entry in gone)})
        return
    for entry in gone:
        echo(f"{entry.name} ({entry.kind})")
    echo(f"{format_bytes(sum(entry.bytes for entry in gone))} freed")


@data.command(no_args_is_help=True)
@click.argument("pack", shell_complete=completing("packs"))
@click.option("--radius", metavar="N", default=0, show_default=True, help="Bits in which hashes may differ (extra eval).")
@click.option(
    "--method",
    type=click.Choice(["hash", "autoencoder"]),
    metavar="NAME",
    default="hash",
    show_default=True,
    help="How to make hashes: hash or autoencoder.",
)
@out_option("the view", otherwise="in the cache", metavar="DIR")
@click.option("--gallery", metavar="DIR", help="Where to write pairs to look at.  [default: dedup-PACK]")
@seed_option("the autoencoder's weights")
@json_option
def dedup(
    pack: str,
    radius: int,
    method: Literal["hash", "autoencoder"],
    out: str | None,
    gallery: str | None,
    seed: int,
    as_json: bool,
) -> None:
    """Leave near-duplicates out of PACK.

    Writes a view of it without them, and a gallery of what was left out.

    A hash of 128 bits says which low frequencies of a picture are strong and what color its quarters have; with --method
    autoencoder, as in the DCGAN paper, which units of a denoising autoencoder's code are active. Equal hashes are
    duplicates; with --radius, so are hashes that differ in a few bits. The best-resolved image of a group stays. The view
    has no pixels of its own and is used like any pack.

    \b
    Examples:
      zoo data dedup faces-64
      zoo data dedup faces-64 --radius 6 --gallery look
    """
    from zoo.packs.request import changed_options

    opened = zoo.open_pack(zoo.find_pack(pack))
    folder = Path(gallery or f"dedup-{opened.path.name}")
    found = zoo.deduplicate(
        opened, radius=radius, method=method, out=out, gallery_folder=folder, seed=seed, report=reporter_for_terminal()
    )
    made = found.view.info["dataset"]
    words = ["zoo", "train", "dcgan", "--dataset", made["name"].partition(":")[2], "--data", str(found.view.path)]
    words += ["--size", str(found.view.spec.size)]
    for key, value in changed_options(made["name"], made["options"]).items():
        words += ["--set", f"dataset.{key}={value}"]
    if as_json:
        summary = {"view": str(found.view.path), "images": len(opened), "kept": len(found.view), "removed": len(found.pairs)}
        summary |= {
            "groups": found.groups,
            "mixed_labels": found.mixed,
            "method": method,
            "radius": radius,
            "seconds": found.seconds,
        }
        summary |= {"gallery": [str(path) for path in found.gallery or ()], "train": shlex.join(words)}
        print_json(summary)
        return
    echo(found.view.path)
    kept, gone = len(found.view), len(found.pairs)
    stay = f"{kept:,} of {plural(len(opened), 'image')} {'stays' if kept == 1 else 'stay'}"
    echo(f"{stay}; {plural(gone, 'near-duplicate')} {are(gone)} left out")
    if found.mixed:
        echo(f"{found.mixed:,} of them had another label than the image that stays")
    for path in found.gallery or ():
        echo(f"look at them: {path}")
    echo(f"train on what stays: {shlex.join(words)}")


@data.command(no_args_is_help=True)
@click.argument("photos", type=click.Path(path_type=Path))
@click.argument("place", metavar="[OUT]", required=False)
@out_option("the faces", otherwise="faces", metavar="DIR")
@click.option("--min-size", metavar="N", default=64, show_default=True, help="Least side of a face in pixels.")
@click.option("--margin", metavar="N", default=0.25, show_default=True, help="Added on each side, as a share of the box.")
@json_option
def faces(photos: Path, place: str | None, out: str | None, min_size: int, margin: float, as_json: bool) -> None:
    """Cut the faces out of PHOTOS into a new folder.

    Needs the extra faces: pip install "dcgan-zoo[faces]"

    \b
    Examples:
      zoo data faces ~/Pictures/party --out faces --min-size 96
    """
    out = take_once(place, out, "OUT", "faces")
    found = zoo.detect_faces(photos, Path(out), min_size=min_size, margin=margin, report=reporter_for_terminal())
    if as_json:
        print_json({"out": out, **found})
        return
    echo(out)
    for key in ("photos", "faces", "without"):
        if key in found:
            echo(f"{key}: {found[key]:,}")
    if broken := found.get("unreadable"):
        for entry in broken["records"][:10]:
            echo(f"skipped {printable(entry['key'])}: {printable(entry['reason'])}")
        if broken["count"] > 10:
            echo(f"… {broken['count']:,} skipped in all; more of them with --json")
    echo(f"train on them: zoo train dcgan --dataset faces --data {shlex.quote(str(out))}")
