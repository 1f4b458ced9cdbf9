"""``exrindex scan``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, TypedDict

import typer

from exrindex.cli.context import AsJson, context_of
from exrindex.errors import SourceError, UsageError
from exrindex.settings import MOST_COMMIT_FILES, MOST_WORKERS

if TYPE_CHECKING:
    from exrindex.cli.context import Context
    from exrindex.scan import Report, ScanOptions
    from exrindex.source import Shard, Source


def scan(
    context: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATH", help="Directories and files.", show_default=False),
    ] = None,
    from_file: Annotated[
        str | None,
        typer.Option(
            "--from-file",
            metavar="LIST",
            help="Read paths from a file, or from stdin with -; separated by newlines or NULs.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MOST_WORKERS,
            metavar="N",
            help="Processes that parse. Default: one per CPU.",
            show_default=False,
        ),
    ] = None,
    commit_files: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MOST_COMMIT_FILES,
            metavar="N",
            help="Files per transaction. Default: 4000.",
            show_default=False,
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GLOB", help="Pass over what matches, as in .gitignore; may be repeated."
        ),
    ] = None,
    follow_symlinks: Annotated[
        bool, typer.Option("--follow-symlinks", help="Walk into linked directories.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Read unchanged files again, too.")
    ] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Retire files below PATH that are gone.")
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Do one share of N, from 1: for array jobs on a render farm.",
            show_default=False,
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Parse on the workers of a Dask cluster (needs exrindex[dask]).",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; open and write nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Index EXR files: read headers, skip what has not changed, write the rest to the store.

    Interrupt it as you like and run it again: what was committed is skipped.
    """
    from exrindex.cli.progress import describe_scan, progress
    from exrindex.scan import ScanOptions
    from exrindex.scan import scan as run_scan
    from exrindex.source import Shard

    ours = context_of(context)
    settings = ours.settings
    if bool(paths) == (from_file is not None):
        raise UsageError("give PATHs or --from-file LIST, one of them")
    if scheduler is not None and workers is not None:
        raise UsageError("--workers are processes here; a Dask cluster has its own")
    if prune and from_file is not None:
        raise UsageError("--prune needs directories: a list does not tell what is gone")
    options = ScanOptions(
        workers=workers or settings.workers or _default_workers(),
        commit_files=commit_files or settings.commit_files,
        force=force,
        prune=prune,
        dry_run=dry_run,
        path_maps=settings.path_maps,
    )
    rules: _Rules = {
        "exclude": [*settings.exclude, *(exclude or [])],
        "follow_symlinks": follow_symlinks,
        "shard": None if shard is None else Shard.parse(shard, settings.path_maps),
    }
    with ExitStack() as stack:
        source, roots = _source(paths or [], from_file, rules, stack)
        store = ours.open_store()
        executor = None
        if scheduler is not None:
            executor, options = _on_cluster(scheduler, options)
        notify = stack.enter_context(progress(describe_scan, quiet=ours.quiet))
        report = run_scan(source, store, options, roots=roots, notify=notify, executor=executor)
    _tell(ours, report, as_json=as_json, is_share=shard is not None)
    raise typer.Exit(report.exit_status)


def _on_cluster(address: str, options: ScanOptions) -> tuple[Callable[[], Executor], ScanOptions]:
    """What makes an executor there, and the options with as many workers as it has threads."""
    try:
        from exrindex.scheduler import SchedulerExecutor
    except ImportError as error:
        raise UsageError(
            f"--scheduler needs the package distributed ({error}): pip install 'exrindex[dask]'"
        ) from error
    executor = SchedulerExecutor(address)
    try:
        threads = executor.threads()
    finally:
        executor.shutdown()
    make = partial(SchedulerExecutor, address)
    return make, replace(options, workers=threads, is_local=False)


def _default_workers() -> int:
    from exrindex.pool import default_workers

    return default_workers()


class _Rules(TypedDict):
    """What a source leaves out, and where it goes."""

    exclude: list[str]
    follow_symlinks: bool
    shard: Shard | None


def _source(
    paths: list[str], from_file: str | None, rules: _Rules, stack: ExitStack
) -> tuple[Source, list[str]]:
    """The source to walk and the roots to record."""
    from exrindex.source import ListSource, LocalSource, read_file_list

    if from_file is None:
        local = LocalSource(paths, **rules)
        return local, list(local.roots)
    stream = _open_list(from_file, stack)
    entries: Iterator[str] = read_file_list(stream)
    name = "-" if from_file == "-" else os.path.abspath(from_file)
    return ListSource(entries, **rules), [name]


def _open_list(from_file: str, stack: ExitStack) -> BinaryIO:
    if from_file == "-":
        if sys.stdin is None:
            raise SourceError("--from-file -: standard input is closed")
        return sys.stdin.buffer
    try:
        return stack.enter_context(Path(from_file).open("rb"))
    except OSError as error:
        raise SourceError(f"--from-file {from_file}: {error.strerror}") from error


def _tell(context: Context, report: Report, *, as_json: bool, is_share: bool) -> None:
    from exrindex.cli.output import print_json, visible

    for failure in report.root_failures:
        context.warn(f"{visible(failure.uri)}: {failure.reason}; it was not scanned")
    for warning in report.warnings:
        context.warn(visible(warning))
    for example in report.examples:
        line = f"{example.path}: {example.reason} [{example.code}]"
        print(visible(line), file=sys.stderr)
    left = report.counts.failed + sum(report.counts.broken.values()) - len(report.examples)
    if left > 0:
        more = "more bad files" if report.examples else "bad files known before"
        print(f"{left:,} {more}; list them with: exrindex query failures", file=sys.stderr)
    if as_json:
        print_json(report.document())
    elif not context.quiet:
        print(_summary(report, verbose=context.verbose, is_share=is_share))


def _summary(report: Report, *, verbose: bool, is_share: bool) -> str:
    """Two or three lines for people."""
    counts = report.counts
    rate = f" ({counts.found / report.seconds:,.0f}/s)" if report.seconds else ""
    would = "would be " if report.dry_run else ""
    done = {
        f"{would}inserted": counts.inserted,
        f"{would}updated": counts.updated,
        "unchanged": counts.unchanged,
        f"{would}retired": counts.retired,
        "failed": counts.failed,
    }
    what = ", ".join(f"{count:,} {name}" for name, count in done.items() if count)
    found = f"{counts.found:,} {'file' if counts.found == 1 else 'files'} found"
    lines = [f"{found} in {report.seconds:.1f} s{rate}: {what or 'nothing to do'}"]
    if counts.failures:
        lines.append("failed: " + _list(counts.failures))
    if counts.broken:
        lines.append("broken: " + _list({str(kind): n for kind, n in counts.broken.items()}))
    if counts.skipped and verbose:
        lines.append("skipped: " + _list(counts.skipped))
    if not counts.found and not is_share:
        lines.append("no .exr file there; is the path right?")
    return "\n".join(lines)


def _list(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items()))
