"""The command line on VAST: the embedded catalog's commands, unchanged, and what goes wrong."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.command import Result, Shell
from cli.conftest import Catalog
from exrmaker import exr_file
from vastserver import Fault, VastServer

SECRET = "s3cr3t-of-the-studio/with+signs"


@pytest.fixture(scope="module")
def server() -> Iterator[VastServer]:
    with VastServer() as server:
        server.add_user("STUDIO", SECRET)
        yield server
        assert server.crashes == 0


def vast(server: VastServer, schema: str = "exr_metadata") -> dict[str, str]:
    """The environment that a studio would set."""
    return {
        "VAST_DB_ENDPOINT": server.endpoint,
        "VAST_DB_ACCESS_KEY": "STUDIO",
        "VAST_DB_SECRET_KEY": SECRET,
        "VAST_DB_BUCKET": server.bucket,
        "VAST_DB_SCHEMA": schema,
    }


@pytest.fixture(scope="module")
def scanned(server: VastServer, catalog: Catalog) -> Shell:
    """The sample show on VAST."""
    shell = Shell(catalog.store.parent / "vast-home", catalog.store.parent)
    shell.environ |= vast(server)
    created = shell.run("schema", "create")
    assert created.code == 0, created.err
    assert "VAST 5.5.0.0" in created.out
    assert shell.run("scan", catalog.show).code == 1
    return shell


def test_the_commands_are_the_same(scanned: Shell, catalog: Catalog) -> None:
    again = scanned.run("scan", catalog.show, "--json")
    summary = again.json()
    assert summary["store"] == "vast://exr/exr_metadata"
    assert (summary["unchanged"], summary["inserted"], summary["failed"]) == (149, 0, 2)
    assert "store: vast://exr/exr_metadata, from VAST_DB_ENDPOINT" in again.err
    for words in (
        ["status", "--json"],
        ["query", "failures", "--json"],
        ["query", "sql", "SELECT file_path, shot, width FROM files ORDER BY ALL", "--json"],
    ):
        there = scanned.run(*words)
        here = catalog.shell.run("--store", catalog.store, *words)
        assert there.code == here.code == 0, there.err
        if words[0] == "query" and words[1] == "sql":
            assert there.json() == here.json()
    assert scanned.run("schema", "check").out == "all is well: vast://exr/exr_metadata\n"
    assert "schema 2, embedding" in scanned.run("schema", "show").out


def test_similar_renders_are_the_same(scanned: Shell, catalog: Catalog) -> None:
    (file,) = catalog.show.rglob("sh0010_beauty_v002.1006.exr")
    for flags in (["--by", "channels"], ["--frames", "--explain"], ["-k", "3"]):
        there = scanned.run("query", "similar", file, "--json", *flags)
        here = catalog.shell.run(
            "--store", catalog.store, "query", "similar", file, "--json", *flags
        )
        assert there.code == here.code == 0, there.err
        for ours, theirs in zip(there.json(), here.json(), strict=True):
            assert ours.keys() == theirs.keys()
            assert abs(ours["distance"] - theirs["distance"]) < 1e-5
    assert "asked here, over streamed columns" in there.err


def test_a_studio_moves_to_vast_and_back(
    server: VastServer, catalog: Catalog, shell: Shell
) -> None:
    shell.environ |= vast(server, "moved")
    first = shell.run("copy", "--from", catalog.store, "--to", "vast://", "--json")
    assert first.code == 0, first.err
    assert first.json()["to"] == "vast://exr/moved"
    assert (first.json()["written"], first.json()["equal"]) == (149, 0)
    assert first.json()["verified"] == {"parts": 221, "channels": 2151, "attributes": 3018}
    again = shell.run("copy", "--from", catalog.store, "--to", "vast://exr/moved")
    assert "149 files" in again.out
    assert "0 written, 149 equal" in again.out
    back = shell.run("copy", "--from", "vast://", "--to", "back.duckdb")
    assert back.code == 0, back.err
    assert shell.run("--store", "back.duckdb", "schema", "check").code == 0


def test_doctor(server: VastServer, shell: Shell) -> None:
    shell.environ |= vast(server, "doctor")
    assert shell.run("schema", "create").code == 0
    found = shell.run("doctor", "--write")
    assert found.code == 0, found.out
    assert "ok    conflicts" in found.out
    assert len({line.split()[0] for line in found.out.splitlines()}) == 1
    document = shell.run("doctor", "--json").json()
    assert [finding["what"] for finding in document][:2] == ["version", "settings"]
    embedded = Shell(shell.home / "other").run("doctor")
    assert embedded.code == 0
    assert "GB free in" in embedded.out
    assert "what to do: exrindex scan PATH" in embedded.out
    wrong = shell.run("doctor", environ={"VAST_DB_SECRET_KEY": "wrong"})
    assert wrong.code == 3
    assert "bad   keys" in wrong.out
    half = Shell(shell.home / "half").run("doctor", environ={"VAST_DB_BUCKET": "exr"})
    assert half.code == 3
    assert "bad   settings" in half.out


def test_a_profile_with_keys_in_files(server: VastServer, shell: Shell) -> None:
    (shell.cwd / "secret").write_text(SECRET)
    (shell.cwd / "secret").chmod(0o600)
    (shell.cwd / "exrindex.toml").write_text(
        f'[profiles.studio]\nendpoint = "{server.endpoint}"\nbucket = "{server.bucket}"\n'
        'schema = "profile"\naccess_key = "STUDIO"\nsecret_key_file = "secret"\n'
    )
    (shell.cwd / "exrindex.toml").chmod(0o600)
    made = shell.run("--profile", "studio", "schema", "create")
    assert made.code == 0, made.err
    assert "store: vast://exr/profile, from --profile" in made.err
    assert shell.run("--store", "vast://?profile=studio", "status").code == 0


def test_layouts_are_asked_for(server: VastServer, shell: Shell) -> None:
    shell.environ |= vast(server, "layouts")
    made = shell.run("schema", "create", "--sorted", "--vector-index", "--json").json()
    assert made["engine"] == "VAST 5.5.0.0"
    assert made["layout"]["files"] == "vector index on metadata_embedding"
    assert made["layout"]["attributes"] == "sorted by attr_name"
    refused = shell.run("--store", "c.duckdb", "schema", "create", "--sorted")
    assert refused.code == 2
    assert "are for VAST" in refused.err


def test_a_certificate_that_is_set_for_vast_goes_before_others(
    catalog: Catalog, shell: Shell, tmp_path: Path
) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    (tmp_path / "other.pem").write_text("no certificate")
    with VastServer(tls=(certificate, key)) as server:
        server.add_user("STUDIO", SECRET)
        environ = vast(server) | {"VAST_DB_CA_BUNDLE": str(certificate)}
        environ["REQUESTS_CA_BUNDLE"] = str(certificate.parent / "other.pem")
        made = shell.run("schema", "create", environ=environ)
        assert made.code == 0, made.err
        environ.pop("REQUESTS_CA_BUNDLE")
        environ.pop("VAST_DB_CA_BUNDLE")
        refused = shell.run("status", environ=environ)
        assert refused.code == 5
        assert "VAST_DB_CA_BUNDLE" in refused.err


# --- what goes wrong --------------------------------------------------------------------------


def failing(server: VastServer) -> dict[str, tuple[dict[str, str], list[str], int, str]]:
    """Ways to fail: the environment, the command, the exit code, what is said."""
    whole = vast(server)
    status = ["status"]
    return {
        "no secret": ({**whole, "VAST_DB_SECRET_KEY": ""}, status, 3, "VAST_DB_SECRET_KEY is not"),
        "no endpoint": ({**whole, "VAST_DB_ENDPOINT": ""}, status, 3, "VAST_DB_ENDPOINT is not"),
        "wrong keys": ({**whole, "VAST_DB_ACCESS_KEY": "NO"}, status, 3, "not accept the keys"),
        "nobody there": (
            {**whole, "VAST_DB_ENDPOINT": "http://127.0.0.1:9", "EXRINDEX_LOCK_WAIT": "1"},
            status, 5, "cannot be reached: [Errno 111] Connection refused",
        ),
        "unknown bucket": ({**whole, "VAST_DB_BUCKET": "no"}, status, 3, "there is no bucket no"),
        "no tables": ({**whole, "VAST_DB_SCHEMA": "no"}, status, 5, "holds no tables yet; run"),
        "keys in the URL": (
            whole, ["--store", f"vast://STUDIO:{SECRET}@exr/s", "status"], 3, "without keys in it",
        ),
        "keys in the endpoint": (
            {**whole, "VAST_DB_ENDPOINT": f"http://STUDIO:{SECRET}@127.0.0.1"},
            status, 3, "must not hold keys",
        ),
        "bad SQL": (whole, ["query", "sql", "SELECT nothing FROM files"], 2, "nothing"),
        "no such profile": (whole, ["--profile", "no", "status"], 3, "no profile 'no'"),
    }  # fmt: skip


@pytest.mark.parametrize(
    "way",
    [
        "no secret", "no endpoint", "wrong keys", "nobody there", "unknown bucket", "no tables",
        "keys in the URL", "keys in the endpoint", "bad SQL", "no such profile",
    ],
)  # fmt: skip
def test_each_failure_has_its_message_and_never_the_secret(
    server: VastServer, scanned: Shell, shell: Shell, way: str
) -> None:
    assert scanned
    environ, words, code, says = failing(server)[way]
    result = shell.run("-v", *words, environ=environ)
    assert result.code == code, result.err
    assert says in result.err
    assert len(result.err.strip().splitlines()) <= 4
    _require_silence(result, shell)


def test_a_fault_that_lasts_never_shows_the_secret(
    server: VastServer, shell: Shell, tmp_path: Path
) -> None:
    shell.environ |= vast(server, "faults") | {"EXRINDEX_LOCK_WAIT": "1"}
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/a.exr").write_bytes(exr_file())
    assert shell.run("schema", "create").code == 0
    try:
        for kind in ("error", "drop after"):
            server.faults.add(Fault(kind, on="POST rows", times=None))
            result = shell.run("-v", "scan", tmp_path / "tree")
            server.faults.clear()
            assert result.code == 5
            assert "vast://exr/faults" in result.err
            _require_silence(result, shell)
    finally:
        server.faults.clear()
    assert shell.run("scan", tmp_path / "tree").code == 0


def test_even_a_traceback_hides_the_secret(server: VastServer, shell: Shell) -> None:
    """Python prints no values, but libraries' errors may hold them: all logs, and a crash."""
    code = (
        "import logging, os, sys; logging.basicConfig(level=logging.DEBUG)\n"
        "from exrindex.settings import load_settings; from exrindex.store import open_store\n"
        "settings = load_settings(os.environ)\n"
        "access = settings.access(settings.store, os.environ)\n"
        "store = open_store(settings.store, lock_wait=1, access=access)\n"
        "print(vars(store), vars(store._link), store._link.session, access, settings)\n"
        "store.create(); print(store.sql('SELECT count(*) FROM files'))\n"
        "store._link.session.api.access_key = 'NOBODY'; store._link.session.api._sessions.clear()\n"
        "store.upsert.__self__._link.read(lambda tx: tx.no_such_method())\n"
    )
    environ = {**shell.environ, **vast(server, "traceback")}
    done = subprocess.run(
        [*shell.argv()[:1], "-c", code], capture_output=True, text=True, env=environ, check=False
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "does not accept the keys" in done.stderr
    assert SECRET not in done.stdout + done.stderr


def _require_silence(result: Result, shell: Shell) -> None:
    """The secret stands in nothing that was printed or left behind."""
    assert SECRET not in result.out + result.err
    assert "Traceback" not in result.err
    assert not re.search(r"\bWARNING\b|RPC failed|Giving up", result.err)
    for folder, _, names in os.walk(shell.home):
        for name in names:
            assert SECRET.encode() not in Path(folder, name).read_bytes(), name
