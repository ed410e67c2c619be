"""The parts that are Headroom itself: migrations, seeds, web server, Celery, sample workloads."""

import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.demo.parts import argo, celery_workers
from deploy.demo.parts.kubeconfig_files import files_named_in
from deploy.demo.stack import probes
from deploy.demo.stack.part import Part
from deploy.demo.stack.state import ROOT, State


@dataclass(frozen=True, slots=True, kw_only=True)
class StackConfig:
    """What the Django processes have to know about the other parts.

    `kubernetes` is "real", "emulated" or "external" (a kubeconfig of the user's own).
    """

    state: State
    web_port: int
    valkey_port: int
    temporal_port: int
    temporal_ui_port: int
    kubeconfig: Path
    kubernetes: str
    argo_port: int | None = None

    @property
    def argo_server(self) -> str:
        """Where the emulated Argo server answers; empty where there is none."""
        return f"http://127.0.0.1:{self.argo_port}" if self.argo_port else ""

    @property
    def url(self) -> str:
        """Where the console answers."""
        return f"http://127.0.0.1:{self.web_port}"

    @property
    def temporal_ui(self) -> str:
        """Where Temporal's own UI answers."""
        return f"http://127.0.0.1:{self.temporal_ui_port}"

    def credentials(self) -> list[Path]:
        """The files that targets may name, one by one: other secrets lie beside them."""
        own = [self.kubeconfig, argo.server_token(self.state)]
        return own + files_named_in(self.kubeconfig)

    def environment(self) -> dict[str, str]:
        """The environment of every Django process, and of `manage.py` by hand."""
        return {
            "PYTHONPATH": str(ROOT),
            "DJANGO_SETTINGS_MODULE": "console.settings",
            "DATABASE_URL": f"sqlite:///{self.state.database}",
            "CELERY_BROKER_URL": f"redis://127.0.0.1:{self.valkey_port}/0",
            "ARCHIVE_URL": (self.state.directory / "archive").as_uri(),
            "CELERY_BEAT_SCHEDULE": str(self.state.directory / "beat-schedule"),
            "SECRET_KEY": self.state.secret_key(),
            "DEBUG": "false",
            "SECURE_COOKIES": "false",  # loopback has no TLS
            "ALLOWED_HOSTS": "127.0.0.1,localhost,[::1]",
            "STATIC_ROOT": str(self.state.directory / "static"),
            "WHITENOISE_USE_FINDERS": "true",
            "LOG_FORMAT": "console",
            "CREDENTIAL_DIRS": ",".join(map(str, self.credentials())),
            # Of a cluster of the user's own: what their kubectl runs, the demo runs too.
            "CREDENTIAL_PLUGINS": "true" if self.kubernetes == "external" else "false",
            # Nobody looks at the sample jobs of last week.
            "JOB_RETENTION_DAYS": "2",
            # Quick enough to watch drift being found and healed.
            "SWEEP_SECONDS": "30",
            "REPLAY_BUNDLES": str(self.state.directory / "bundles"),
            "HEADROOM_DEMO": "true",
            "HEADROOM_DEMO_URL": self.url,
            "HEADROOM_DEMO_CREDENTIALS": str(self.state.credentials),
            "HEADROOM_DEMO_KUBERNETES": self.kubernetes,
            "HEADROOM_DEMO_KUBECONFIG": str(self.kubeconfig),
            "HEADROOM_DEMO_CELERY": f"redis://127.0.0.1:{self.valkey_port}/1",
            "HEADROOM_DEMO_TEMPORAL": f"127.0.0.1:{self.temporal_port}",
            "HEADROOM_DEMO_TEMPORAL_UI": self.temporal_ui,
            "HEADROOM_DEMO_ARGO_SERVER": self.argo_server,
            "HEADROOM_DEMO_ARGO_TOKEN": f"file:{argo.server_token(self.state)}",
        }


def parts(config: StackConfig, *, targets: tuple[str, ...]) -> list[Part]:
    """Headroom's own parts. `targets` names the parts that the seeds and workloads talk to."""
    state, env = config.state, config.environment()
    (state.directory / "static").mkdir(exist_ok=True)
    console_parts = [_manage(state, env, "migrate", "--verbosity=1", after=(), essential=True)]
    console_parts += [_web(config, env), *_celery(state, env), _ingest(state, env)]
    console_parts.append(_seed(state, env, ("migrate", "valkey", *targets)))
    console_parts += celery_workers.parts(state, env, after=("valkey",))
    console_parts.append(_workloads(state, env, ("seed", *targets)))
    return console_parts


def _seed(state: State, env: Mapping[str, str], after: tuple[str, ...]) -> Part:
    return Part(
        name="seed",
        argv=(sys.executable, "-m", "deploy.demo.seed"),
        env=env,
        log=state.logs / "seed.log",
        after=after,
        once=True,
        start_timeout=300.0,
        orphan_signal=signal.SIGTERM,
        note="sample platform",
    )


def _manage(
    state: State,
    env: Mapping[str, str],
    command: str,
    *arguments: str,
    after: tuple[str, ...],
    essential: bool = False,
) -> Part:
    return Part(
        name=command,
        argv=(sys.executable, str(ROOT / "manage.py"), command, *arguments),
        env=env,
        log=state.logs / f"{command}.log",
        after=after,
        once=True,
        essential=essential,
        start_timeout=300.0,
        orphan_signal=signal.SIGTERM,
    )


def _web(config: StackConfig, env: Mapping[str, str]) -> Part:
    return Part(
        name="web",
        argv=(
            *(sys.executable, "-m", "console.web"),
            *("--host", "127.0.0.1", "--port", str(config.web_port)),
            # One process and a few threads: enough for a demo, and light. A worker that dies
            # takes the server with it, and the supervisor starts both again and says so.
            *("--workers", "1", "--blocking-threads", "4", "--backpressure", "64"),
            *("--no-ws", "--http", "1", "--workers-kill-timeout", "5", "--log-level", "warning"),
        ),
        env=env,
        log=config.state.logs / "web.log",
        port=config.web_port,
        ready=probes.answers(f"{config.url}/healthz"),
        after=("migrate",),
        orphan_signal=signal.SIGTERM,
        note="console",
    )


def _celery(state: State, env: Mapping[str, str]) -> list[Part]:
    celery = (sys.executable, "-m", "celery", "-A", "console")
    worker_log, after = state.logs / "worker.log", ("migrate", "valkey")
    # Threads: the tasks wait for the network most of the time, and one process is light.
    pool = ("--pool", "threads", "--concurrency", "4", "--without-gossip", "--without-mingle")
    worker = Part(
        name="worker",
        argv=(*celery, "worker", *pool, "--loglevel", "INFO"),
        env=env,
        log=worker_log,
        ready=probes.log_says(worker_log, " ready."),
        after=after,
        stop_timeout=15.0,
        orphan_signal=signal.SIGTERM,
        note="celery",
    )
    pidfile = ("--pidfile", "")  # the supervisor knows who runs; a stale file would stop a start
    beat = Part(
        name="beat",
        argv=(*celery, "beat", *pidfile, "--loglevel", "INFO"),
        env=env,
        log=state.logs / "beat.log",
        after=after,
        orphan_signal=signal.SIGTERM,
        note="celery schedule",
    )
    return [worker, beat]


def _ingest(state: State, env: Mapping[str, str]) -> Part:
    log = state.logs / "ingest.log"
    return Part(
        name="ingest",
        argv=(sys.executable, str(ROOT / "manage.py"), "ingest"),
        env=env,
        log=log,
        ready=probes.log_says(log, "ingest.started"),
        after=("migrate", "valkey"),
        stop_timeout=15.0,
        orphan_signal=signal.SIGTERM,
        note="job audit trail",
    )


def _workloads(state: State, env: Mapping[str, str], after: tuple[str, ...]) -> Part:
    return Part(
        name="workloads",
        argv=(sys.executable, "-m", "deploy.demo.workloads"),
        env=env,
        log=state.logs / "workloads.log",
        after=after,
        orphan_signal=signal.SIGTERM,
        note="sample jobs",
    )
