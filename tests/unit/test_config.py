"""Settings: all faults at once, secrets never shown, origins told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from archibald_sync.config import load_settings
from archibald_sync.domain import policy
from archibald_sync.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "x" * 32


def test_defaults_are_the_plans(tmp_path: Path) -> None:
    """Without any setting but the secret the plan's numbers hold."""
    settings = load_settings({"JWT_SECRET_KEY": SECRET}, folder=tmp_path)

    assert settings.sync_interval_minutes == 30
    assert settings.sync_initial_delay_s == 5
    assert settings.sync_max_attempts == 3
    assert settings.sync_retry_delays_s == (5.0, 10.0, 20.0)
    assert settings.auto_sync == "start"
    assert settings.is_scheduler_on is True
    assert settings.log_format == "text"
    assert settings.database == tmp_path / "instance" / "archibald_sync.sqlite3"
    assert settings.priority_database.name == "priority.sqlite3"
    assert settings.lock_file("products").name == "owner-products.lock"


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    """Every wrong setting is named, with what to write instead."""
    wrong = {
        "JWT_SECRET_KEY": "short",
        "ARCHIBALD_AUTO_SYNC": "yes",
        "ARCHIBALD_SYNC_INTERVAL_MINUTES": "0",
        "ARCHIBALD_SYNC_MAX_ATTEMPTS": "three",
        "ARCHIBALD_SYNC_INITIAL_DELAY_SECONDS": "-1",
        "ARCHIBALD_SYNC_RETRY_DELAYS_SECONDS": "5,x",
        "ARCHIBALD_LOG_FORMAT": "xml",
    }

    with pytest.raises(ConfigError) as error:
        load_settings(wrong, folder=tmp_path)

    assert {fault.key for fault in error.value.faults} == set(wrong)
    assert all(fault.remedy for fault in error.value.faults)
    assert "short" not in str(error.value).replace("too short", "")


def test_missing_secret_says_how_to_make_one(tmp_path: Path) -> None:
    """There is no default secret."""
    with pytest.raises(ConfigError, match="archibald-sync init"):
        load_settings({}, folder=tmp_path)


def test_init_needs_no_secret(tmp_path: Path) -> None:
    """The command that makes the secret can read the other settings."""
    settings = load_settings({}, folder=tmp_path, needs_secret=False)

    assert settings.jwt_secret_key == ""
    assert ("JWT_SECRET_KEY", "(missing)", "default") in settings.described()


@pytest.mark.parametrize("is_named", [True, False])
def test_secret_from_a_file(tmp_path: Path, is_named: bool) -> None:  # noqa: FBT001
    """A secret comes from the file that is named, or from the instance folder."""
    path = tmp_path / ("elsewhere" if is_named else "instance/jwt_secret_key")
    path.parent.mkdir(exist_ok=True)
    path.write_text(SECRET + "\n")
    environ = {"JWT_SECRET_KEY_FILE": "elsewhere"} if is_named else {}

    settings = load_settings(environ, folder=tmp_path)

    assert settings.jwt_secret_key == SECRET
    assert str(path) in settings.origins["JWT_SECRET_KEY"]


def test_unreadable_secret_file_is_a_fault(tmp_path: Path) -> None:
    """A named file that is not there is told by name."""
    with pytest.raises(ConfigError, match="JWT_SECRET_KEY_FILE"):
        load_settings({"JWT_SECRET_KEY_FILE": "nowhere"}, folder=tmp_path)


def test_dotenv_stands_behind_the_environment(tmp_path: Path) -> None:
    """``.env`` serves where the environment says nothing, and origins tell which."""
    (tmp_path / ".env").write_text(
        f"JWT_SECRET_KEY={SECRET}\nARCHIBALD_SYNC_INTERVAL_MINUTES=10\nARCHIBALD_SCHEDULER=off\n"
    )

    settings = load_settings({"ARCHIBALD_SYNC_INTERVAL_MINUTES": "20"}, folder=tmp_path)

    assert settings.sync_interval_minutes == 20
    assert not settings.is_scheduler_on
    origins = {key: origin for key, _, origin in settings.described()}
    assert origins["ARCHIBALD_SYNC_INTERVAL_MINUTES"] == "environment"
    assert origins["ARCHIBALD_SCHEDULER"] == ".env"
    assert origins["ARCHIBALD_LOG_FORMAT"] == "default"


def test_secrets_are_never_shown(tmp_path: Path) -> None:
    """Neither the representation nor the description holds the secret."""
    settings = load_settings({"JWT_SECRET_KEY": SECRET}, folder=tmp_path)

    assert SECRET not in repr(settings)
    assert SECRET not in str(settings.described())


def test_bounds_agree_with_the_policy(tmp_path: Path) -> None:
    """The setting accepts exactly the intervals that the API accepts."""
    for minutes in (policy.MIN_INTERVAL_MINUTES, policy.MAX_INTERVAL_MINUTES):
        environ = {"JWT_SECRET_KEY": SECRET, "ARCHIBALD_SYNC_INTERVAL_MINUTES": str(minutes)}
        assert load_settings(environ, folder=tmp_path).sync_interval_minutes == minutes
    for minutes in (policy.MIN_INTERVAL_MINUTES - 1, policy.MAX_INTERVAL_MINUTES + 1):
        environ = {"JWT_SECRET_KEY": SECRET, "ARCHIBALD_SYNC_INTERVAL_MINUTES": str(minutes)}
        with pytest.raises(ConfigError):
            load_settings(environ, folder=tmp_path)


FOREIGN = {
    "JWT_SECRET_KEY": SECRET,
    "ARCHIBALD_FOREIGN_JWT_ISSUER": "https://shop.example.com",
    "ARCHIBALD_FOREIGN_JWT_AUDIENCE": "catalogue",
    "ARCHIBALD_FOREIGN_JWT_SECRET": "y" * 32,
}


def test_foreign_tokens_are_off_by_default(tmp_path: Path) -> None:
    """Nobody else's tokens count unless an issuer is named."""
    settings = load_settings({"JWT_SECRET_KEY": SECRET}, folder=tmp_path)

    assert settings.foreign_tokens is None
    assert settings.proxies == 0


def test_foreign_tokens_are_described_without_their_secret(tmp_path: Path) -> None:
    """What counts is shown, the shared secret is not."""
    settings = load_settings(
        {**FOREIGN, "ARCHIBALD_FOREIGN_JWT_ROLES": "sales = viewer, boss=admin"}, folder=tmp_path
    )

    foreign = settings.foreign_tokens
    assert foreign is not None
    assert (foreign.algorithm, foreign.role_claim, foreign.subject_claim) == (
        "HS256",
        "role",
        "sub",
    )
    assert foreign.roles == {"sales": "viewer", "boss": "admin"}
    assert "y" * 32 not in f"{settings!r} {settings.described()}"
    described = {key: value for key, value, _ in settings.described()}
    assert described["ARCHIBALD_FOREIGN_JWT_SECRET"] == "********"
    assert described["ARCHIBALD_FOREIGN_JWT_ROLES"] == "sales=viewer,boss=admin"


@pytest.mark.parametrize("word", ["es256", "ES256"])
def test_public_key_comes_from_its_file(tmp_path: Path, word: str) -> None:
    """With a public key there is no secret to share, and case does not matter."""
    (tmp_path / "key.pem").write_text("-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----\n")
    environ = {
        **FOREIGN,
        "ARCHIBALD_FOREIGN_JWT_ALGORITHM": word,
        "ARCHIBALD_FOREIGN_JWT_SECRET": "",
        "ARCHIBALD_FOREIGN_JWT_PUBLIC_KEY_FILE": "key.pem",
    }

    foreign = load_settings(environ, folder=tmp_path).foreign_tokens

    assert foreign is not None
    assert foreign.algorithm == "ES256"
    assert foreign.key.startswith("-----BEGIN PUBLIC KEY-----")


@pytest.mark.parametrize(
    ("changes", "key", "words"),
    [
        ({"AUDIENCE": ""}, "AUDIENCE", "is missing"),
        ({"SECRET": ""}, "SECRET", "no secret"),
        ({"SECRET": "short"}, "SECRET", "too short"),
        ({"SECRET": SECRET}, "SECRET", "same as JWT_SECRET_KEY"),
        ({"SECRET": "", "SECRET_FILE": "nowhere"}, "SECRET_FILE", "No such file"),
        ({"SECRET": "", "SECRET_FILE": "empty"}, "SECRET", "too short"),
        ({"SECRET": "", "SECRET_FILE": "binary"}, "SECRET_FILE", "not text"),
        ({"ALGORITHM": "none"}, "ALGORITHM", "write one of"),
        ({"ALGORITHM": "HS512"}, "ALGORITHM", "write one of"),
        ({"ALGORITHM": "RS256"}, "PUBLIC_KEY_FILE", "is missing"),
        ({"ALGORITHM": "RS256", "PUBLIC_KEY_FILE": "nowhere"}, "PUBLIC_KEY_FILE", "No such file"),
        ({"ALGORITHM": "RS256", "PUBLIC_KEY_FILE": "empty"}, "PUBLIC_KEY_FILE", "no public key"),
        ({"ROLES": "sales"}, "ROLES", "write pairs"),
        ({"ROLES": "sales=root"}, "ROLES", "write pairs"),
        ({"ROLES": "=viewer"}, "ROLES", "write pairs"),
        ({"ISSUER": "archibald-sync"}, "ISSUER", "ourselves"),
        ({"ISSUER": ""}, "ISSUER", "is missing"),
    ],
    ids=str,
)
def test_wrong_foreign_settings_are_faults(
    tmp_path: Path, changes: dict[str, str], key: str, words: str
) -> None:
    """What would let in too many, or nobody, is told before the service starts."""
    (tmp_path / "empty").write_text("")
    (tmp_path / "binary").write_bytes(b"\xff" * 40)
    wrong = {f"ARCHIBALD_FOREIGN_JWT_{name}": value for name, value in changes.items()}

    with pytest.raises(ConfigError) as error:
        load_settings({**FOREIGN, **wrong}, folder=tmp_path)

    faults = {fault.key: fault.problem + fault.remedy for fault in error.value.faults}
    assert words in faults[f"ARCHIBALD_FOREIGN_JWT_{key}"]
    assert SECRET not in str(error.value)


def test_empty_secret_file_is_a_fault(tmp_path: Path) -> None:
    """An empty file is not a missing secret, and even less a secret."""
    (tmp_path / "instance").mkdir()
    (tmp_path / "instance" / "jwt_secret_key").write_text("\n")

    with pytest.raises(ConfigError, match="too short"):
        load_settings({}, folder=tmp_path)
