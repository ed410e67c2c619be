"""The real servers that the tests and the embedded stack use."""

import asyncio
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis
from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, RegisterNamespaceRequest
from temporalio.client import Client

from deploy.demo.parts import programs
from deploy.demo.parts.kubernetes import ClusterFiles
from deploy.demo.stack.part import Part
from deploy.demo.stack.state import ROOT
from tests import servers
from tests.postgres import postgres
from tests.waiting import PATIENCE


def kubectl(kubeconfig: Path, *arguments: str) -> str:
    """The output of kubectl from the virtual environment."""
    program = Path(sys.executable).with_name("kubectl")
    command = [str(program), "--kubeconfig", str(kubeconfig), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    return done.stdout + done.stderr


def test_valkey_keeps_what_is_queued_when_it_is_killed() -> None:
    with servers.valkey() as server:
        client = redis.Redis.from_url(server.url)
        client.rpush("queue", "task")
        server.kill()
        server.start()
        assert client.lrange("queue", 0, -1) == [b"task"]
        client.close()


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    log = tmp_path / "broken.log"
    code = "import sys; sys.exit('address already in use')"
    server = servers.Server(Part(name="broken", argv=(sys.executable, "-c", code), log=log,
                                 ready=lambda: False))  # fmt: skip
    with pytest.raises(servers.ServerError, match=r"exit code 1.*\naddress already in use"):
        server.start()


@pytest.mark.temporal
def test_temporal_keeps_its_port_and_data_over_a_restart(tmp_path: Path) -> None:
    with servers.temporal_server(db_file=tmp_path / "temporal.sqlite3") as server:
        address = server.address

        async def register() -> None:
            client = await Client.connect(address)
            await client.workflow_service.register_namespace(
                RegisterNamespaceRequest(
                    namespace="kept", workflow_execution_retention_period=Duration(seconds=86_400)
                )
            )

        async def described() -> str:
            client = await Client.connect(address)
            request = DescribeNamespaceRequest(namespace="kept")
            answer = await client.workflow_service.describe_namespace(request)
            return answer.namespace_info.name

        asyncio.run(register())
        server.restart()
        assert server.address == address
        assert asyncio.run(described()) == "kept"


def test_postgres_runs_for_anyone_even_root() -> None:
    with postgres() as server, psycopg.connect(server.url) as connection:
        row = connection.execute("select current_setting('fsync'), current_user").fetchone()
    assert row == ("off", "postgres")


def test_a_command_gets_the_address_of_a_postgres() -> None:
    servers.skip_if_forbidden()  # another process starts it
    code = "import os, psycopg; psycopg.connect(os.environ['DATABASE_URL']); raise SystemExit(7)"
    done = subprocess.run(
        [sys.executable, "-m", "tests.with_postgres", sys.executable, "-c", code],
        cwd=ROOT,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 7


def test_the_files_of_a_cluster_are_private_and_kept(tmp_path: Path) -> None:
    files = ClusterFiles(directory=tmp_path / "kube", url="https://127.0.0.1:1")
    files.write()
    key, token = files.signing_key.read_text(), files.admin_token
    for path in (files.signing_key, files.tokens, files.kubeconfig):
        assert path.stat().st_mode & 0o777 == 0o600
    files.write()
    assert (files.signing_key.read_text(), files.admin_token) == (key, token)


def test_without_binaries_there_is_no_control_plane(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert programs.kube_binaries({"KUBEBUILDER_ASSETS": str(tmp_path)}) is None
    assert programs.kube_binaries({}) is None


@pytest.mark.cluster
def test_the_shared_cluster_enforces_quotas(kube: servers.Cluster) -> None:
    kubectl(kube.kubeconfig, "create", "namespace", "servers-quota")
    kubectl(kube.kubeconfig, "-n", "servers-quota", "create", "quota", "q", "--hard=pods=0")
    kubectl(
        *(kube.kubeconfig, "-n", "servers-quota", "wait", "resourcequota/q", "--timeout=120s"),
        "--for=jsonpath={.status.hard.pods}=0",
    )
    output = kubectl(kube.kubeconfig, "-n", "servers-quota", "run", "p", "--image=none")
    assert "exceeded quota: q" in output


@pytest.mark.cluster
def test_simulated_nodes_are_ready_and_have_gpus(kube: servers.Cluster) -> None:
    output = kubectl(kube.kubeconfig, "wait", "nodes", "--all", "--for=condition=Ready")
    assert output.count("condition met") == 4
    gpus = kubectl(
        kube.kubeconfig,
        "get",
        "node",
        "gpu-1",
        "-o",
        r"jsonpath={.status.allocatable.nvidia\.com/gpu}",
    )
    assert gpus == "8"


@pytest.mark.cluster
def test_another_user_has_a_token_and_no_rights(kube: servers.Cluster) -> None:
    output = kubectl(
        *(kube.kubeconfig, "--kubeconfig", "/dev/null", "--server", kube.url),
        *("--insecure-skip-tls-verify", "--token", kube.tokens["member"], "get", "secrets"),
    )
    assert 'User "member" cannot list resource "secrets"' in output
