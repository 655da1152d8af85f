"""The published contract against the running service: valid, kept, and enough for a client."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import contract_hooks
import pytest
from cli_support import Instance, made_instance, small_erp
from erp_support import free_port
from openapi_spec_validator import OpenAPIV31SpecValidator
from support import wait_for

from archibald_sync.domain.models import Role

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOOLS = Path(sys.executable).parent
_ASKERS = [None, *Role]
_SEED = int(os.environ.get("CHAOS_SEED", "1"))
# It goes on for minutes by design; tests of its own look at it.
_LEFT_OUT = "/sync/events$"
# These end the very login that asks; tests of their own look at them, too.
_LEFT_OUT_LOGGED_IN = f"{_LEFT_OUT}|/auth/(logout|password)$"
# What must be refused may be so for its length alone, which is not among what is expected.
_CONFIG = """
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 414, 415, 422, 428, 429, 431, "5xx"]
"""


def asker(role: Role) -> str:
    """Return the name of the user in whose name a role asks."""
    return f"a-{role}"


class Service:
    """The service as gunicorn runs it, over a small ERP."""

    def __init__(self, instance: Instance, url: str, password: str) -> None:
        """Know where it is, and the password of its admin."""
        self.instance = instance
        self.url = url
        self.password = password

    def token(self, role: Role) -> str:
        """Return a token of a user of ``role``."""
        name = asker(role)
        if name not in self.instance.run("user", "list").stdout:
            self._done("user", "add", name, "--role", role.value)
        # As long as the longest of these may take.
        return self._done("token", "--user", name, "--ttl", "86400")

    def lets_in(self, token: str) -> bool:
        """Return whether ``token`` is good."""
        headers = {"Authorization": f"Bearer {token}"}
        asked = urllib.request.Request(f"{self.url}/api/products/sync/metrics", headers=headers)  # noqa: S310
        with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310
            return bool(answer.status == 200)

    def _done(self, *arguments: str) -> str:
        result = self.instance.run(*arguments)
        assert result.exit_code == 0, result.stderr
        return result.stdout.strip()

    def document(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        with urllib.request.urlopen(f"{self.url}/api/openapi.json", timeout=10) as answer:  # noqa: S310
            found: dict[str, Any] = json.load(answer)
            return found


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Return a running service whose first sync is done."""
    folder, port = tmp_path_factory.mktemp("contract"), free_port()
    with (
        pytest.MonkeyPatch.context() as patch,
        small_erp() as erp,
        made_instance(folder, patch) as instance,
    ):
        instance.environ["ARCHIBALD_SYNC_INITIAL_DELAY_SECONDS"] = "0"
        password = instance.init()
        instance.read_from(erp.url)
        # Into a file: a pipe that nobody reads is full one day, and whoever logs then waits.
        with (
            (folder / "service.log").open("w+", encoding="utf-8") as log,
            instance.process(
                "serve", "--bind", f"127.0.0.1:{port}", stdout=log, stderr=log
            ) as process,
        ):
            try:
                wait_for(lambda: '"completed"' in instance.run("history", "--json").stdout, 60)
                yield Service(instance, f"http://127.0.0.1:{port}", password)
            finally:
                process.terminate()
                process.wait(60)
                log.seek(0)
                told = log.read()
                assert "Traceback" not in told, told[-6000:]


def test_document_is_valid(service: Service) -> None:
    """The document is OpenAPI 3.1, as the specification has it."""
    document = service.document()

    OpenAPIV31SpecValidator(document).validate()
    assert document["openapi"] == "3.1.0"


def test_generated_client_works(service: Service, tmp_path: Path) -> None:
    """A client generated from the document logs in, reads metrics and starts a sync."""
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(service.document()), "utf-8")
    target = tmp_path / "generated_client"
    generator = str(_TOOLS / "openapi-python-client")
    options = ["--meta", "none", "--path", str(document), "--output-path", str(target)]
    made = subprocess.run(
        [generator, "generate", *options],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": f"{_TOOLS}:{os.environ['PATH']}"},
    )
    assert made.returncode == 0, made.stdout + made.stderr

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        client = importlib.import_module("generated_client")
        models = importlib.import_module("generated_client.models")
        login = importlib.import_module("generated_client.api.auth.post_api_auth_login")
        metrics = importlib.import_module(
            "generated_client.api.products.get_api_products_sync_metrics"
        )
        run = importlib.import_module("generated_client.api.products.post_api_products_sync")

        with client.Client(service.url) as stranger:
            body = models.Login(username="admin", password=service.password)
            token = login.sync(client=stranger, body=body).access_token
        with client.AuthenticatedClient(service.url, token) as admin:
            known = metrics.sync(client=admin).metrics
            begun = run.sync(client=admin, body=models.RunNow(), prefer="wait")

    assert known.total_syncs >= 1
    assert begun.run_id.startswith("products-run-")


def _keeps_contract(
    service: Service, role: Role | None, folder: Path, *options: str, seed: int = _SEED
) -> None:
    token = None if role is None else service.token(role)
    (folder / "schemathesis.toml").write_text(_CONFIG, "utf-8")
    tried = subprocess.run(
        [
            str(_TOOLS / "schemathesis"),
            "run",
            f"{service.url}/api/openapi.json",
            *([] if token is None else ["-H", f"Authorization: Bearer {token}"]),
            f"--exclude-path-regex={_LEFT_OUT if token is None else _LEFT_OUT_LOGGED_IN}",
            "--checks=all",
            *options,
            f"--seed={seed}",
            "--workers=1",
            "--request-timeout=30",  # a lease may be waited for, ten seconds at most
            "--warnings=off",
            "--no-color",
            "--generation-database=:memory:",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "PYTHONPATH": str(Path(contract_hooks.__file__).parent),
            "SCHEMATHESIS_HOOKS": contract_hooks.__name__,
            contract_hooks.ASKER: "" if role is None else asker(role),
        },
    )
    assert tried.returncode == 0, tried.stdout[-6000:] + tried.stderr[-2000:]
    # Else all of it was asked by nobody.
    assert token is None or service.lets_in(token)


@pytest.mark.parametrize("role", _ASKERS)
def test_whatever_is_asked_the_contract_is_kept(
    service: Service, role: Role | None, tmp_path: Path
) -> None:
    """No request gets a 5xx, an answer of another shape, or a status that is not documented."""
    _keeps_contract(service, role, tmp_path, "--max-examples=2", "--phases=coverage,fuzzing")


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("role", _ASKERS)
def test_two_thousand_examples_keep_the_contract(
    service: Service, role: Role | None, tmp_path: Path
) -> None:
    """The same, with 2,000 examples for each operation."""
    phases = "--phases=examples,coverage,fuzzing"
    _keeps_contract(service, role, tmp_path, "--max-examples=2000", phases)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("role", _ASKERS)
def test_whatever_follows_the_contract_is_kept(
    service: Service, role: Role | None, tmp_path: Path
) -> None:
    """The same where each request follows from the answers before, journey by journey."""
    options = ("--max-examples=200", "--phases=stateful")
    # One seed alone may end early: the service remembers, so a journey told again goes elsewhere,
    # and schemathesis then leaves it at that.
    for seed in range(_SEED, _SEED + 40):
        _keeps_contract(service, role, tmp_path, *options, seed=seed)
