"""How a VAST database is reached: environment, profiles, URLs, and what each says is missing."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from exrindex.access import Secret, VastAccess
from exrindex.errors import SettingsError
from exrindex.settings import load_settings
from exrindex.store import open_store

SECRET = "s3cr3t/key+word"
WHOLE = {
    "VAST_DB_ENDPOINT": "http://vast:9090",
    "VAST_DB_ACCESS_KEY": "AK",
    "VAST_DB_SECRET_KEY": SECRET,
    "VAST_DB_BUCKET": "films",
}
PROFILE = """
[profiles.studio]
endpoint = "https://vast.studio.lan"
bucket = "renders"
schema = "exr"
access_key_env = "STUDIO_ACCESS"
secret_key_file = "{folder}/secret"
data_endpoints = ["https://10.0.0.1", "https://10.0.0.2:8443/"]
ca_bundle = "{folder}/ca.pem"
"""


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))


@pytest.fixture
def studio(tmp_path: Path) -> Path:
    """A settings file with the profile ``studio``, and the files it names."""
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    (tmp_path / "secret").chmod(0o600)
    (tmp_path / "ca.pem").write_text("certificate")
    path = tmp_path / "studio.toml"
    path.write_text(PROFILE.format(folder=tmp_path))
    return path


def access(environ: dict[str, str], url: str | None = None, **flags: str | Path) -> VastAccess:
    """What the settings say about the store they choose, or about ``url``."""
    settings = load_settings(environ, store=url, **flags)  # type: ignore[arg-type]
    found = settings.access(settings.store, environ)
    assert found is not None
    return found


# --- the environment --------------------------------------------------------------------------


def test_vast_is_the_default_where_it_is_set_up() -> None:
    settings = load_settings(WHOLE)
    assert settings.store == "vast://films/exr_metadata"
    assert settings.store_from == "VAST_DB_ENDPOINT"
    assert access(WHOLE) == VastAccess(
        "http://vast:9090", "AK", Secret(SECRET), "films", "exr_metadata"
    )
    assert load_settings({**WHOLE, "VAST_DB_SCHEMA": "s"}).store == "vast://films/s"
    assert load_settings(WHOLE, store="c.duckdb").store == "c.duckdb"
    assert load_settings({**WHOLE, "EXRINDEX_STORE": "c.duckdb"}).store == "c.duckdb"


def test_a_file_needs_no_access() -> None:
    settings = load_settings({"VAST_DB_ENDPOINT": "http://vast"}, store="c.duckdb")
    assert settings.access(settings.store, {}) is None


@pytest.mark.parametrize("name", sorted(WHOLE.keys() - {"VAST_DB_ENDPOINT"}))
def test_what_is_missing_is_named(name: str) -> None:
    environ = {key: value for key, value in WHOLE.items() if key != name}
    with pytest.raises(SettingsError, match=f"^{name} is not set; .*--store") as caught:
        load_settings(environ)
    assert caught.value.exit_code == 3
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", sorted(WHOLE.keys() - {"VAST_DB_ENDPOINT"}))
def test_half_of_it_is_no_reason_to_use_another_catalog(name: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is set, but VAST_DB_ENDPOINT is not"):
        load_settings({name: WHOLE[name]})
    assert load_settings({name: WHOLE[name]}, store="c.duckdb").store == "c.duckdb"


def test_everything_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"VAST_DB_ENDPOINT": "http://vast"})
    for name in ("VAST_DB_ACCESS_KEY", "VAST_DB_SECRET_KEY", "VAST_DB_BUCKET"):
        assert name in str(caught.value)


def test_a_region_stands_for_its_endpoint() -> None:
    environ = {**WHOLE, "VAST_DB_REGION": "eu-west"}
    assert access(environ).endpoint == "http://vast:9090"
    del environ["VAST_DB_ENDPOINT"]
    assert load_settings(environ).store_from == "VAST_DB_REGION"
    assert access(environ).endpoint == "https://s3.eu-west.vastdata.com"


def test_the_names_that_the_sdk_knows_come_last() -> None:
    aws = {
        "AWS_ACCESS_KEY_ID": "aws",
        "AWS_SECRET_ACCESS_KEY": "aws-secret",
        "AWS_S3_ENDPOINT_URL": "http://aws",
    }
    found = access(aws, "vast://b/s")
    assert (found.endpoint, found.access_key) == ("http://aws", "aws")
    assert found.secret_key == Secret("aws-secret")
    assert access({**aws, **WHOLE}, "vast://b/s").access_key == "AK"
    assert load_settings(aws).store_from == "default"


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("vast.lan", "https://vast.lan"),
        ("vast.lan:9090", "https://vast.lan:9090"),
        ("http://10.0.0.1/", "http://10.0.0.1"),
        ("https://[::1]:443", "https://[::1]:443"),
    ],
)
def test_an_endpoint_is_scheme_host_and_port(text: str, endpoint: str) -> None:
    assert access({**WHOLE, "VAST_DB_ENDPOINT": text}).endpoint == endpoint


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("ENDPOINT", f"http://AK:{SECRET}@vast", "must not hold keys"),
        ("ENDPOINT", "ftp://vast", "give http://HOST"),
        ("ENDPOINT", "http://vast/path", "give http://HOST"),
        ("ENDPOINT", f"http://vast?secret={SECRET}", "give http://HOST"),
        ("ENDPOINT", "http://vast:port", "give http://HOST"),
        ("ENDPOINT", "http://[::1", "give http://HOST"),
        ("ENDPOINT", "http://", "give http://HOST"),
        ("BUCKET", "a b", "bucket 'a b': letters"),
        ("SCHEMA", "a/b", "schema 'a/b': letters"),
        ("TLS_VERIFY", "perhaps", "VAST_DB_TLS_VERIFY: give true or false"),
        ("CA_BUNDLE", "/no/such/file", "CA bundle /no/such/file is no file"),
    ],
)
def test_a_bad_value(name: str, text: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({**WHOLE, f"VAST_DB_{name}": text})
    assert says in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("verify", "bundle", "expected"),
    [("", False, True), ("true", False, True), ("no", False, False), ("0", True, False)],
)
def test_certificates(tmp_path: Path, verify: str, bundle: bool, expected: bool) -> None:
    (tmp_path / "ca.pem").touch()
    environ = {**WHOLE, "VAST_DB_TLS_VERIFY": verify}
    if bundle:
        environ["VAST_DB_CA_BUNDLE"] = str(tmp_path / "ca.pem")
    assert access(environ).verify is expected
    environ = {**WHOLE, "VAST_DB_CA_BUNDLE": str(tmp_path / "ca.pem")}
    assert access(environ).verify == str(tmp_path / "ca.pem")


def test_several_data_endpoints() -> None:
    environ = {**WHOLE, "VAST_DB_DATA_ENDPOINTS": "http://a:1, http://b:1 http://c"}
    assert access(environ).data_endpoints == ("http://a:1", "http://b:1", "http://c")


# --- URLs -------------------------------------------------------------------------------------


def test_a_url_says_bucket_and_schema() -> None:
    assert access(WHOLE, "vast://b/s").url == "vast://b/s"
    assert access(WHOLE, "vast://b").url == "vast://b/exr_metadata"
    assert access(WHOLE, "vast://").url == "vast://films/exr_metadata"


@pytest.mark.parametrize(
    "url",
    ["vast://AK:SK@b/s", "vast://b/s/t", "vast://b/s#x", "vast://b/s?x=1", "vast://b/s?profile=",
     "vast://[b/s"],
)  # fmt: skip
def test_a_bad_url(url: str) -> None:
    with pytest.raises(SettingsError):
        access(WHOLE, url)


@pytest.mark.parametrize(
    "url", [f"s3://AK:a/{SECRET}@b/s", f"https://vast/?key={SECRET}", f"vast://b/s?key={SECRET}"]
)
def test_a_key_in_a_url_is_not_repeated(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        open_store(url, lock_wait=1, access=load_settings(WHOLE, store=url).access(url, WHOLE))
    assert SECRET not in str(caught.value)


# --- profiles ---------------------------------------------------------------------------------


def test_a_profile_by_name_stands_before_the_environment(studio: Path, tmp_path: Path) -> None:
    environ = {**WHOLE, "STUDIO_ACCESS": "studio-key"}
    expected = VastAccess(
        "https://vast.studio.lan",
        "studio-key",
        Secret(SECRET),
        "renders",
        "exr",
        ("https://10.0.0.1", "https://10.0.0.2:8443"),
        str(tmp_path / "ca.pem"),
    )
    assert access(environ, config=studio, profile="studio") == expected
    assert access({**environ, "EXRINDEX_PROFILE": "studio"}, config=studio) == expected
    assert access(environ, "vast://?profile=studio", config=studio) == expected
    assert load_settings(environ, config=studio, profile="studio").store_from == "--profile"
    other = access(environ, "vast://b/s?profile=studio", config=studio)
    assert (other.url, other.access_key) == ("vast://b/s", "studio-key")


def test_a_default_profile_stands_behind_the_environment(studio: Path) -> None:
    studio.write_text('profile = "studio"\n' + studio.read_text())
    assert access({"STUDIO_ACCESS": "k"}, config=studio).endpoint == "https://vast.studio.lan"
    found = access({**WHOLE, "STUDIO_ACCESS": "k"}, config=studio)
    assert (found.endpoint, found.access_key, found.bucket) == ("http://vast:9090", "AK", "films")
    assert found.schema == "exr"


def test_a_region_of_a_profile_stands_before_an_endpoint_of_the_environment(
    tmp_path: Path,
) -> None:
    path = tmp_path / "own.toml"
    path.write_text('[profiles.p]\nregion = "eu"\n')
    found = access(WHOLE, config=path, profile="p")
    assert (found.endpoint, found.access_key) == ("https://s3.eu.vastdata.com", "AK")
    assert access({**WHOLE, "AWS_S3_ENDPOINT_URL": "http://aws"}, config=path).endpoint == (
        "http://vast:9090"
    )


def test_a_profile_by_name_stands_before_another_store(studio: Path) -> None:
    environ = {"STUDIO_ACCESS": "k", "EXRINDEX_STORE": "c.duckdb"}
    assert load_settings(environ, config=studio, profile="studio").store == "vast://renders/exr"


def test_a_profile_that_is_not_there(studio: Path) -> None:
    with pytest.raises(SettingsError, match="no profile 'x'; known are studio"):
        load_settings({}, config=studio, profile="x")
    with pytest.raises(SettingsError, match="no profile 'x'; known are none"):
        load_settings({}, profile="x")


def test_a_key_that_is_not_where_the_profile_says(studio: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="variable STUDIO_ACCESS is not set"):
        load_settings({}, config=studio, profile="studio")
    environ = {"STUDIO_ACCESS": "k"}
    for content in ("", "two words", "x" * 9999):
        (tmp_path / "secret").write_text(content)
        with pytest.raises(SettingsError, match="should hold the key and nothing else"):
            load_settings(environ, config=studio, profile="studio")
    path = studio.read_text()
    for odd in ("~nobody-of-that-name/k", "a\\u0000b"):
        studio.write_text(path.replace(str(tmp_path / "secret"), odd))
        with pytest.raises(SettingsError, match="profile studio, secret_key: "):
            load_settings(environ, config=studio, profile="studio")
    studio.write_text(path.replace("STUDIO_ACCESS", SECRET))
    with pytest.raises(SettingsError, match="the environment variable it names is not") as caught:
        load_settings(environ, config=studio, profile="studio")
    assert SECRET not in str(caught.value)
    studio.write_text(path)
    (tmp_path / "secret").unlink()
    with pytest.raises(SettingsError, match="secret: No such file"):
        load_settings(environ, config=studio, profile="studio")


def test_a_key_that_everyone_can_read_is_refused(studio: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").chmod(0o604)
    with pytest.raises(SettingsError, match="can be read by everyone: chmod o-r") as caught:
        load_settings({"STUDIO_ACCESS": "k"}, config=studio, profile="studio")
    assert SECRET not in str(caught.value)


def test_a_key_by_value_only_in_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        '[profiles.p]\nendpoint = "http://vast"\nbucket = "b"\naccess_key = "k"\n'
        f'secret_key = "{SECRET}"\n'
    )
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="can be read by everyone: chmod o-r") as caught:
        load_settings({}, config=path)
    assert SECRET not in str(caught.value)
    path.chmod(0o640)
    assert access({}, config=path, profile="p").secret_key == Secret(SECRET)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("colour = 1", "studio.colour: known are access_key, access_key_env"),
        ("endpoint = 1", "studio.endpoint: give a text"),
        ("tls_verify = 1", "studio.tls_verify: give true or false"),
        ("data_endpoints = 'x'", "studio.data_endpoints: give a list of URLs"),
        ("secret_key_env = 'A'\nsecret_key_file = 'b'", "studio: give one of secret_key_env"),
    ],
)
def test_a_bad_profile(tmp_path: Path, line: str, says: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(f"[profiles.studio]\n{line}\n")
    with pytest.raises(SettingsError) as caught:
        load_settings({}, config=path)
    assert says in str(caught.value)


# --- secrets ----------------------------------------------------------------------------------


def test_a_secret_shows_itself_to_nobody(studio: Path) -> None:
    environ = {**WHOLE, "STUDIO_ACCESS": "k"}
    settings = load_settings(environ, config=studio, profile="studio")
    found = access(environ)
    secret = found.secret_key
    assert SECRET not in f"{secret} {secret!r} {found} {found!r} {settings!r} {[secret]}"
    assert secret.reveal() == SECRET
    assert pickle.loads(pickle.dumps(secret)) == secret
    assert hash(secret) == hash(Secret(SECRET))
    assert secret != SECRET
