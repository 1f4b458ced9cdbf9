"""The unit of work: some files in, one Arrow batch out. The file to open first.

Everything here is picklable and runs in worker processes. A bad file is a value: it becomes a
``Failure`` in the batch and never an exception.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from exrindex.embed import embed_header
from exrindex.inspection import Inspected, failure_of, inspect_file
from exrindex.model import Failure, FailureCode, FileRef, Indexed, Stage
from exrindex.overlap import Overlap
from exrindex.rows import PathMaps, make_batch
from exrindex.source.base import Source
from exrindex.tables import Batch, Packed, concat_batches, pack_batch

# Bytes of headers held before they become rows, which keep a fraction of very large values.
_HELD_BYTES = 64 * 1024 * 1024
# Headers above this size are not held by the dozen while others are waited for.
_LIGHT_BYTES = 1024 * 1024
_READS = Overlap()


def index_file(source: Source, ref: FileRef) -> Indexed | Failure:
    """Inspect one file and place it in vector space."""
    return _placed(inspect_file(source, ref))


def _placed(found: Inspected | Failure) -> Indexed | Failure:
    if isinstance(found, Failure):
        return found
    vectors = embed_header(found.header)
    return Indexed(
        found.ref,
        found.header,
        found.integrity,
        vectors.metadata,
        vectors.fingerprint,
        vectors.part_fingerprints,
    )


def index_chunk(
    source: Source, refs: Sequence[FileRef], seen_at: dt.datetime, path_maps: PathMaps = ()
) -> Batch:
    """Every row of these files, bad ones included as failures."""
    batches = []
    indexed: list[Indexed] = []
    failures: list[Failure] = []
    held = 0
    for found in _READS.map(partial(inspect_file, source), refs, _is_light):
        result = _placed(found)
        if isinstance(result, Failure):
            failures.append(result)
            continue
        indexed.append(result)
        held += result.header.nbytes
        if held > _HELD_BYTES:
            batches.append(make_batch(indexed, [], seen_at, path_maps))
            indexed, held = [], 0
    batches.append(make_batch(indexed, failures, seen_at, path_maps))
    return concat_batches(batches)


def _is_light(found: Inspected | Failure) -> bool:
    return isinstance(found, Failure) or found.header.nbytes <= _LIGHT_BYTES


@dataclass(frozen=True, slots=True)
class ChunkIndexer:
    """``index_chunk`` with everything but the files bound, its batch packed: what a pool calls."""

    source: Source
    path_maps: PathMaps = ()

    def __call__(self, refs: Sequence[FileRef]) -> Packed:
        now = dt.datetime.now(dt.UTC)
        return pack_batch(index_chunk(self.source, refs, now, self.path_maps))

    def crashed(self, ref: FileRef, code: FailureCode) -> Packed:
        """The batch of a file whose inspection killed its worker or did not end."""
        what = "takes too long" if code is FailureCode.TIMEOUT else "kills its worker process"
        failure = failure_of(ref, Stage.READ, code, f"inspecting the file {what}")
        return pack_batch(make_batch([], [failure], dt.datetime.now(dt.UTC), self.path_maps))
