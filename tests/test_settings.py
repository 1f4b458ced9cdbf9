from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

import pytest

from exrindex.errors import SettingsError
from exrindex.settings import Settings, load_settings
from exrindex.settings.profiles import Profile

ALL = """
store = "from-file.duckdb"
profile = "studio"
workers = 3
commit_files = 50
lock_wait = 1.5
exclude = ["*.tmp.exr", "cache/"]

[path_maps]
"P:/shows" = "/mnt/shows"
'/Volumes/shows' = "/mnt/shows"

[profiles.studio]
endpoint = "http://vast"
"""


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory without settings, and a user without any."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))


def test_defaults(tmp_path: Path) -> None:
    settings = load_settings({})
    assert settings == Settings(
        store=str(tmp_path / "XDG_DATA_HOME/exrindex/catalog.duckdb"), store_from="default"
    )
    assert (tmp_path / "XDG_DATA_HOME/exrindex").is_dir()


def test_a_file_sets_everything(tmp_path: Path) -> None:
    path = tmp_path / "any.toml"
    path.write_text(ALL)
    settings = load_settings({}, config=path)
    assert settings == Settings(
        store="from-file.duckdb",
        store_from=str(path),
        workers=3,
        commit_files=50,
        lock_wait=1.5,
        exclude=("*.tmp.exr", "cache/"),
        path_maps=(("P:/shows", "/mnt/shows"), ("/Volumes/shows", "/mnt/shows")),
        profile="studio",
        profile_from=str(path),
        profiles={"studio": Profile("studio", endpoint="http://vast")},
    )
    changed = [f.name for f in fields(Settings) if getattr(settings, f.name) != f.default]
    assert len(changed) == len(fields(Settings))


def test_flags_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    path = tmp_path / "any.toml"
    path.write_text(ALL)
    environ = {"EXRINDEX_STORE": "from-environment.duckdb", "EXRINDEX_WORKERS": "7"}
    settings = load_settings(environ, config=path)
    assert (settings.store, settings.store_from) == ("from-environment.duckdb", "EXRINDEX_STORE")
    assert (settings.workers, settings.commit_files) == (7, 50)
    flagged = load_settings(environ, config=path, store="from-flag.duckdb")
    assert (flagged.store, flagged.store_from) == ("from-flag.duckdb", "--store")


def test_an_empty_store_flag_is_no_default() -> None:
    with pytest.raises(SettingsError, match="--store is empty"):
        load_settings({}, store="")


def test_the_home_directory_in_a_store_is_expanded_wherever_it_is_set(tmp_path: Path) -> None:
    path = tmp_path / "any.toml"
    path.write_text('store = "~/c.duckdb"')
    home = str(tmp_path / "home/c.duckdb")
    assert load_settings({}, config=path).store == home
    assert load_settings({}, store="~/c.duckdb").store == home
    assert load_settings({"EXRINDEX_STORE": "~/c.duckdb"}).store == home
    assert load_settings({}, store="x/~/c.duckdb").store == "x/~/c.duckdb"


@pytest.mark.parametrize("store", ["a\udcff.duckdb", "duckdb:///a\udcff.duckdb"])
def test_a_store_must_be_utf8(store: str) -> None:
    with pytest.raises(SettingsError, match=r"a\\xff.duckdb, from --store: .* valid UTF-8"):
        load_settings({}, store=store)
    with pytest.raises(SettingsError, match="from EXRINDEX_STORE: the path must be valid UTF-8"):
        load_settings({"EXRINDEX_STORE": store})


def test_so_must_the_folder_that_a_relative_store_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a\udcff"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with pytest.raises(SettingsError, match="must be valid UTF-8"):
        load_settings({}, store="c.duckdb")
    assert load_settings({}, store="/c.duckdb").store == "/c.duckdb"


def test_environment_variables() -> None:
    settings = load_settings(
        {
            "EXRINDEX_STORE": "~/c.duckdb",
            "EXRINDEX_WORKERS": "2",
            "EXRINDEX_COMMIT_FILES": "9",
            "EXRINDEX_LOCK_WAIT": "0.5",
            "EXRINDEX_EXCLUDE": "not a variable",
        }
    )
    assert settings.store.endswith("/home/c.duckdb")
    assert (settings.workers, settings.commit_files, settings.lock_wait) == (2, 9, 0.5)
    assert settings.exclude == ()
    assert load_settings({"EXRINDEX_WORKERS": ""}).workers is None


def test_where_the_file_is_looked_for(tmp_path: Path) -> None:
    places = [
        tmp_path / "XDG_CONFIG_HOME/exrindex/exrindex.toml",
        tmp_path / "exrindex.toml",
        tmp_path / "named.toml",
        tmp_path / "flag.toml",
    ]
    environ = {"EXRINDEX_CONFIG": str(places[2])}
    for workers, place in enumerate(places, start=1):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"workers = {workers}")
        given = environ if places[2].exists() else {}
        config = places[3] if places[3].exists() else None
        assert load_settings(given, config=config).workers == workers


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("colour = 1", "unknown setting 'colour'; known are commit_files, exclude"),
        ("workers = 0", "workers: give a whole number from 1"),
        ("workers = true", "workers: give a whole number from 1"),
        ("commit_files = 1.5", "commit_files: give a whole number"),
        ("lock_wait = -1", "lock_wait: give a number of seconds"),
        ("lock_wait = nan", "lock_wait: give a number of seconds"),
        ('exclude = "*.exr"', "exclude: give a list of patterns"),
        ("exclude = [1]", "exclude: give a list of patterns"),
        ("path_maps = [1]", "path_maps: give a table of prefixes"),
        ("store = 5", "store: give the URL of a store"),
        ('store = ""', "store: give the URL of a store"),
        ("workers = ", "any.toml: "),
    ],
)
def test_a_bad_file(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "any.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings({}, config=path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes(b'store = "\xe9.duckdb"')
    with pytest.raises(SettingsError, match=r"latin\.toml"):
        load_settings({}, config=path)
    for missing in (tmp_path / "gone.toml", tmp_path):
        with pytest.raises(SettingsError, match="there is no settings file"):
            load_settings({}, config=missing)
    with pytest.raises(SettingsError, match="there is no settings file"):
        load_settings({"EXRINDEX_CONFIG": "gone.toml"})


def test_a_file_that_cannot_be_looked_for(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="File name too long"):
        load_settings({}, config=Path("x" * 300))
    with pytest.raises(SettingsError, match="File name too long"):
        load_settings({"EXRINDEX_CONFIG": "x" * 300})


def test_a_folder_that_may_not_be_entered(tmp_path: Path) -> None:
    closed = tmp_path / "XDG_CONFIG_HOME/exrindex"
    closed.mkdir(parents=True)
    closed.chmod(0)
    try:
        if os.access(closed, os.X_OK):
            pytest.skip("this user may enter everything")
        with pytest.raises(SettingsError, match="Permission denied"):
            load_settings({}, config=closed / "exrindex.toml")
        assert load_settings({}).store_from == "default"
    finally:
        closed.chmod(0o755)


@pytest.mark.parametrize("text", ["0", "many", "-1", "1.5"])
def test_a_bad_variable(text: str) -> None:
    with pytest.raises(SettingsError, match=f"EXRINDEX_WORKERS={text}: "):
        load_settings({"EXRINDEX_WORKERS": text})


def test_no_place_for_a_catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file/data"))
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"name a file with --store PATH\.duckdb"):
        load_settings({})


@pytest.mark.parametrize("mapping", ['"/mnt/a" = "shows"', '"" = "/x"', '"/a\\u0000b" = "/x"'])
def test_path_maps_are_absolute(tmp_path: Path, mapping: str) -> None:
    """A relative side would mean another place in every directory a scan is started from."""
    config = tmp_path / "any.toml"
    config.write_text(f"[path_maps]\n{mapping}\n")
    with pytest.raises(SettingsError, match="is not an absolute path"):
        load_settings({}, config=config)
