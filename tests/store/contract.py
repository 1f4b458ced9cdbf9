"""What every store must do. A test class of a store inherits this and says how to make one."""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Mapping
from itertools import product

import numpy as np
import pyarrow as pa
import pytest

from exrindex.errors import SchemaMismatch, StoreError, UsageError
from exrindex.model import FailureCode
from exrindex.naming import unescape_text
from exrindex.plain import plain_rows
from exrindex.store.base import Level, SchemaState, Slice, Store, Upserted, VectorColumn
from exrindex.tables import SCANS, TABLES, concat_batches
from exrmaker import attr, exr_file
from trees import batch_of, frame, half_rendered, multipart, open_failures, rows, snapshot

DAY = dt.timedelta(days=1)
NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
A, B, C = frame("a"), frame("b"), frame("c")
PLACE = "/shows/x/beauty.0001.exr"
LOST = sorted({"empty", "not_exr", "truncated_header", "damaged_header", "not_a_file"})
MERELY_UNREAD = sorted({str(code) for code in FailureCode} - set(LOST))

NO_CONDITIONS = [
    "", "nonsense", "no_such_column = 1", "true) OR (true", "true; DROP TABLE files",
    "true) UNION ALL SELECT * FROM near --", "1 = 1 /* open", "true, false", "file_path = 'open",
]  # fmt: skip
NOT_SELECTS = [
    "DELETE FROM files", "DROP TABLE files", "UPDATE files SET shot = 'x'",
    "INSERT INTO scans SELECT * FROM scans", "CREATE TABLE mine (i INTEGER)",
    "SELECT 1; DELETE FROM files", "", "-- nothing", "SELEC 1", "SELECT * FROM no_such_table",
    "SELECT no_such_column FROM files", "TRUNCATE files", "ALTER TABLE files DROP shot",
]  # fmt: skip


def put(
    store: Store,
    files: Mapping[str, bytes | FailureCode],
    *,
    days: int = 0,
    mtime_ns: int = 1_700_000_000_000_000_000,
) -> Upserted:
    """Upsert files as seen some days after ``NOW``."""
    return store.upsert(batch_of(files, NOW + days * DAY, mtime_ns=mtime_ns))


def file_rows(store: Store, place: str = PLACE) -> list[dict[str, object]]:
    """Every row of ``files`` at a place, the oldest first; times as days after ``NOW``."""
    table = store.sql(
        f"SELECT * FROM files WHERE file_path_normalized = '{place}' ORDER BY first_seen, file_id"
    )
    return [_in_days(row) for row in table.to_pylist()]


def failure_rows(store: Store, place: str = PLACE) -> list[dict[str, object]]:
    table = store.sql(
        f"SELECT * FROM failures WHERE file_path_normalized = '{place}' ORDER BY first_seen"
    )
    return [_in_days(row) for row in table.to_pylist()]


def _in_days(row: dict[str, object]) -> dict[str, object]:
    names = ("first_seen", "last_seen", "last_inspected", "retired_at", "resolved_at")
    return {
        key: (value - NOW) / DAY if key in names and isinstance(value, dt.datetime) else value
        for key, value in row.items()
    }


class QuestionContract(ABC):
    """What every store answers, whichever way it is asked."""

    @abstractmethod
    def make_store(self) -> Store:
        """A store of its own where nothing is, without tables."""

    @pytest.fixture
    def empty(self) -> Store:
        return self.make_store()

    @pytest.fixture
    def store(self, empty: Store) -> Store:
        empty.create()
        return empty

    # --- tables ---

    def test_a_new_store_becomes_ready_by_create(self, empty: Store) -> None:
        assert empty.state() is SchemaState.NEW
        assert empty.create() is True
        assert empty.state() is SchemaState.READY
        empty.require()
        assert empty.check() == []
        assert empty.row_counts() == dict.fromkeys(TABLES, 0)

    def test_create_again_changes_nothing(self, store: Store) -> None:
        put(store, {PLACE: A})
        before = snapshot(store)
        assert store.create() is False
        assert snapshot(store) == before
        assert before["files"]

    def test_a_store_describes_and_examines_itself(self, empty: Store) -> None:
        new = list(empty.examine(write=False))
        assert {finding.level for finding in new} <= {Level.OK, Level.NOTE}
        assert [finding for finding in new if "exrindex" in finding.remedy]
        empty.create()
        found = list(empty.examine(write=True))
        assert {finding.level for finding in found} == {Level.OK}
        assert all(finding.exit_code == 0 for finding in found)
        assert empty.describe().engine.split()[0] in ("DuckDB", "VAST")
        assert empty.describe().layout == {}
        assert empty.row_counts() == dict.fromkeys(TABLES, 0)

    def test_asking_a_store_without_tables_is_refused(self, empty: Store) -> None:
        for ask in (empty.require, empty.row_counts, lambda: empty.known(["/"])):
            with pytest.raises(SchemaMismatch, match="exrindex") as caught:
                ask()
            assert caught.value.exit_code == 5
        assert empty.state() is SchemaState.NEW

    # --- values ---

    def test_vectors_come_back_bit_for_bit(self, store: Store) -> None:
        batch = dict(batch_of({PLACE: multipart("v"), "/shows/w.exr": A}, NOW))
        odd = np.zeros((2, 384), np.float32)
        odd[0, :6] = [-0.0, 1e-45, -1e-45, 1.1754944e-38, 1 / 3, np.pi]
        odd[1] = np.random.default_rng(1).standard_normal(384)
        files = batch["files"]
        column = files.schema.get_field_index("metadata_embedding")
        field = TABLES["files"].field("metadata_embedding")
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(odd.ravel()), type=field.type)
        batch["files"] = files.set_column(column, field, vectors)
        store.upsert(batch)
        for table, name in (
            ("files", "metadata_embedding"),
            ("files", "channel_fingerprint"),
            ("channels", "channel_fingerprint"),
        ):
            key = batch[table].column_names[0]
            found = store.sql(f"SELECT {key}, {name} FROM {table}")
            got = dict(zip(found[key].to_pylist(), found[name].to_pylist(), strict=True))
            sent = batch[table]
            assert len(got) == sent.num_rows
            for row_id, vector in zip(sent[key].to_pylist(), sent[name].to_pylist(), strict=True):
                stored = got[str(row_id)]
                if vector is None:
                    assert stored is None
                else:
                    assert (
                        np.array(stored, np.float32).tobytes()
                        == np.array(vector, np.float32).tobytes()
                    )

    def test_text_comes_back_as_it_was(self, store: Store) -> None:
        texts = [
            "nul\0inside", "\0", "🎬 emoji 名", "back\\slash \\x41 \\n", "'; DROP TABLE files; --",
            'quote " and \' and `', "line\nbreak\ttab", " ", "%_*?", "NULL", "\x7f\x01",
        ]  # fmt: skip
        files = {
            f"/t/{n}.exr": exr_file(attributes=[attr("note", "string", text)])
            for n, text in enumerate(texts)
        }
        put(store, files)
        notes = "SELECT value_text FROM attributes WHERE attr_name = 'note'"
        assert sorted(rows(store, notes)) == sorted((text,) for text in texts)

    def test_any_file_name_is_found_again(self, store: Store) -> None:
        names = ["'quote'", "名前", "back\\x41slash", "%s {k} $k", "a\nb", "not UTF-8: \udcff"]
        paths = {f"/shows/{name}/{name}.exr": A for name in names}
        put(store, paths)
        stored = rows(store, "SELECT file_path_normalized, directory FROM files")
        places = sorted(str(place) for place, _ in stored)
        known = store.known([str(directory) for _, directory in stored])
        assert sorted(known["file_path_normalized"].to_pylist()) == places
        assert sorted(unescape_text(place) for place in places) == sorted(paths)
        assert put(store, paths, days=1) == Upserted(0, 0, len(names), 0, 0)
        assert store.retire(places, NOW + 2 * DAY) == len(names)

    # --- neighbours ---

    def test_a_file_is_nearest_to_itself(self, store: Store) -> None:
        batch = batch_of({"/d/a.exr": A, "/d/z.exr": frame(channels="Z")}, NOW)
        store.upsert(batch)
        for column in VectorColumn:
            for path, vector in zip(
                batch["files"]["file_path"].to_pylist(),
                batch["files"][column.value].to_pylist(),
                strict=True,
            ):
                found = store.nearest(
                    np.array(vector, np.float32), column, limit=3, where=None, by_sequence=False
                ).to_pylist()
                assert (found[0]["file_path"], found[0]["distance"]) == (path, 0.0)
                assert found[1]["distance"] > 0

    def test_neighbours_are_live_files_only(self, store: Store) -> None:
        put(store, {"/d/a.exr": A, "/d/b.exr": B})
        put(store, {"/d/a.exr": b""}, days=1)
        vector = np.zeros(384, np.float32)
        vector[0] = 1
        for by_sequence in (False, True):
            found = store.nearest(
                vector, VectorColumn.METADATA, limit=9, where=None, by_sequence=by_sequence
            )
            assert found["file_path"].to_pylist() == ["/d/b.exr"]

    def test_a_condition_that_is_none_is_refused(self, store: Store) -> None:
        put(store, {"/d/a.exr": A})
        for where in NO_CONDITIONS:
            with pytest.raises(UsageError):
                store.nearest(
                    np.ones(384, np.float32),
                    VectorColumn.METADATA,
                    limit=9,
                    where=where,
                    by_sequence=False,
                )
        assert store.row_counts()["files"] == 1

    # --- the sql door ---

    def test_the_sql_door_only_reads(self, store: Store) -> None:
        put(store, {PLACE: A})
        before = snapshot(store)
        for statement in NOT_SELECTS:
            with pytest.raises(UsageError):
                store.sql(statement)
        assert snapshot(store) == before


class StoreContract(QuestionContract):
    """What every store does."""

    # --- upsert: the rules of files ---

    def test_a_new_file_is_inserted_into_all_tables(self, store: Store) -> None:
        batch = batch_of({PLACE: multipart("m")}, NOW)
        assert store.upsert(batch) == Upserted(1, 0, 0, 0, 0)
        for name in ("files", "parts", "channels", "attributes"):
            assert store.row_counts()[name] == batch[name].num_rows
        assert store.row_counts()["channels"] == 5
        (row,) = file_rows(store)
        assert (row["first_seen"], row["last_inspected"], row["inspection_count"]) == (0, 0, 1)
        assert row["retired_at"] is None
        assert store.check() == []

    def test_the_same_header_changes_five_columns_at_most(self, store: Store) -> None:
        put(store, {PLACE: half_rendered("a")})
        (before,) = file_rows(store)
        others = snapshot(store)
        done = put(store, {PLACE: A + b"more"}, days=1, mtime_ns=1_700_000_001_000_000_000)
        assert done == Upserted(0, 1, 0, 0, 0)
        (after,) = file_rows(store)
        assert {name for name in after if after[name] != before[name]} == {
            "last_inspected", "inspection_count", "size_bytes", "mtime", "integrity",
        }  # fmt: skip
        assert (before["integrity"], after["integrity"]) == ("incomplete", "ok")
        assert (after["last_inspected"], after["inspection_count"]) == (1, 2)
        for table in ("parts", "channels", "attributes"):
            assert snapshot(store)[table] == others[table]

    def test_an_equal_file_is_confirmed(self, store: Store) -> None:
        put(store, {PLACE: A})
        (before,) = file_rows(store)
        assert put(store, {PLACE: A}, days=1) == Upserted(0, 0, 1, 0, 0)
        (after,) = file_rows(store)
        changed = {name for name in after if after[name] != before[name]}
        assert changed == {"last_inspected", "inspection_count"}

    def test_one_change_alone_is_an_update(self, store: Store) -> None:
        put(store, {"/mtime.d/f.exr": A, "/size.d/f.exr": A, "/integrity.d/f.exr": A})
        done = put(store, {"/size.d/f.exr": A + b"x", "/integrity.d/f.exr": half_rendered("a")})
        assert done == Upserted(0, 2, 0, 0, 0)
        done = put(store, {"/mtime.d/f.exr": A}, mtime_ns=1_700_000_000_000_001_000)
        assert done == Upserted(0, 1, 0, 0, 0)

    def test_another_header_retires_the_one_before(self, store: Store) -> None:
        put(store, {PLACE: A})
        assert put(store, {PLACE: B}, days=1) == Upserted(1, 0, 0, 1, 0)
        first, second = file_rows(store)
        assert (first["retired_at"], second["retired_at"]) == (1, None)
        assert (first["last_inspected"], first["inspection_count"]) == (0, 1)
        assert store.row_counts()["parts"] == 2
        assert store.check() == []

    def test_an_earlier_header_is_revived(self, store: Store) -> None:
        put(store, {PLACE: A})
        put(store, {PLACE: B}, days=1)
        put(store, {PLACE: C}, days=2)
        counts = store.row_counts()
        assert put(store, {PLACE: A}, days=3) == Upserted(0, 1, 0, 1, 0)
        assert [row["retired_at"] for row in file_rows(store)] == [None, 2, 3]
        (first, *_) = file_rows(store)
        assert (first["first_seen"], first["last_inspected"]) == (0, 3)
        assert store.row_counts() == counts
        assert store.check() == []

    def test_a_long_retired_row_keeps_its_moment(self, store: Store) -> None:
        put(store, {PLACE: A})
        put(store, {PLACE: B}, days=1)
        put(store, {PLACE: B}, days=2)
        put(store, {PLACE: C}, days=3)
        assert [row["retired_at"] for row in file_rows(store)] == [1, 3, None]

    def test_what_was_seen_before_does_not_undo_what_was_seen_later(self, store: Store) -> None:
        """A long scan commits what it saw an hour ago; a hook has written since."""
        place, lost, back = "/d/new.exr", "/d/lost.exr", "/d/back.exr"
        put(store, {place: A, lost: A, back: b""})
        put(store, {place: B, lost: b"", back: A}, days=3)
        before = snapshot(store)
        late: dict[str, bytes | FailureCode] = {place: A, lost: A, back: b""}
        assert put(store, late, days=2) == Upserted(0, 0, 2, 0, 1)
        assert snapshot(store) == before
        put(store, {place: C, lost: A, back: b""}, days=4)
        assert [row[0] for row in live_places(store)] == [lost, place]
        assert store.check() == []

    def test_one_header_at_two_places_is_two_files(self, store: Store) -> None:
        put(store, {PLACE: A, "/shows/y.exr": A})
        put(store, {PLACE: B}, days=1)
        assert [row["retired_at"] for row in file_rows(store, "/shows/y.exr")] == [None]

    def test_one_batch_may_do_everything(self, store: Store) -> None:
        names = ("new", "same", "changed", "other", "back", "lost", "unread", "mended")
        before: dict[str, bytes | FailureCode] = {f"/p/{name}.exr": A for name in names[1:]}
        put(store, {**before, "/p/mended.exr": FailureCode.UNREADABLE})
        put(store, {"/p/back.exr": B}, days=1)
        done = put(
            store,
            {
                "/p/new.exr": A,
                "/p/same.exr": A,
                "/p/changed.exr": A + b"x",
                "/p/other.exr": B,
                "/p/back.exr": A,
                "/p/lost.exr": b"",
                "/p/unread.exr": FailureCode.UNREADABLE,
                "/p/mended.exr": A,
            },
            days=2,
        )
        assert done == Upserted(inserted=3, updated=2, confirmed=1, retired=3, failed=2)
        found = rows(store, "SELECT file_path FROM files WHERE retired_at IS NULL ORDER BY ALL")
        assert [path for (path,) in found] == sorted(
            f"/p/{name}.exr" for name in names if name != "lost"
        )
        assert open_failures(store) == {"lost.exr": "empty", "unread.exr": "unreadable"}
        assert store.check() == []

    def test_a_batch_that_comes_twice_changes_nothing(self, store: Store) -> None:
        """As after a commit whose answer was lost: the same counts, the same rows."""
        put(store, {"/p/same.exr": A, "/p/other.exr": A, "/p/lost.exr": A, "/p/bad.exr": b""})
        batch = batch_of(
            {
                "/p/new.exr": A,
                "/p/same.exr": A,
                "/p/other.exr": B,
                "/p/lost.exr": b"",
                "/p/bad.exr": b"no EXR file",
            },
            NOW + DAY,
        )
        done = store.upsert(batch)
        assert done == Upserted(inserted=2, updated=0, confirmed=1, retired=2, failed=2)
        before = {name: sorted(rows(store, f"SELECT * FROM {name}"), key=repr) for name in batch}
        assert store.upsert(batch) == done
        after = {name: sorted(rows(store, f"SELECT * FROM {name}"), key=repr) for name in batch}
        assert after == before
        assert store.check() == []

    def test_an_empty_batch_is_nothing(self, store: Store) -> None:
        assert put(store, {}) == Upserted(0, 0, 0, 0, 0)

    def test_a_place_comes_once_in_a_batch(self, store: Store) -> None:
        seconds: list[bytes | FailureCode] = [A, B, b"", FailureCode.VANISHED]
        for first, second in product([A, b""], seconds):
            one = batch_of({PLACE: first}, NOW)
            other = batch_of({"/shows/x/./beauty.0001.exr": second}, NOW)
            with pytest.raises(ValueError, match="once"):
                store.upsert(concat_batches([one, other]))
        assert store.row_counts() == dict.fromkeys(TABLES, 0)

    # --- upsert: the rules of failures ---

    def test_a_failure_repeats_is_resolved_and_opens_again(self, store: Store) -> None:
        assert put(store, {PLACE: b""}) == Upserted(0, 0, 0, 0, 1)
        put(store, {PLACE: FailureCode.UNREADABLE}, days=1)
        put(store, {PLACE: b"no EXR file"}, days=2)
        (row,) = failure_rows(store)
        assert (row["first_seen"], row["last_seen"], row["attempts"]) == (0, 2, 3)
        assert (row["stage"], row["code"], row["size_bytes"]) == ("parse", "not_exr", 11)
        put(store, {PLACE: A}, days=3)
        assert [row["resolved_at"] for row in failure_rows(store)] == [3]
        put(store, {PLACE: A}, days=4)
        put(store, {PLACE: b""}, days=5)
        first, second = failure_rows(store)
        assert (first["resolved_at"], first["last_seen"], first["attempts"]) == (3, 2, 3)
        assert (second["resolved_at"], second["first_seen"], second["attempts"]) == (None, 5, 1)

    def test_a_file_whose_content_is_lost_is_retired(self, store: Store) -> None:
        places = [f"/d/{code}.exr" for code in LOST]
        lost: dict[str, bytes | FailureCode] = {
            place: FailureCode(code) for place, code in zip(places, LOST, strict=True)
        }
        put(store, dict.fromkeys(places, A))
        assert put(store, lost, days=1) == Upserted(0, 0, 0, retired=5, failed=5)
        assert put(store, lost, days=2) == Upserted(0, 0, 0, retired=0, failed=5)
        for place in places:
            assert [row["retired_at"] for row in file_rows(store, place)] == [1]

    def test_a_file_that_could_not_be_read_stays(self, store: Store) -> None:
        assert MERELY_UNREAD == ["crashed", "timeout", "unreadable", "vanished"]
        unread: dict[str, bytes | FailureCode] = {
            f"/d/{code}.exr": FailureCode(code) for code in MERELY_UNREAD
        }
        put(store, dict.fromkeys(unread, A))
        assert put(store, unread, days=1) == Upserted(0, 0, 0, retired=0, failed=4)
        known = store.known(["/d"])
        assert known["has_failure"].to_pylist() == [True] * 4
        assert known["last_inspected"].to_pylist() == [NOW] * 4

    def test_a_lost_file_that_comes_back_is_revived(self, store: Store) -> None:
        put(store, {PLACE: A})
        put(store, {PLACE: b""}, days=1)
        assert put(store, {PLACE: A}, days=2) == Upserted(0, 1, 0, 0, 0)
        assert [row["retired_at"] for row in file_rows(store)] == [None]
        assert [row["resolved_at"] for row in failure_rows(store)] == [2]

    # --- wholeness ---

    def test_an_upsert_that_breaks_leaves_nothing(self, store: Store) -> None:
        put(store, {PLACE: A, "/shows/bad.exr": b""})
        before = (snapshot(store), file_rows(store), failure_rows(store, "/shows/bad.exr"))
        good = batch_of(
            {PLACE: B, "/shows/new.exr": multipart(), "/shows/bad.exr": b"x"}, NOW + DAY
        )
        for table in good:
            with pytest.raises(StoreError) as caught:
                store.upsert({**good, table: _with_a_null(good[table])})
            assert caught.value.exit_code == 5
        after = (snapshot(store), file_rows(store), failure_rows(store, "/shows/bad.exr"))
        assert after == before
        assert store.upsert(good) == Upserted(2, 0, 0, 1, 1)

    # --- what is known ---

    def test_known_lists_the_live_files_of_the_directories(self, store: Store) -> None:
        put(store, {"/a/1.exr": A, "/a/2.exr": A, "/a/b/3.exr": A, "/ab/4.exr": A})
        put(store, {"/a/2.exr": b""}, days=1)
        known = store.known(["/a", "/missing"])
        assert sorted(known["file_path_normalized"].to_pylist()) == ["/a/1.exr"]
        assert set(known.column_names) == {
            "directory", "file_path", "file_path_normalized", "size_bytes", "mtime", "integrity",
            "last_inspected", "has_failure",
        }  # fmt: skip
        assert store.known([]).num_rows == 0

    def test_directories_are_those_at_or_below_a_root(self, store: Store) -> None:
        put(store, {f"{folder}/f.exr": A for folder in ("/a", "/a/b/c", "/ab", "/a_b", "/a%")})
        assert store.directories("/a") == ["/a", "/a/b/c"]
        assert store.directories("/a/b") == ["/a/b/c"]
        assert store.directories("/") == ["/a", "/a%", "/a/b/c", "/a_b", "/ab"]
        assert store.directories("/none") == []
        store.retire(["/a/f.exr"], NOW)
        assert store.directories("/a") == ["/a/b/c"]

    # --- retire and close ---

    def test_retire_marks_what_is_live_and_closes_its_failures(self, store: Store) -> None:
        put(store, {PLACE: A, "/shows/other.exr": A})
        put(store, {PLACE: FailureCode.UNREADABLE}, days=1)
        assert store.retire([PLACE, "/nowhere.exr"], NOW + 2 * DAY) == 1
        assert [row["retired_at"] for row in file_rows(store)] == [2]
        assert [row["resolved_at"] for row in failure_rows(store)] == [2]
        assert [row["retired_at"] for row in file_rows(store, "/shows/other.exr")] == [None]
        assert store.retire([PLACE], NOW + 3 * DAY) == 0
        assert [row["retired_at"] for row in file_rows(store)] == [2]
        assert store.retire([], NOW) == 0

    def test_stale_failures_are_found_below_a_root_and_closed_by_place(self, store: Store) -> None:
        put(
            store,
            {
                "/a/gone.exr": FailureCode.VANISHED,
                "/a/unread.exr": FailureCode.UNREADABLE,
                "/ab/gone.exr": FailureCode.VANISHED,
            },
        )
        put(store, {"/a/fresh.exr": FailureCode.VANISHED}, days=1)
        stale = store.stale_failures("/a", NOW + DAY).to_pylist()
        assert sorted(tuple(row.values()) for row in stale) == [
            ("/a/gone.exr", "/a/gone.exr", "read", "vanished"),
            ("/a/unread.exr", "/a/unread.exr", "read", "unreadable"),
        ]
        assert store.close_failures(["/a/gone.exr", "/a/unknown.exr"], NOW + 2 * DAY) == 1
        assert store.close_failures(["/a/gone.exr"], NOW + 2 * DAY) == 0
        assert set(open_failures(store)) == {"unread.exr", "gone.exr", "fresh.exr"}
        assert store.stale_failures("/a", NOW + DAY).num_rows == 1
        assert store.stale_failures("/", NOW + 2 * DAY).num_rows == 3

    # --- scans ---

    def test_a_scan_is_one_row_however_often_it_is_recorded(self, store: Store) -> None:
        row: dict[str, object] = dict.fromkeys(SCANS.names, "{}") | {
            "scan_id": "00000000-0000-4000-8000-000000000001",
            "started_at": NOW,
            "finished_at": None,
            "exit_status": None,
        }
        store.record_scan(pa.Table.from_pylist([row], schema=SCANS))
        row |= {"finished_at": NOW + DAY, "exit_status": 1}
        store.record_scan(pa.Table.from_pylist([row], schema=SCANS))
        assert rows(store, "SELECT exit_status FROM scans") == [(1,)]

    # --- moving ---

    def test_rows_are_moved_as_they_are(self, store: Store) -> None:
        """Into a store of its own kind; ``tests/test_copying.py`` goes between kinds."""
        put(store, {"/d/a.exr": A, "/d/m.exr": multipart("m"), "/e/bad.exr": b""})
        put(store, {"/d/a.exr": B, "/e/bad.exr": FailureCode.UNREADABLE}, days=1)
        part = Slice(["/d", "/e", "/none"])
        moved = store.rows_of(part)
        assert {name: rows.schema for name, rows in moved.items()} == {
            name: TABLES[name] for name in TABLES if name != "scans"
        }
        counts = store.child_counts(part).sort_by("file_id")
        files = moved["files"].sort_by("file_id")
        assert counts["file_id"].to_pylist() == files["file_id"].to_pylist()
        assert counts["parts"].to_pylist() == files["multipart_count"].to_pylist()
        assert counts["channels"].to_pylist() == files["channel_count"].to_pylist()
        assert sum(counts["attributes"].to_pylist()) == moved["attributes"].num_rows

        other = self.make_store()
        other.create()
        assert other.add_rows(moved) == 3
        assert whole(other) == whole(store)
        assert other.add_rows(moved) == 0
        assert whole(other) == whole(store)
        assert other.check() == []

    def test_what_comes_later_overwrites_and_what_comes_earlier_does_not(
        self, store: Store
    ) -> None:
        other = self.make_store()
        other.create()
        for one in (store, other):
            put(one, {PLACE: A, "/shows/bad.exr": b"", "/shows/gone.exr": A})
        put(store, {PLACE: A + b"more", "/shows/bad.exr": b"x", "/shows/gone.exr": b""}, days=2)
        put(other, {PLACE: B, "/shows/bad.exr": A, "/shows/new.exr": A}, days=1)
        part = Slice(["/shows", "/shows/x"])
        assert other.add_rows(store.rows_of(part)) == 2
        assert other.check() == []
        assert [row["retired_at"] for row in file_rows(other)] == [None, 2]
        assert [row["last_inspected"] for row in file_rows(other)] == [2, 1]
        assert [row["retired_at"] for row in file_rows(other, "/shows/gone.exr")] == [2]
        assert [row["retired_at"] for row in file_rows(other, "/shows/new.exr")] == [None]
        assert store.add_rows(other.rows_of(part)) == 3
        assert store.check() == []
        assert live_places(store) == live_places(other)

    def test_slices_of_a_directory_are_its_rows(self, store: Store) -> None:
        put(store, {f"/d/{n}.exr": A for n in range(20)} | {"/d/bad.exr": b""})
        slices = [Slice(["/d"], digit, digit == "0") for digit in "0123456789abcdef"]
        batches = [store.rows_of(part) for part in slices]
        files = [row for batch in batches for row in batch["files"]["file_path"].to_pylist()]
        assert sorted(files) == sorted(f"/d/{n}.exr" for n in range(20))
        assert sum(batch["failures"].num_rows for batch in batches) == 1
        assert sum(batch["channels"].num_rows for batch in batches) == 60

    def test_scans_are_moved_once(self, store: Store) -> None:
        row: dict[str, object] = dict.fromkeys(SCANS.names, "{}") | {
            "scan_id": "00000000-0000-8000-8000-000000000001",
            "started_at": NOW,
            "finished_at": None,
            "exit_status": None,
        }
        other = row | {"scan_id": "00000000-0000-8000-8000-000000000002"}
        store.record_scan(pa.Table.from_pylist([row], schema=SCANS))
        both = pa.Table.from_pylist([row, other], schema=SCANS)
        assert store.add_scans(both) == 1
        assert store.add_scans(both) == 0
        ended = row | {"finished_at": NOW + DAY, "exit_status": 0}
        late = pa.Table.from_pylist([ended, other], schema=SCANS)
        assert (store.add_scans(late), store.add_scans(late), store.add_scans(both)) == (1, 0, 0)
        assert store.row_counts()["scans"] == 2
        assert rows(store, "SELECT exit_status FROM scans ORDER BY ALL") == [(0,), (None,)]
        assert store.check() == []
        assert store.add_scans(both.slice(0, 0)) == 0


def whole(store: Store) -> dict[str, list[tuple[str, ...]]]:
    """Every row of every table, times and all."""
    return {
        name: sorted(tuple(map(repr, row.values())) for row in plain_rows(_all(store, name)))
        for name in TABLES
    }


def _all(store: Store, table: str) -> pa.Table:
    return store.sql(f"SELECT * FROM {table}")


def live_places(store: Store) -> list[tuple[object, ...]]:
    return rows(
        store,
        "SELECT file_path_normalized, header_hash, size_bytes, last_inspected FROM files"
        " WHERE retired_at IS NULL ORDER BY ALL",
    )


def _with_a_null(table: pa.Table) -> pa.Table:
    """The same rows, with a null in the last row of the last column that must not hold one."""
    index = max(
        i
        for i, field in enumerate(table.schema)
        if not field.nullable and field.type == pa.string()
    )
    values = table.column(index).to_pylist()
    values[-1] = None
    field = table.schema.field(index).with_nullable(True)
    return table.set_column(index, field, pa.array(values, field.type))
