"""Secrets planted everywhere, and looked for everywhere: in logs, answers, files, errors, reprs."""

from __future__ import annotations

import logging
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from cli_support import Instance, made_instance, small_erp

from archibald_sync.app import create_app
from archibald_sync.bootstrap import build_services, source_of
from archibald_sync.config import load_settings
from archibald_sync.domain.resources import PRODUCTS
from archibald_sync.errors import ConfigError
from archibald_sync.logs import ROOT, JsonFormatter, TextFormatter
from archibald_sync.web.tokens import TokenPair

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# Where a secret is kept on purpose: files that the operator wrote, or that `init` made.
_KEPT = {"jwt_secret_key", "source.toml"}
_SYNC = "/api/products/sync"


class Canaries:
    """Secrets that must never be seen, and everything that was seen."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.secrets: dict[str, str] = {}
        self.seen: dict[str, str] = {}

    def plant(self, name: str, secret: str | None = None) -> str:
        """Remember a secret, made up where none is given; return it."""
        made = secret or f"canary-{name}-{secrets.token_hex(12)}"
        self.secrets[name] = made
        if made.count(".") == 2:  # the signature alone is worth as much as the token
            self.secrets[f"{name} (signature)"] = made.rsplit(".", 1)[1]
        return made

    def look(self, where: str, text: str) -> None:
        """Keep a text that somebody could see."""
        self.seen[where] = self.seen.get(where, "") + text

    def leaks(self) -> list[tuple[str, str]]:
        """Return (secret, place) wherever one was seen."""
        return [
            (name, where)
            for where, text in self.seen.items()
            for name, secret in self.secrets.items()
            if secret in text
        ]


class _Recorder(logging.Handler):
    """Keeps every line in both formats, with all fields and tracebacks."""

    def __init__(self, canaries: Canaries) -> None:
        super().__init__(logging.DEBUG)
        self._canaries = canaries

    def emit(self, record: logging.LogRecord) -> None:
        for formatter in (JsonFormatter(), TextFormatter()):
            self._canaries.look("log", formatter.format(record) + "\n")
        self._canaries.look("log", f"{vars(record)}\n")


class Visitor:
    """Asks the API, and keeps every answer, headers included."""

    def __init__(self, client: Any, canaries: Canaries) -> None:  # noqa: ANN401  # a test client
        """Ask through ``client``."""
        self._client = client
        self._canaries = canaries

    def ask(
        self,
        method: str,
        path: str,
        *,
        is_issuing: bool = False,
        **options: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401  # a test answer
        """Ask; an answer that hands out a secret on purpose is not looked at."""
        answer = self._client.open(path, method=method, **options)
        if not is_issuing:
            self._canaries.look(f"{method} {path}", f"{answer.text}\n{answer.headers}")
        return answer

    def login(self, name: str, password: str, **more: object) -> Any:  # noqa: ANN401
        """Log in; what comes back is planted."""
        body = {"username": name, "password": password, **more}
        answer = self.ask("POST", "/api/auth/login", json=body, is_issuing=True)
        assert answer.status_code == 200, answer.text
        return answer


@pytest.fixture
def canaries(monkeypatch: pytest.MonkeyPatch) -> Iterator[Canaries]:
    """Return canaries that see every log line of this process, at every level."""
    canaries = Canaries()
    recorder = _Recorder(canaries)
    loggers = [logging.getLogger(name) for name in ("", ROOT)]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(recorder)
        logger.setLevel(logging.DEBUG)
    # Each application and command sets its own handler; ours must stay beside it.
    monkeypatch.setattr("archibald_sync.logs.configure", lambda _format: None)
    yield canaries
    for logger, level in zip(loggers, levels, strict=True):
        logger.removeHandler(recorder)
        logger.setLevel(level)


@pytest.fixture
def instance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, canaries: Canaries
) -> Iterator[Instance]:
    """Return an instance with a planted secret wherever one can be."""
    with made_instance(tmp_path, monkeypatch) as made:
        environ = {
            "JWT_SECRET_KEY": canaries.plant("jwt-secret"),
            "ERP_TOKEN": canaries.plant("erp-token"),
            "ERP_USER": canaries.plant("erp-user"),
            "ERP_PASSWORD": canaries.plant("erp-password"),
            "ARCHIBALD_FOREIGN_JWT_ISSUER": "https://shop.example.com",
            "ARCHIBALD_FOREIGN_JWT_AUDIENCE": "catalogue",
            "ARCHIBALD_FOREIGN_JWT_SECRET": canaries.plant("foreign-secret"),
        }
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        yield made


def _visit(visitor: Visitor, canaries: Canaries, password: str) -> None:
    """Go through everything that has to do with secrets, well and badly."""
    admin = visitor.login("admin", password)
    header = _planted_pair(canaries, "admin", admin.json)
    own = canaries.plant("own-password")
    new = {"name": "anna", "role": "operator", "password": own}
    assert visitor.ask("POST", "/api/users", headers=header, json=new).status_code == 201
    reset = visitor.ask("POST", "/api/users/anna/password", headers=header, is_issuing=True)
    canaries.plant("reset-password", reset.json["password"])
    anna = visitor.login("anna", reset.json["password"])
    annas = _planted_pair(canaries, "anna", anna.json)
    change = {"oldPassword": reset.json["password"], "newPassword": canaries.plant("changed")}
    for body in ({**change, "oldPassword": canaries.plant("wrong-old")}, change):
        visitor.ask("POST", "/api/auth/password", headers=annas, json=body)
    key = {"name": "orders", "role": "operator"}
    made = visitor.ask("POST", "/api/keys", headers=header, json=key, is_issuing=True)
    machine = {"X-Api-Key": canaries.plant("api-key", made.json["secret"])}
    _visit_badly(visitor, canaries, admin.json["refreshToken"])
    _visit_with_cookies(visitor, canaries, change["newPassword"])
    for shown in (header, annas, machine, {"Authorization": f"Bearer {made.json['secret']}"}):
        for path in (f"{_SYNC}/status", f"{_SYNC}/history", "/api/users", "/api/keys", "/livez"):
            visitor.ask("GET", path, headers=shown)
        for run in visitor.ask("GET", f"{_SYNC}/runs", headers=shown).json.get("runs", ()):
            visitor.ask("GET", f"{_SYNC}/runs/{run['id']}/log", headers=shown)
        for path in ("/api/audit", "/api/audit.csv", "/api/auth/me", "/api/openapi.json"):
            visitor.ask("GET", path, headers=shown)
        visitor.ask("POST", f"{_SYNC}/stop", headers=shown)
    visitor.ask("DELETE", f"/api/keys/{made.json['key']['id']}", headers=header)
    visitor.ask("POST", "/api/auth/logout", headers=header)


def _planted_pair(canaries: Canaries, name: str, answer: Mapping[str, Any]) -> dict[str, str]:
    canaries.plant(f"{name}-refresh", answer["refreshToken"])
    return {"Authorization": f"Bearer {canaries.plant(f'{name}-access', answer['accessToken'])}"}


def _visit_badly(visitor: Visitor, canaries: Canaries, refresh: str) -> None:
    """Put secrets where they do not belong."""
    first = {"refreshToken": refresh}
    issued = visitor.ask("POST", "/api/auth/refresh", json=first, is_issuing=True)
    canaries.plant("second-refresh", issued.json["refreshToken"])
    assert visitor.ask("POST", "/api/auth/refresh", json=first).status_code == 401
    typed = canaries.plant("password-as-name")
    for body in (
        {"username": typed, "password": canaries.plant("wrong-password")},
        {"username": "admin", "password": canaries.plant("wrong-admin")},
        {"username": "admin", "password": [canaries.plant("password-in-list")]},
        {"username": "admin", "password": "x", "extra": canaries.plant("extra")},
    ):
        assert visitor.ask("POST", "/api/auth/login", json=body).status_code in {400, 401}
    broken = f'{{"username": "admin", "password": "{canaries.plant("broken-json")}'
    visitor.ask("POST", "/api/auth/login", data=broken, content_type="application/json")
    in_query = canaries.plant("token-in-query")
    visitor.ask("GET", f"{_SYNC}/status", query_string={"token": in_query})
    visitor.ask("GET", f"{_SYNC}/status", headers={"X-Api-Key": canaries.plant("wrong-key")})
    wrong = {"Authorization": f"Bearer {canaries.plant('wrong-token')}"}
    visitor.ask("GET", f"{_SYNC}/status", headers=wrong)
    visitor.ask("GET", f"{_SYNC}/status", headers={"Authorization": "Basic " + typed})


def _visit_with_cookies(visitor: Visitor, canaries: Canaries, password: str) -> None:
    answer = visitor.login("anna", password, cookie=True)
    for line in answer.headers.getlist("Set-Cookie"):
        name, _, rest = line.partition("=")
        canaries.plant(f"cookie {name}", rest.partition(";")[0])
    csrf = {"X-CSRF-Token": answer.json["csrfToken"]}
    visitor.ask("GET", "/api/auth/me")
    visitor.ask("POST", f"{_SYNC}/stop")
    visitor.ask("POST", "/api/auth/logout", headers=csrf)


def _sync(instance: Instance, canaries: Canaries) -> None:
    """Read from an ERP that wants a secret: well, refused and away."""
    for auth in (
        'auth = { type = "bearer", token_env = "ERP_TOKEN" }',
        'auth = { type = "basic", username_env = "ERP_USER", password_env = "ERP_PASSWORD" }',
        'auth = { type = "header", name = "X-Erp-Key", value_env = "ERP_TOKEN" }',
    ):
        with small_erp() as erp:
            instance.read_from(erp.url, [auth])
            canaries.look("repr of the source", _deep_repr(source_of(load_settings(), PRODUCTS)))
            for status in (200, 401):
                erp.status = status
                for command in (("sync",), ("check",)):
                    canaries.look(" ".join(command), instance.run(*command).output)
        canaries.look("sync without an ERP", instance.run("check").output)


def _deep_repr(thing: object) -> str:
    """Return the representation of an object and of what it holds, one level down."""
    held = vars(thing) if hasattr(thing, "__dict__") else {}
    return " ".join([repr(thing), *(f"{value!r} {value}" for value in held.values())])


def _look_at_objects(canaries: Canaries, app: Any) -> None:  # noqa: ANN401  # an application
    settings = load_settings()
    services = build_services(settings)
    canaries.look("repr of the settings", f"{settings!r} {settings} {settings.described()}")
    canaries.look("repr of foreign tokens", repr(settings.foreign_tokens))
    canaries.look("repr of the services", f"{services!r} {_deep_repr(services.access.keys)}")
    canaries.look("repr of the users", repr(services.accounts.users()))
    canaries.look("repr of the keys", repr(services.access.keys.all_keys()))
    canaries.look("repr of the application", f"{app!r} {app.extensions!r}")
    tokens = [secret for name, secret in canaries.secrets.items() if name.endswith("-access")]
    canaries.look("repr of tokens", repr(TokenPair(tokens[0], tokens[0])))
    services.storage.close()


def _look_at_errors(canaries: Canaries) -> None:
    """Let settings fail that hold secrets."""
    short = canaries.plant("short", "canary-too-short")
    for environ in (
        {"JWT_SECRET_KEY": short},
        {"JWT_SECRET_KEY": "x" * 32, "ARCHIBALD_FOREIGN_JWT_SECRET": short},
    ):
        with pytest.raises(ConfigError) as error:
            load_settings(environ)
        canaries.look("errors", f"{error.value} {error.value!r}")


def _look_at_files(canaries: Canaries, folder: Path) -> int:
    """Look at every byte of every file that is not meant to hold a secret."""
    files = [one for one in folder.rglob("*") if one.is_file() and one.name not in _KEPT]
    for one in files:
        canaries.look(f"file {one.name}", one.read_bytes().decode("latin-1"))
    return len([one for one in files if ".sqlite3" in one.name])


def test_no_planted_secret_is_seen_anywhere(instance: Instance, canaries: Canaries) -> None:
    """No log line, answer, file, error or representation holds a secret that we were given."""
    password = canaries.plant("first-password", instance.init())
    _sync(instance, canaries)
    canaries.plant("cli-token", instance.run("token").stdout.strip())
    added = instance.run("key", "add", "cli-key", "--role", "viewer").stdout
    canaries.plant("cli-key", added.strip().rsplit(" ", 1)[1])
    app = create_app(load_settings())
    with app.test_client() as client:
        _visit(Visitor(client, canaries), canaries, password)
    _look_at_objects(canaries, app)
    _look_at_errors(canaries)
    for command in (("user", "list"), ("key", "list"), ("key", "list", "--json"), ("status",)):
        canaries.look(" ".join(command), instance.run(*command).output)

    assert _look_at_files(canaries, instance.folder) >= 3
    assert len(canaries.secrets) > 25
    assert "Login refused" in canaries.seen["log"]
    assert "completed: " in canaries.seen["sync"]
    logs = [text for where, text in canaries.seen.items() if where.endswith("/log")]
    assert "Manual sync successful" in str(logs)  # the lines that are kept with runs, too
    assert "Manual sync failed" in str(logs)
    assert "urllib3" in canaries.seen["log"]  # the libraries speak, too
    assert canaries.leaks() == []


def test_canaries_sing(canaries: Canaries) -> None:
    """The test above would fail: a planted secret is found in a line, a field and a token."""
    secret = canaries.plant("secret")
    token = canaries.plant("token", "head.body.signature-of-it")

    logging.getLogger(f"{ROOT}.API").warning("line %s", secret)
    logging.getLogger(f"{ROOT}.API").warning("field", extra={"fields": {"a": secret}})
    canaries.look("answer", token.rsplit(".", 1)[1])

    assert set(canaries.leaks()) == {
        ("secret", "log"),
        ("token (signature)", "answer"),
    }


def test_there_are_no_default_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing starts without a secret, and no well-known name and password open a new instance."""
    passwords = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        with made_instance(folder, monkeypatch) as instance:
            with pytest.raises(ConfigError, match="there is no secret"):
                load_settings()
            passwords.append(instance.init())
            # Without a source: it only answers requests.
            app = create_app(replace(load_settings(), is_scheduler_on=False))
            client: Any = app.test_client()
            tried = {
                client.post("/api/auth/login", json={"username": name, "password": word})
                for name in ("admin", "root", "archibald", "")
                for word in (name, "password", "changeme", "")
            }
            assert {answer.status_code for answer in tried} <= {401, 429}
            services = build_services(load_settings())
            assert [user.name for user in services.accounts.users()] == ["admin"]
            assert services.access.keys.all_keys() == []
            services.storage.close()
    assert len(set(passwords)) == 2
    assert all(len(password) >= 24 for password in passwords)
