"""Questions to VAST have the answers of the embedded catalog, whichever way they are asked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exrindex.access import Secret, VastAccess
from exrindex.errors import StoreUnavailable, UsageError
from exrindex.plain import plain_rows
from exrindex.store.base import Layout, VectorColumn
from exrindex.store.duck import DuckStore
from exrindex.store.vast import VastStore, adbc, engine, link
from exrindex.store.vast.pushdown import Condition, conditions
from exrindex.tables import Batch
from exrmaker import attr, exr_file
from store.contract import NOW
from trees import batch_of, catalog, frame, multipart
from vastserver import Fault, VastServer
from vaststore import access_to, driver, made_on, requests_of, store_on

# After a torn stream the SDK leaves its socket to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

# What people ask: every kind of clause, every table, and what is odd about our tables.
QUESTIONS = [
    "SELECT count(*) FROM files",
    "SELECT count(*) FROM parts",
    'SELECT file_path, "show", shot, frame_number FROM files WHERE retired_at IS NULL ORDER BY 1',
    "SELECT * FROM files ORDER BY file_path, first_seen LIMIT 3",
    "SELECT * EXCLUDE (raw_output, metadata_embedding) FROM files ORDER BY file_path, first_seen",
    "FROM files SELECT file_path WHERE shot = 'sh0020' ORDER BY ALL",
    "SELECT sequence_path, max(frame_number) FROM files GROUP BY ALL ORDER BY ALL",
    "SELECT f.file_path, c.channel_name FROM files f JOIN channels c USING (file_id)"
    " WHERE c.channel_type = 'float' ORDER BY ALL",
    "SELECT file_path FROM files ANTI JOIN (SELECT file_id FROM channels WHERE channel_name = 'Z')"
    " USING (file_id) ORDER BY ALL",
    "WITH z AS (SELECT file_id FROM channels WHERE channel_name = 'Z')"
    " SELECT count(*) FROM files WHERE file_id IN (SELECT file_id FROM z)",
    "SELECT a.file_path, b.file_path FROM files a, files b WHERE a.header_hash = b.header_hash"
    " AND a.file_path < b.file_path ORDER BY ALL",
    "SELECT attr_name, count(*) FROM attributes GROUP BY ALL ORDER BY ALL",
    "SELECT value_json->>'$' AS note FROM attributes WHERE attr_name = 'note' ORDER BY ALL",
    'SELECT code, "offset", reason FROM failures WHERE resolved_at IS NULL ORDER BY ALL',
    "SELECT file_path FROM files WHERE version IS NULL AND frame_number BETWEEN 2 AND 4 ORDER BY 1",
    "SELECT file_path FROM files WHERE file_path LIKE '/shows/x/sh0010%' ORDER BY ALL",
    "SELECT file_path FROM files WHERE 3 <= frame_number AND shot IN ('sh0010', 'x') ORDER BY 1",
    "SELECT file_path FROM files WHERE shot != 'sh0010' ORDER BY ALL",
    "SELECT file_path FROM files WHERE shot = 'sh0010' OR frame_number = 2 ORDER BY ALL",
    "SELECT count(*) FROM files WHERE is_deep",
    "SELECT frame_number - lag(frame_number) OVER (PARTITION BY shot ORDER BY frame_number) AS step"
    " FROM files WHERE shot IS NOT NULL ORDER BY ALL",
    "SELECT array_cosine_distance(a.metadata_embedding, b.metadata_embedding) > 0.001 AS far"
    " FROM files a, files b WHERE a.frame_number = 1 AND b.frame_number = 2 ORDER BY ALL",
    "SELECT count(*) FROM channels WHERE channel_fingerprint IS NOT NULL",
    "SELECT file_id FROM files WHERE file_path = '/shows/x/sh0010/b.1.exr'",
    "SELECT date_trunc('day', first_seen) AS day, count(*) FROM files GROUP BY ALL ORDER BY ALL",
    "SELECT file_path FROM files f WHERE (SELECT count(*) FROM parts p WHERE p.file_id = f.file_id)"
    " > 1 ORDER BY ALL",
    "SELECT 1 AS one",
    "VALUES (1, 'a'), (2, 'b')",
    "SELECT count(*) FROM files WHERE file_path = 'it''s' -- a comment",
    "SELECT parts.part_name FROM parts WHERE part_name = 'files' ORDER BY ALL",
    "SELECT 'FROM files' AS text, count(*) FROM\n  files\n/* files */",
    "PIVOT (SELECT shot, integrity FROM files) ON integrity IN ('ok', 'truncated') USING count(*)"
    " GROUP BY shot ORDER BY ALL",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION SELECT n + 1 FROM r, files WHERE n < frame_number)"
    " SELECT n FROM r ORDER BY ALL",
    "SELECT count(*) FROM files AS t(a, renderer) WHERE renderer LIKE '/shows/%'",
]
WRONG = ["SELECT nothing FROM files", "SELEC 1", "SELECT * FROM nowhere", "DELETE FROM files",
         "SELECT 1; SELECT 2", "SELECT * FROM read_text('/etc/passwd')", "ATTACH ':memory:' AS x",
         "EXPLAIN SELECT 1 FROM files", "PIVOT files ON integrity USING count(*)",
         "SELECT * FROM exrindex_slots", "SET threads = 1", "SELECT \udcff"]  # fmt: skip


class Both(NamedTuple):
    """The same rows in an embedded catalog and on VAST."""

    embedded: DuckStore
    vast: VastStore
    server: VastServer


def sample() -> Batch:
    files: dict[str, Any] = {
        f"/shows/x/{shot}/b.{n}.exr": frame(f"{shot}", channels=channels)
        for shot, channels in (("sh0010", "BGR"), ("sh0020", "BGRZ"))
        for n in range(1, 6)
    }
    files |= {
        "/shows/x/still.exr": multipart("s"),
        "/shows/x/float.exr": exr_file(attributes=[attr("x", "float", 1.5)]),
        "/shows/x/bad.exr": b"",
    }
    return batch_of(files, NOW)


@pytest.fixture(scope="module")
def both(shared_server: VastServer, tmp_path_factory: pytest.TempPathFactory) -> Both:
    embedded = catalog(tmp_path_factory.mktemp("embedded") / "c.duckdb")
    vast = store_on(shared_server, "indexed")
    vast.create(Layout(vector_index=True))
    for store in (embedded, vast):
        store.upsert(sample())
        store.upsert(batch_of({"/shows/x/sh0010/b.1.exr": frame("other")}, NOW + dt.timedelta(1)))
    return Both(embedded, vast, shared_server)


@pytest.mark.parametrize("is_there", [False, True], ids=["here", "there"])
@pytest.mark.parametrize("question", QUESTIONS)
def test_one_text_has_one_answer(both: Both, question: str, is_there: bool) -> None:
    with driver(is_there=is_there):
        assert plain(both.vast.sql(question)) == plain(both.embedded.sql(question))


def plain(table: pa.Table) -> list[dict[str, object]]:
    return [{k: v if not isinstance(v, float) else round(v, 9) for k, v in row.items()}
            for row in plain_rows(table)]  # fmt: skip


@pytest.mark.parametrize("statement", WRONG)
def test_what_is_wrong_is_refused_before_anything_is_asked(both: Both, statement: str) -> None:
    for is_there in (False, True):
        both.server.log.clear()
        with driver(is_there=is_there), pytest.raises(UsageError):
            both.vast.sql(statement)
        assert len(both.server.log) == 0


def test_it_is_told_by_which_way(both: Both) -> None:
    said: list[str] = []
    store = store_on(both.server, "indexed", tell=said.append)
    with driver(is_there=False):
        store.sql("SELECT count(*) FROM files")
        store.sql("SELECT count(*) FROM parts")
    with driver(is_there=True):
        store.sql("SELECT count(*) FROM files")
    assert said == [
        "asked here, over streamed columns; install exrindex[adbc] to have VAST do it",
        "asked by VAST's own SQL engine",
    ]


def test_what_vast_cannot_is_asked_here(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    store = store_on(both.server, "indexed", tell=said.append)
    monkeypatch.setattr(adbc, "qualify", lambda statement, access: "SELECT no_such_function()")
    with driver(is_there=True):
        assert store.sql("SELECT count(*) FROM files").column(0).to_pylist() == [13]
    assert said[0].startswith("asked here, over streamed columns, since VAST cannot: ")
    assert "no_such_function" in said[0]


# --- streaming --------------------------------------------------------------------------------


@pytest.fixture
def streamed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, list[str], bool]]]:
    """What is streamed: table, columns, and whether a predicate is pushed down."""
    seen: list[tuple[str, list[str], bool]] = []
    batches = link.VastTransaction.batches

    def spy(self: Any, table: str, columns: Any, predicate: Any = None) -> Any:
        seen.append((table, list(columns), predicate is not None))
        return batches(self, table, columns, predicate)

    monkeypatch.setattr(link.VastTransaction, "batches", spy)
    with driver(is_there=False):
        yield seen


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("SELECT count(*) FROM files", [("files", ["header_bytes"], False)]),
        (
            "SELECT shot FROM files WHERE retired_at IS NULL",
            [("files", ["shot", "retired_at"], True)],
        ),
        ("SELECT * EXCLUDE (raw_output) FROM scans", None),
        (
            "SELECT f.shot FROM files f JOIN parts p USING (file_id) WHERE p.compression = 'zip'",
            [("files", ["file_id", "shot"], False), ("parts", ["file_id", "compression"], False)],
        ),
        (
            "SELECT a.shot FROM files a, files b WHERE a.shot = 'x' AND b.width = 1",
            [("files", ["width", "shot"], False)],
        ),
        ("SELECT 1", []),
    ],
)
def test_only_what_is_needed_is_streamed(
    both: Both, streamed: list[Any], question: str, expected: list[Any] | None
) -> None:
    if expected is None:
        with pytest.raises(UsageError):
            both.vast.sql(question)
        return
    both.vast.sql(question)
    assert sorted(streamed) == sorted(expected)


def test_a_stream_that_breaks_is_read_again(server: VastServer, streamed: list[Any]) -> None:
    store = made_on(server)
    store.upsert(sample())
    server.faults.add(Fault("failed frame", on="GET data", table="files"))
    assert store.sql("SELECT count(*) FROM files").column(0).to_pylist() == [12]
    assert len(streamed) == 2
    server.faults.add(Fault("error", on="GET data", times=None))
    impatient = store_on(server, wait=0.5)
    with pytest.raises(StoreUnavailable):
        impatient.sql("SELECT count(*) FROM files")


def test_streaming_holds_little_in_memory(server: VastServer) -> None:
    """The engine reads batch by batch: a LIMIT ends the stream early."""
    store = made_on(server)
    store.upsert(sample())
    with driver(is_there=False):
        assert store.sql("SELECT file_path FROM files LIMIT 1").num_rows == 1
        assert store.sql("SELECT file_path FROM files").num_rows == 12
    assert server.open_transactions == 0


# --- what is pushed down ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("shot = 'a'", [Condition("shot", "==", ("a",))]),
        ("'a' = shot", [Condition("shot", "==", ("a",))]),
        ("3 < frame_number", [Condition("frame_number", ">", (3,))]),
        ("frame_number >= -3", [Condition("frame_number", ">=", (-3,))]),
        ("(\"show\" IN ('a', 'b'))", [Condition("show", "in", ("a", "b"))]),
        ("retired_at IS NULL", [Condition("retired_at", "null")]),
        ("retired_at IS NOT NULL", [Condition("retired_at", "not null")]),
        ("NOT retired_at IS NULL", [Condition("retired_at", "not null")]),
        ("file_path LIKE '/a/b%'", [Condition("file_path", "prefix", ("/a/b",))]),
        ("width BETWEEN 1 AND 2", [Condition("width", "between", (1, 2))]),
        (
            "shot = 'a' AND (version = 1 AND renderer IS NULL)",
            [
                Condition("shot", "==", ("a",)),
                Condition("version", "==", (1,)),
                Condition("renderer", "null"),
            ],
        ),
        ("shot = 'a' OR version = 1", []),
        ("NOT (shot = 'a' AND version = 1)", []),
        ("NOT shot = 'a'", []),
        ("lower(shot) = 'a'", []),
        ("shot = renderer", []),
        ("shot = 5", []),
        ("frame_number = 'x'", []),
        ("frame_number > 1.5", []),
        ("file_path LIKE '%a'", []),
        ("file_path LIKE 'a_b%'", []),
        ("file_path LIKE 'a\\%b%'", []),
        ("shot IN (SELECT 'a')", []),
        ("mtime > '2026-01-01'", []),
        ("file_id > '0'", []),
        ("file_id LIKE '0%'", []),
        ("file_id = 'no id'", []),
        (
            "file_id = 'ABCDEF00-0000-8000-8000-000000000001'",
            [Condition("file_id", "==", ("abcdef00-0000-8000-8000-000000000001",))],
        ),
    ],
)
def test_conditions_are_read(where: str, expected: list[Condition]) -> None:
    found = conditions(f"SELECT * FROM files WHERE {where}", frozenset(), {})
    assert found.get("files", []) == expected


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM files f, parts p WHERE f.shot = 'a'",
        "SELECT * FROM files LEFT JOIN parts USING (file_id) WHERE shot = 'a'",
        "WITH files AS (SELECT upper(shot) AS shot FROM files) FROM files WHERE shot = 'A'",
        "SELECT * FROM parts WHERE EXISTS (SELECT 1 FROM channels WHERE parts.part_name = 'a')",
        "SELECT * FROM files AS t(a, shot) WHERE shot = 'a'",
        "SELECT * FROM files TABLESAMPLE 50% WHERE shot = 'a'",
        "SELECT * FROM files WHERE shot = 'a' USING SAMPLE 3",
        "this is no SQL",
    ],
)
def test_what_may_mean_something_else_is_left_alone(statement: str) -> None:
    assert conditions(statement, frozenset(), {}) == {}


def test_a_table_that_is_read_twice_is_read_whole() -> None:
    statement = "FROM files WHERE shot = 'a' UNION ALL FROM files WHERE shot = 'b'"
    scans = engine.plan(statement, "here")
    assert scans.repeated == {"files"}
    assert conditions(statement, scans.repeated, {}) == {}


literals = st.sampled_from(["'sh0010'", "'sh0020'", "''", "1", "-1", "3", "2.5", "NULL", "'3'"])
columns = st.sampled_from(["shot", "frame_number", "file_path", "is_deep", "file_id", "width"])
atoms = st.one_of(
    st.builds("{} {} {}".format, columns, st.sampled_from(["=", "!=", "<", ">=", "<=>"]), literals),
    st.builds("{} IS {}NULL".format, columns, st.sampled_from(["", "NOT "])),
    st.builds("{} IN ({}, {})".format, columns, literals, literals),
    st.builds("{} BETWEEN {} AND {}".format, columns, literals, literals),
    st.builds("{} LIKE '{}%'".format, columns, st.sampled_from(["/shows", "sh", "s_", ""])),
)
wheres = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.builds("({} AND {})".format, inner, inner),
        st.builds("({} OR {})".format, inner, inner),
        st.builds("NOT ({})".format, inner),
    ),
    max_leaves=5,
)


@settings(max_examples=60)
@given(where=wheres)
def test_pushing_down_changes_no_answer(both: Both, where: str) -> None:
    statement = f"SELECT file_path FROM files WHERE {where} ORDER BY ALL"
    answers = []
    for store in (both.embedded, both.vast):
        with driver(is_there=False):
            try:
                answers.append(store.sql(statement).column(0).to_pylist())
            except UsageError:
                answers.append(None)
    # Whether a literal that does not fit its column is an error depends on the rows that are met.
    assert None in answers or answers[0] == answers[1]


@pytest.mark.parametrize("is_there", [False, True])
def test_a_statement_that_fails_while_it_runs_is_a_usage_error(both: Both, is_there: bool) -> None:
    with driver(is_there=is_there), pytest.raises(UsageError, match="boom"):
        both.vast.sql("SELECT error('boom') FROM files")


# --- naming tables as VAST does ---------------------------------------------------------------

ACCESS = VastAccess("http://vast", "AK", Secret("SK"), "b", "s")


@pytest.mark.parametrize(
    ("statement", "qualified"),
    [
        ("SELECT * FROM files", 'SELECT * FROM "b/s".files'),
        (
            "SELECT files.shot FROM files -- files\nWHERE x = 'files'",
            "SELECT files.shot FROM \"b/s\".files -- files\nWHERE x = 'files'",
        ),
        ('FROM "files" f, Parts', 'FROM "b/s"."files" f, "b/s".Parts'),
        (
            "WITH z AS (SELECT 1 FROM channels) SELECT * FROM z JOIN files ON true",
            'WITH z AS (SELECT 1 FROM "b/s".channels) SELECT * FROM z JOIN "b/s".files ON true',
        ),
        ("SELECT 'ü', 1 FROM files", "SELECT 'ü', 1 FROM \"b/s\".files"),
        ("SELECT 1", "SELECT 1"),
    ],
)
def test_tables_are_qualified_and_nothing_else(statement: str, qualified: str) -> None:
    assert adbc.qualify(statement, ACCESS) == qualified


@pytest.mark.parametrize(
    "statement",
    [
        "WITH files AS (SELECT 1) SELECT * FROM files",
        "SELECT * FROM main.files",
        "SELECT FROM WHERE",
        # Ids are text there, and compared as such.
        "SELECT * FROM files WHERE file_id = 'ABCDEF00-0000-8000-8000-000000000001'",
    ],
)
def test_what_cannot_be_qualified_is_not_asked_there(statement: str) -> None:
    with pytest.raises(adbc.NotThere):
        adbc.qualify(statement, ACCESS)


# --- neighbours -------------------------------------------------------------------------------


@pytest.mark.parametrize("where", [None, "shot = 'sh0020' -- only that", "frame_number IS NULL"])
@pytest.mark.parametrize("by_sequence", [False, True])
@pytest.mark.parametrize("column", VectorColumn)
def test_all_ways_rank_alike(
    both: Both, column: VectorColumn, by_sequence: bool, where: str | None
) -> None:
    vector = np.array(sample()["files"][column.value].to_pylist()[0], np.float32)  # sh0010, frame 1
    answers = []
    for store, is_there in ((both.embedded, False), (both.vast, False), (both.vast, True)):
        with driver(is_there=is_there):
            found = store.nearest(vector, column, limit=4, where=where, by_sequence=by_sequence)
        answers.append(plain(found))
    assert answers[0] == answers[1] == answers[2]
    assert answers[0]


def test_a_vector_index_is_asked_where_there_is_one(both: Both) -> None:
    vector = np.zeros(384, np.float32)
    vector[0] = 1
    said: list[str] = []
    store = store_on(both.server, "indexed", tell=said.append)
    for column in VectorColumn:
        dims = 384 if column is VectorColumn.METADATA else 128
        with driver(is_there=True):
            store.nearest(vector[:dims], column, limit=1, where=None, by_sequence=True)
    assert said == ["asked by VAST's vector search", "asked here, over streamed columns"]


@pytest.mark.parametrize("by_sequence", [False, True])
@pytest.mark.parametrize(
    "where", ["distance < 0.001", "file_path != '$k $vector $among'", "file_path LIKE '%$k%'"]
)
def test_a_condition_means_the_same_with_an_index(
    server: VastServer, where: str, by_sequence: bool
) -> None:
    files = {f"/d/$k {c}.{n}.exr": frame("x", channels=c) for c in "ABZ" for n in (1, 2)}
    batch = batch_of(files | {"/d/x.exr": frame("y")}, NOW)
    vector = np.array(batch["files"]["metadata_embedding"][0].as_py(), np.float32)
    found = []
    for layout in (Layout(vector_index=True), Layout()):
        store = store_on(server, f"index_{layout.vector_index}")
        store.create(layout)
        store.upsert(batch)
        rows = store.nearest(
            vector, VectorColumn.METADATA, limit=9, where=where, by_sequence=by_sequence
        )
        found.append(plain(rows))
    assert found[0] == found[1]
    assert found[0]


def test_sequences_behind_many_nearer_files_are_found(server: VastServer) -> None:
    """The nearest files all belong to one long sequence; its neighbours come all the same."""
    store = store_on(server)
    store.create(Layout(vector_index=True))
    files = {f"/d/long.{n:04d}.exr": frame("x") for n in range(120)}
    files |= {f"/d/{c}.{n}.exr": frame("x", channels=c) for c in "ABZ" for n in (1, 2)}
    batch = batch_of(files, NOW)
    store.upsert(batch)
    vector = np.array(batch["files"]["metadata_embedding"][0].as_py(), np.float32)
    found = []
    for is_there in (True, False):
        server.log.clear()
        with driver(is_there=is_there):
            rows = store.nearest(
                vector, VectorColumn.METADATA, limit=3, where=None, by_sequence=True
            )
        found.append(plain(rows))
    assert found[0] == found[1]
    assert [row["frame_count"] for row in found[0]] == [120, 2, 2]


@pytest.mark.parametrize("where", ["nonsense", "true) OR (true", "1; DROP TABLE files", "\udcff"])
def test_a_condition_that_is_none_is_refused(both: Both, where: str) -> None:
    for is_there in (False, True):
        with driver(is_there=is_there), pytest.raises(UsageError):
            both.vast.nearest(
                np.ones(384, np.float32), VectorColumn.METADATA, limit=1, where=where,
                by_sequence=False,
            )  # fmt: skip


def test_the_driver_leaves_no_key_behind(both: Both, tmp_path: Path) -> None:
    """It writes a log of its own."""
    with driver(is_there=True):
        both.vast.sql("SELECT count(*) FROM files")
    home = Path.home() / ".local/share/VastAdbcDriver"
    secret = access_to(both.server).secret_key.reveal().encode()
    for path in home.glob("**/*") if home.exists() else ():
        assert not path.is_file() or secret not in path.read_bytes()


def test_a_query_ends_its_transactions(server: VastServer) -> None:
    store = made_on(server)
    for is_there in (False, True):
        with driver(is_there=is_there):
            store.sql("SELECT count(*) FROM files")
    made = requests_of(server)
    assert made["POST transaction"] == made["PUT transaction"] + made["DELETE transaction"]
