"""A real Kubernetes control plane on loopback: etcd, API server, controllers, scheduler, kwok.

No container runs: where kwok is present it plays the nodes and writes what a kubelet would write,
as `kwok-stages.yaml` says. Everything lives in one directory and survives a restart.
"""

import base64
import json
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.demo.parts.programs import KubeBinaries
from deploy.demo.stack import probes
from deploy.demo.stack.part import Part
from deploy.demo.stack.private_files import write_private
from deploy.demo.stack.state import ROOT

STAGES = Path(__file__).with_name("kwok-stages.yaml")
# Simulated nodes do not fail, so that a renewal every quarter of this is enough, each of which is
# a write to etcd that the scheduler and the controllers are told of.
NODE_LEASE_SECONDS, NODE_GRACE_SECONDS = 240, 300
# Controllers of what nothing here has: disks that are attached, and autoscalers.
_WITHOUT = ",".join(
    f"-{name}-controller"
    for name in (
        *("node-ipam", "persistentvolume-attach-detach", "persistentvolume-binder"),
        *("persistentvolume-expander", "ephemeral-volume", "horizontal-pod-autoscaler"),
    )
)
# A P-256 private key in SEC 1 form (RFC 5915): what goes before and after its 32 bytes.
SEC1_HEAD = bytes.fromhex("30310201010420")
SEC1_TAIL = bytes.fromhex("a00a06082a8648ce3d030107")


@dataclass(frozen=True, slots=True, kw_only=True)
class KubePorts:
    """The loopback ports of a control plane."""

    etcd: int
    peer: int
    api: int
    manager: int
    scheduler: int
    kwok: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFiles:
    """The files that a control plane needs, in one directory that only its owner may read."""

    directory: Path
    url: str

    @property
    def kubeconfig(self) -> Path:
        """For clients: the administrator."""
        return self.directory / "kubeconfig"

    @property
    def tokens(self) -> Path:
        """`token,user,uid,"group1,group2"` lines; read by the API server when it starts."""
        return self.directory / "tokens.csv"

    @property
    def signing_key(self) -> Path:
        """Signs the tokens of service accounts."""
        return self.directory / "sa.key"

    @property
    def certificates(self) -> Path:
        """Where the API server puts the certificate that it makes for itself."""
        return self.directory / "certs"

    @property
    def admin_token(self) -> str:
        """The token of the administrator."""
        return self.tokens.read_text().partition(",")[0]

    def write(self) -> None:
        """Make what is missing; the kubeconfig is always written anew (the port may change)."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.directory.chmod(0o700)
        if not self.signing_key.exists():
            write_private(self.signing_key, _new_signing_key())
        if not self.tokens.exists():
            write_private(self.tokens, f"{secrets.token_hex(16)},admin,admin,system:masters\n")
        write_private(self.kubeconfig, self.kubeconfig_for("admin", self.admin_token))

    def add_user(self, name: str, *groups: str) -> str:
        """A token for another user. The API server knows it after its next start."""
        token = secrets.token_hex(16)
        line = f'{token},{name},{name},"{",".join(groups)}"\n'
        write_private(self.tokens, self.tokens.read_text() + line)
        return token

    def kubeconfig_for(self, user: str, token: str) -> str:
        """A kubeconfig as text. (JSON is YAML: every client reads it.)"""
        cluster = {
            "server": self.url,
            "certificate-authority": str(self.certificates / "apiserver.crt"),
        }
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "headroom-local", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [
                {"name": "headroom-local", "context": {"cluster": "headroom-local", "user": user}}
            ],
            "current-context": "headroom-local",
        }
        return json.dumps(content, indent=2) + "\n"


def _new_signing_key() -> str:
    """A new P-256 key as PEM. Any number below the curve's order will do, and 2²⁵⁵ is below it."""
    number = (secrets.randbits(255) or 1).to_bytes(32, "big")
    body = base64.encodebytes(SEC1_HEAD + number + SEC1_TAIL).decode()
    return f"-----BEGIN EC PRIVATE KEY-----\n{body}-----END EC PRIVATE KEY-----\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlane:
    """The parts of one control plane. With `service_accounts` pods need one that exists."""

    binaries: KubeBinaries
    files: ClusterFiles
    ports: KubePorts
    logs: Path
    service_accounts: bool = False

    def parts(self) -> list[Part]:
        """In the order in which they start. Their files must have been written."""
        parts = [self.etcd(), self.apiserver(), self.controller_manager()]
        if self.binaries.scheduler and self.binaries.kwok:
            parts += [self.scheduler(self.binaries.scheduler), self.kwok(self.binaries.kwok)]
            parts.append(self.nodes())
        return parts

    def etcd(self) -> Part:
        """The store. It stops last: an API server whose store has gone does not end."""
        client, peer = (f"http://127.0.0.1:{port}" for port in (self.ports.etcd, self.ports.peer))
        return Part(
            name="etcd",
            argv=(
                *(str(self.binaries.etcd), "--name", "local", "--log-level", "error"),
                *("--data-dir", str(self.files.directory / "etcd"), "--unsafe-no-fsync"),
                *("--listen-client-urls", client, "--advertise-client-urls", client),
                *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
                *("--initial-cluster", f"local={peer}"),
                # Its log of writes comes in files of 64 MB, of which it keeps five by default; and
                # old revisions are to make room even when the API server does not compact.
                *("--snapshot-count", "5000", "--max-wals", "1"),
                *("--auto-compaction-mode", "periodic", "--auto-compaction-retention", "10m"),
                *("--quota-backend-bytes", str(512 * 2**20)),
                # It has nobody to agree with: every tick is one that it does for itself alone.
                *("--heartbeat-interval", "500", "--election-timeout", "5000"),
            ),
            log=self.logs / "etcd.log",
            port=self.ports.etcd,
            ready=probes.answers(f"{client}/health"),
            stop_rank=30,
        )

    def apiserver(self) -> Part:
        """The API, with RBAC and tokens from a file."""
        files = self.files
        return Part(
            name="kube-apiserver",
            argv=(
                str(self.binaries.apiserver),
                f"--etcd-servers=http://127.0.0.1:{self.ports.etcd}",
                "--bind-address=127.0.0.1",
                # Nothing but this machine reaches it, and a laptop may be without a network.
                "--advertise-address=127.0.0.1",
                "--endpoint-reconciler-type=none",
                f"--secure-port={self.ports.api}",
                f"--cert-dir={files.certificates}",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={files.signing_key}",
                f"--service-account-signing-key-file={files.signing_key}",
                f"--token-auth-file={files.tokens}",
                "--authorization-mode=RBAC",
                "--service-cluster-ip-range=10.0.0.0/24",
                # Jobs come and go all the time, and each has events.
                "--event-ttl=30m",
                *self._admission(),
            ),
            log=self.logs / "kube-apiserver.log",
            port=self.ports.api,
            ready=probes.answers(f"{files.url}/readyz", token=files.admin_token),
            after=("etcd",),
            stop_rank=20,
            # While clients watch it takes its time; killing it loses nothing, etcd has it all.
            stop_timeout=3.0,
            note="kubernetes",
        )

    def _admission(self) -> tuple[str, ...]:
        """Saves the wait for the default service account, where nothing uses one."""
        off = "--disable-admission-plugins=ServiceAccount"
        return () if self.service_accounts else (off,)

    def controller_manager(self) -> Part:
        """Fills in quotas' status, runs Jobs, ends namespaces. Without it nothing is enforced."""
        return Part(
            name="kube-controller-manager",
            argv=(
                *(str(self.binaries.controller_manager), "--kubeconfig", self._kubeconfig),
                *(f"--controllers=*,{_WITHOUT}", "--leader-elect=false"),
                f"--node-monitor-grace-period={NODE_GRACE_SECONDS}s",
                f"--service-account-private-key-file={self.files.signing_key}",
                *("--bind-address=127.0.0.1", f"--secure-port={self.ports.manager}"),
                f"--cert-dir={self.files.directory / 'manager'}",
            ),
            log=self.logs / "kube-controller-manager.log",
            port=self.ports.manager,
            ready=probes.answers(f"https://127.0.0.1:{self.ports.manager}/healthz"),
            after=("kube-apiserver",),
            stop_rank=10,
        )

    def scheduler(self, program: Path) -> Part:
        """Places pods on the simulated nodes."""
        return Part(
            name="kube-scheduler",
            argv=(
                *(str(program), "--kubeconfig", self._kubeconfig, "--leader-elect=false"),
                *("--bind-address=127.0.0.1", f"--secure-port={self.ports.scheduler}"),
                f"--cert-dir={self.files.directory / 'scheduler'}",
            ),
            log=self.logs / "kube-scheduler.log",
            port=self.ports.scheduler,
            ready=probes.answers(f"https://127.0.0.1:{self.ports.scheduler}/healthz"),
            after=("kube-apiserver",),
            stop_rank=10,
        )

    def kwok(self, program: Path) -> Part:
        """Plays the nodes. It renews their leases, or the scheduler would think them lost."""
        return Part(
            name="kwok",
            argv=(
                *(str(program), "--kubeconfig", self._kubeconfig, "--manage-all-nodes=true"),
                f"--node-lease-duration-seconds={NODE_LEASE_SECONDS}",
                *("--config", str(STAGES)),
                f"--server-address=127.0.0.1:{self.ports.kwok}",
            ),
            log=self.logs / "kwok.log",
            port=self.ports.kwok,
            ready=probes.answers(f"http://127.0.0.1:{self.ports.kwok}/healthz"),
            after=("kube-apiserver",),
            stop_rank=10,
            note="simulated nodes",
        )

    def nodes(self) -> Part:
        """A step: creates the nodes of `nodes.py` that are missing."""
        return Part(
            name="nodes",
            argv=(sys.executable, "-m", "deploy.demo.parts.nodes"),
            env={
                "PYTHONPATH": str(ROOT),
                "NODES_URL": self.files.url,
                "NODES_TOKEN": self.files.admin_token,
            },
            log=self.logs / "nodes.log",
            after=("kube-apiserver",),
            once=True,
        )

    @property
    def _kubeconfig(self) -> str:
        return str(self.files.kubeconfig)
