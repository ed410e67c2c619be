"""Which parts make up the stack, and what they are told."""

import json
from pathlib import Path

import pytest

from deploy.demo import assembly
from deploy.demo.parts import celery_workers, console, programs
from deploy.demo.parts.kubeconfig_files import files_named_in
from deploy.demo.parts.programs import KubeBinaries
from deploy.demo.stack.part import CannotStartError
from deploy.demo.stack.state import State
from deploy.demo.stack.supervisor import Status, Unit
from deploy.demo.summary import summary


@pytest.fixture
def state(tmp_path: Path) -> State:
    made = State(tmp_path / "demo")
    made.create()
    return made


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No Kubernetes anywhere, unless a test says otherwise."""
    monkeypatch.delenv("DEMO_KUBECONFIG", raising=False)
    monkeypatch.setattr(programs, "kube_binaries", lambda: None)


def binaries(scheduler: Path | None = None) -> KubeBinaries:
    return KubeBinaries(Path("/etcd"), Path("/api"), Path("/manager"), scheduler, scheduler)


def test_a_kubeconfig_of_the_users_own_is_used_as_it_is(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "config"
    own.write_text("{}")
    monkeypatch.setenv("DEMO_KUBECONFIG", str(own))
    cluster = assembly.choose_cluster(state)
    assert (cluster.kind, cluster.kubeconfig, cluster.parts) == ("external", own, [])


def test_a_kubeconfig_that_is_not_there_is_a_clear_message(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEMO_KUBECONFIG", "/nowhere/config")
    with pytest.raises(CannotStartError, match="DEMO_KUBECONFIG=/nowhere/config is not a file"):
        assembly.choose_cluster(state)


def test_without_a_control_plane_the_emulator_stands_in_and_says_so(state: State) -> None:
    cluster = assembly.choose_cluster(state)
    assert [(part.name, part.note) for part in cluster.parts] == [("kubernetes", "emulated")]
    assert cluster.kind == "emulated"


@pytest.mark.parametrize(
    ("scheduler", "more"),
    [(None, []), (Path("/scheduler"), ["kube-scheduler", "kwok", "nodes"])],
)
def test_a_real_control_plane_runs_what_is_there(
    scheduler: Path | None, more: list[str], state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "kube_binaries", lambda: binaries(scheduler))
    cluster = assembly.choose_cluster(state)
    names = [part.name for part in cluster.parts]
    assert names == ["etcd", "kube-apiserver", "kube-controller-manager", *more]
    assert cluster.kind == "real"
    ranks = {part.name: part.stop_rank for part in cluster.parts}
    assert ranks["etcd"] > ranks["kube-apiserver"] > ranks["kube-controller-manager"]


def test_no_two_parts_share_a_port_or_a_name(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "kube_binaries", lambda: binaries(Path("/scheduler")))
    parts = assembly.assemble(state, 8000).parts
    ports = [part.port for part in parts if part.port]
    assert len(set(ports)) == len(ports)
    assert len({part.name for part in parts}) == len(parts)
    assert {name for part in parts for name in part.after} <= {part.name for part in parts}


def test_django_is_told_where_everything_is(state: State) -> None:
    stack = assembly.assemble(state, 8123)
    env = stack.config.environment()
    by_name = {part.name: part for part in stack.parts}
    assert env["CELERY_BROKER_URL"] == f"redis://127.0.0.1:{by_name['valkey'].port}/0"
    assert env["HEADROOM_DEMO_TEMPORAL"] == f"127.0.0.1:{by_name['temporal'].port}"
    assert env["HEADROOM_DEMO_KUBERNETES"] == "emulated"
    assert env["DATABASE_URL"] == f"sqlite:///{state.database}"
    assert len(env["SECRET_KEY"]) >= 50
    assert by_name["web"].env == by_name["worker"].env == env


def test_targets_of_the_demo_may_name_their_credentials_and_nothing_beside_them(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = assembly.assemble(state, 8123).config
    env = config.environment()
    token = env["HEADROOM_DEMO_ARGO_TOKEN"].removeprefix("file:")
    assert env["CREDENTIAL_DIRS"].split(",") == [str(config.kubeconfig), token]
    assert env["CREDENTIAL_PLUGINS"] == "false"
    own = tmp_path / "config"
    named = {"certificate-authority": "ca.crt"}, {"client-key": "/keys/a.key", "exec": {}}
    own.write_text(json.dumps({"clusters": [{"cluster": named[0]}], "users": [{"user": named[1]}]}))
    monkeypatch.setenv("DEMO_KUBECONFIG", str(own))
    env = assembly.assemble(state, 8123).config.environment()
    places = env["CREDENTIAL_DIRS"].split(",")
    assert places == [str(own), token, str(tmp_path / "ca.crt"), "/keys/a.key"]
    assert env["CREDENTIAL_PLUGINS"] == "true"


def test_the_certificate_of_a_real_control_plane_may_be_read(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "kube_binaries", lambda: binaries(None))
    config = assembly.assemble(state, 8123).config
    certificate = config.kubeconfig.parent / "certs" / "apiserver.crt"
    assert str(certificate) in config.environment()["CREDENTIAL_DIRS"].split(",")


def test_sample_workers_get_nothing_of_what_is_headrooms_own(state: State) -> None:
    stack = assembly.assemble(state, 8123)
    workers = [part for part in stack.parts if part.name in celery_workers.WORKERS]
    assert len(workers) == 2
    for part in workers:
        named = {name for name, value in part.env.items() if value}
        assert named == {"PYTHONPATH", "HEADROOM_DEMO_CELERY"}
        assert part.env.keys() - named == {"DJANGO_SETTINGS_MODULE"}


@pytest.mark.parametrize("text", ["", "[unclosed", "- a\n- 1", "users: 5", "\xff"])
def test_a_kubeconfig_that_cannot_be_read_names_no_files(tmp_path: Path, text: str) -> None:
    (tmp_path / "config").write_text(text, encoding="latin-1")
    assert files_named_in(tmp_path / "config") == []
    assert files_named_in(tmp_path / "absent") == []


def test_the_summary_has_the_address_the_sign_in_and_the_kubectl_line(state: State) -> None:
    stack = assembly.assemble(state, 8123)
    state.credentials.write_text(json.dumps({"username": "ada", "password": "pass phrase"}))
    units = [Unit(part, status=Status.READY) for part in stack.parts]
    text = summary(stack.config, units, 12.3)
    assert "Ready in 12 s" in text
    assert "http://127.0.0.1:8123" in text
    assert "ada / pass phrase" in text
    assert f"kubectl --kubeconfig {stack.config.kubeconfig}" in text
    units[0].status = Status.FAILED
    assert "these parts failed: valkey" in summary(stack.config, units, 12.3)


def test_every_step_and_server_of_headroom_comes_after_the_migrations(state: State) -> None:
    config = assembly.assemble(state, 8000).config
    for part in console.parts(config, targets=()):
        if part.name in celery_workers.WORKERS:
            continue  # a Celery app of its own, which knows nothing of our database
        assert part.name == "migrate" or {"migrate", "seed"} & set(part.after)


def test_the_emulated_argo_server_is_not_for_a_cluster_of_the_users_own(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = assembly.assemble(state, 8000)
    env = stack.config.environment()
    flows = next(part for part in stack.parts if part.name == "argo")
    assert env["HEADROOM_DEMO_ARGO_SERVER"] == f"http://127.0.0.1:{flows.port}"
    token = Path(env["HEADROOM_DEMO_ARGO_TOKEN"].removeprefix("file:"))
    assert str(token) in flows.argv
    assert token.stat().st_mode & 0o077 == 0
    own = tmp_path / "config"
    own.write_text("{}")
    monkeypatch.setenv("DEMO_KUBECONFIG", str(own))
    stack = assembly.assemble(state, 8000)
    assert stack.config.environment()["HEADROOM_DEMO_ARGO_SERVER"] == ""
    flows = next(part for part in stack.parts if part.name == "argo")
    assert "--server-port" not in flows.argv
