"""Fixtures that every test may use: real servers, one per run or per pytest-xdist worker."""

import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from django.db.backends.base.operations import BaseDatabaseOperations
from django.test import override_settings
from hypothesis import settings

from deploy.demo.parts.programs import kube_binaries
from deploy.emulators.kubernetes.server import Emulator
from tests import fuzzing, run_parts, servers, shared_cluster, stalls

# A property is slow when the machine is busy with servers, which says nothing about the code.
settings.register_profile("headroom", deadline=None)
settings.register_profile("quick", settings.get_profile("headroom"), max_examples=25)
settings.load_profile("headroom")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """`-n auto`: half as many again as there are cores, as many tests wait for something else: a
    server, a program, a limit of time that is to be kept."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    return math.ceil((os.cpu_count() or 1) * 1.5)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--only-database`: leave out what a second run on another database would only repeat.
    `--quick`: leave out what starts a server. `--fuzz`: only fuzz tests, with many examples."""
    parser.addoption(
        "--only-database", action="store_true", help="only tests that use the database"
    )
    parser.addoption("--quick", action="store_true", help="skip a test when it starts a server")
    parser.addoption("--fuzz", action="store_true", help="only fuzz tests, with many examples")


def pytest_configure(config: pytest.Config) -> None:
    """Carry out `--quick`: no list of tests that could grow stale, each is skipped by itself.
    Guard the process that distributes tests, where there is one, against workers that hang."""
    if config.getoption("numprocesses", None):
        longest = stalls.LIMIT * (4 if config.getoption("--fuzz") else 1)
        config.pluginmanager.register(stalls.StallGuard(stalls.abort, limit=longest))
    if config.getoption("--quick"):
        servers.forbid("starts a server, and this run is --quick")
        settings.load_profile("quick")
    if config.getoption("--fuzz"):
        fuzzing.fuzz_at_large()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was tried by tests that count it (`record_property("tried", …)`), and tell
    `make test`, which shows the failures of all its parts at its very end."""
    for report in terminalreporter.stats.get("", ()):  # of set-up and teardown: written at the end
        tried = dict(getattr(report, "user_properties", ())).get("tried")
        if tried:
            terminalreporter.write_line(f"{report.nodeid.partition('::')[2]}: {tried}")
    path = os.environ.get(run_parts.REPORT)
    if path:
        run_parts.write_report(Path(path), terminalreporter.stats)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Carry out `--only-database` and `--fuzz`."""
    kept = items[:]
    if config.getoption("--only-database"):
        kept = [item for item in kept if _uses_database(item)]
    if config.getoption("--fuzz"):
        kept = [item for item in kept if item.get_closest_marker("fuzz")]
    if len(kept) < len(items):
        chosen = set(kept)
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = kept


def _uses_database(item: pytest.Item) -> bool:
    wanted = {"db", "transactional_db", "live_server"}
    uses = wanted & set(getattr(item, "fixturenames", ()))
    return bool(item.get_closest_marker("django_db") or uses)


@pytest.fixture(scope="session")
def valkey() -> Iterator[servers.ValkeyServer]:
    """A Valkey of this worker. A test that stops it starts it again."""
    with servers.valkey() as server:
        yield server


@pytest.fixture(scope="session")
def valkey_url(valkey: servers.ValkeyServer) -> str:
    """For CELERY_BROKER_URL."""
    return valkey.url


@pytest.fixture(scope="session")
def temporal_address() -> Iterator[str]:
    """A Temporal server of this worker, fairness on, one partition."""
    with servers.temporal_server() as server:
        yield server.address


@pytest.fixture(scope="session")
def kube(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Cluster]:
    """The real control plane that the whole run shares: use a namespace of your own.

    Skipped where the machine has none. Users for RoleBindings: `shared_cluster.USERS`.
    """
    if kube_binaries() is None:
        pytest.skip(servers.NO_CLUSTER)
    home = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" not in os.environ:
        yield shared_cluster.attach(home, os.getpid())
        shared_cluster.detach(home)
        return
    # Workers' directories lie in the run's; their parent is the run, which `detach`es by ending.
    yield shared_cluster.attach(home.parent, os.getppid())


@pytest.fixture(scope="session")
def kubeconfig(kube: servers.Cluster) -> Path:
    """The shared control plane's kubeconfig, for the administrator."""
    return kube.kubeconfig


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """A Kubernetes emulator of this worker, with the users of the shared control plane."""
    servers.skip_if_forbidden()  # for it is one, though it runs in a thread
    with Emulator() as running:
        for name, groups in shared_cluster.USERS.items():
            running.add_user(name, groups=groups)
        yield running


@pytest.fixture(scope="session", autouse=True)
def _credentials_lie_among_the_files_of_tests(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[None]:
    """Here, and in every process that a test starts."""
    base = tmp_path_factory.getbasetemp()  # of a worker: the run's is above it
    places = [str(base.parent), str(servers.DIRECTORIES)]
    places += ["/etc/headroom", "/run/secrets"]  # of tests that look for nothing there
    with pytest.MonkeyPatch.context() as patch, override_settings(CREDENTIAL_DIRS=places):
        patch.setenv("CREDENTIAL_DIRS", ",".join(places))
        yield


@pytest.fixture(scope="session", autouse=True)
def _passwords_are_hashed_in_no_time() -> Iterator[None]:
    """The real hasher takes half a second of the processor's time on purpose."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


@pytest.fixture(scope="session", autouse=True)
def _tests_may_empty_the_ledger() -> Iterator[None]:
    """Between transactional tests Django empties every table; the ledger's triggers refuse that.

    They are taken away for just that moment. What a test itself sends still meets them.
    """
    from console.audit import triggers

    empty = BaseDatabaseOperations.execute_sql_flush

    def without_triggers(operations: BaseDatabaseOperations, sql_list: Sequence[str]) -> None:
        triggers.remove(operations.connection)
        empty(operations, sql_list)
        triggers.install(operations.connection)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseDatabaseOperations, "execute_sql_flush", without_triggers)
        yield
