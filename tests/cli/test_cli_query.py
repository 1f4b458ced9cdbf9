from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cli.command import Result, Shell
from cli.conftest import Catalog

BEAUTY = "sq010/sh0010/render/lighting/v002/sh0010_beauty_v002"
ODD = f"{BEAUTY}.1006.exr"


def _query(catalog: Catalog, *words: str | Path) -> Result:
    return catalog.shell.run("--store", catalog.store, "query", *words)


def test_similar_by_sequence(catalog: Catalog) -> None:
    result = _query(catalog, "similar", catalog.show / f"{BEAUTY}.1001.exr", "--json", "--explain")
    assert result.code == 0
    assert result.err == ""
    rows = result.json()
    assert len(rows) == 10
    for row in rows:
        assert {"file_path", "distance", "sequence_path", "first_frame", "last_frame",
                "frame_count", "explain"} == set(row)  # fmt: skip
        assert [set(share) for share in row["explain"]] == [{"group", "share", "of_weight"}] * len(
            row["explain"]
        )
        total = sum(share["share"] for share in row["explain"])
        assert total == pytest.approx(row["distance"], abs=1e-6)
    assert [row["distance"] for row in rows] == sorted(row["distance"] for row in rows)
    nearest = {row["sequence_path"]: row for row in rows[:2]}
    itself = nearest[str(catalog.show / f"{BEAUTY}.####.exr")]
    assert itself["distance"] == 0
    assert (itself["first_frame"], itself["last_frame"], itself["frame_count"]) == (1001, 1012, 12)
    assert all(row["distance"] == 0 for row in nearest.values())  # version 1 has the same set-up
    assert rows[2]["distance"] > 0.1


def test_similar_finds_the_odd_one_out(catalog: Catalog) -> None:
    result = _query(
        catalog, "similar", catalog.show / f"{BEAUTY}.1001.exr", "--frames", "-k", "12",
        "--by", "channels", "--where", "sequence_path LIKE '%beauty_v002.####.exr'", "--json",
    )  # fmt: skip
    rows = result.json()
    assert len(rows) == 12
    assert set(rows[0]) == {"file_path", "distance"}
    assert rows[-1]["file_path"] == str(catalog.show / ODD)
    assert [row["distance"] == 0 for row in rows] == [True] * 11 + [False]


def test_similar_for_people(catalog: Catalog) -> None:
    result = _query(catalog, "similar", catalog.show / ODD, "-k", "2", "--explain")
    assert result.code == 0
    head, first, second = result.out.splitlines()
    assert head.split() == ["distance", "frames", "count", "differs", "in", "sequence"]
    assert first.startswith("0.000000  1001-1012     12  nothing")
    assert first.endswith(str(catalog.show / f"{BEAUTY}.####.exr"))
    assert "channels 100%" in second
    none = _query(catalog, "similar", catalog.show / ODD, "--where", "width = 7")
    assert none.code == 0
    assert none.out == ""
    assert "no indexed file meets the condition" in none.err


def test_similar_needs_no_indexed_file(catalog: Catalog, tmp_path: Path) -> None:
    """A stranger is read; a file that is gone is taken from the store."""
    stranger = shutil.copy(catalog.show / ODD, tmp_path / "stranger.exr")
    rows = _query(catalog, "similar", stranger, "-k", "1", "--json").json()
    assert rows[0]["sequence_path"] == str(catalog.show / f"{BEAUTY}.####.exr")
    store = Path(shutil.copy(catalog.store, tmp_path / "c.duckdb"))
    (tmp_path / "gone").mkdir()
    gone = Path(shutil.copy(stranger, tmp_path / "gone/x.exr"))
    assert catalog.shell.run("--store", store, "scan", gone).code == 0
    gone.unlink()
    result = catalog.shell.run("--store", store, "query", "similar", gone, "-k", "1", "--json")
    assert result.code == 0
    assert result.json()[0]["distance"] == 0


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["similar", "notes.exr"], 4, "the magic number is not that of OpenEXR (at byte 0)"),
        (["similar", "gone.exr"], 4, "there is no such file, and the store knows none"),
        (["similar", "."], 4, "a directory, not a regular file"),
        (["similar", "x", "-k", "0"], 2, "-k"),
        (["similar", "x", "--by", "colour"], 2, "--by"),
        (["similar"], 2, "FILE"),
        (["sql"], 2, "SQL"),
        (["bogus"], 2, "bogus"),
    ],
)
def test_what_makes_no_sense(catalog: Catalog, words: list[str], code: int, says: str) -> None:
    shell = Shell(catalog.shell.home, catalog.show / "sq020/sh0030/comp/v002")
    result = shell.run("--store", catalog.store, "query", *words)
    assert result.code == code
    assert says in result.err
    assert result.out == ""


@pytest.mark.parametrize("condition", ["nope = 1", "1 = 1; DROP TABLE files"])
def test_a_condition_that_is_none(catalog: Catalog, condition: str) -> None:
    result = _query(catalog, "similar", catalog.show / ODD, "--where", condition)
    assert result.code == 2
    assert result.out == ""
    assert result.err.startswith("exrindex: ")


def test_failures(catalog: Catalog) -> None:
    result = _query(catalog, "failures", "--json")
    assert result.code == 0
    rows = result.json()
    assert [(Path(row["file_path"]).name, row["stage"], row["code"]) for row in rows] == [
        ("sh0020_beauty_v001.1007.exr", "pixels", "incomplete"),
        ("sh0020_beauty_v001.1009.exr", "pixels", "truncated"),
        ("sh0020_beauty_v001.1010.exr", "read", "empty"),
        ("notes.exr", "parse", "not_exr"),
    ]
    assert {"offset", "reason", "last_seen"} <= set(rows[0])
    page = _query(catalog, "failures")
    assert len(page.out.splitlines()) == 5
    assert str(catalog.show) in page.out


def test_sql_values(catalog: Catalog) -> None:
    result = _query(
        catalog, "sql",
        "SELECT 'NaN'::FLOAT AS nan, '-inf'::DOUBLE AS inf, NULL AS nothing, [1, 2] AS list,"
        " {'a': TRUE} AS struct, 'x'::BLOB AS bytes, 1 AS twice, 2 AS twice,"
        " TIMESTAMPTZ '2026-03-02 10:00:00+01' AS moment, 1.50::DECIMAL(4, 2) AS number",
        "--json",
    )  # fmt: skip
    assert result.json() == [
        {
            "nan": "NaN", "inf": "-Infinity", "nothing": None, "list": [1, 2],
            "struct": {"a": True}, "bytes": "eA==", "twice": 1, "twice_1": 2,
            "moment": "2026-03-02T09:00:00.000000Z", "number": 1.5,
        }
    ]  # fmt: skip


def test_sql_for_people(catalog: Catalog) -> None:
    result = _query(
        catalog, "sql", "SELECT 'a' || chr(27) || chr(10) AS \"[red]x\", 1.0 / 3 AS third, NULL n"
    )
    assert result.code == 0
    head, _, row = result.out.splitlines()
    assert head.split() == ["[red]x", "third", "n"]
    assert row.split() == ["a\\x1b\\x0a", "0.333333"]
    empty = _query(catalog, "sql", "SELECT 1 WHERE FALSE")
    assert (empty.code, empty.out, empty.err) == (0, "", "no rows\n")
    assert _query(catalog, "sql", "SELECT 1 WHERE FALSE", "--json").json() == []


@pytest.mark.parametrize(
    "statement",
    [
        "SELEC 1", "SELECT 1; SELECT 2", "DELETE FROM files", "COPY files TO 'out.csv'",
        "ATTACH 'out.duckdb' AS other", "SELECT * FROM read_text('secret')",
    ],
)  # fmt: skip
def test_sql_only_reads(catalog: Catalog, statement: str, shell: Shell) -> None:
    (shell.cwd / "secret").write_text("hush")
    before = catalog.store.read_bytes()
    result = shell.run("--store", catalog.store, "query", "sql", statement, "--json")
    assert result.code == 2
    assert result.out == ""
    assert result.err.startswith("exrindex: ")
    assert "hush" not in result.err
    assert "Traceback" not in result.err
    assert catalog.store.read_bytes() == before
    assert [path.name for path in shell.cwd.iterdir() if path.is_file()] == ["secret"]
