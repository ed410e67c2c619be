"""The Temporal development server with its UI."""

from dataclasses import dataclass
from pathlib import Path

from deploy.demo.parts import programs
from deploy.demo.stack import probes
from deploy.demo.stack.part import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporalPorts:
    """gRPC, the HTTP API, Prometheus metrics, and the UI (None: no UI)."""

    grpc: int
    http: int
    metrics: int
    ui: int | None


def temporal(
    *,
    ports: TemporalPorts,
    log: Path,
    db_file: Path | None,
    fairness: bool = True,
    partitions: int | None = 1,
) -> Part:
    """A Temporal server that knows TenantId. `db_file` None: nothing outlives it.

    One partition per task queue makes small limits exact: with four, each gets a quarter of a
    limit and loses what it does not use. None leaves the server's default.
    """
    settings = [
        f"matching.enableFairness={str(fairness).lower()}",
        # A namespace that it has not heard of it looks up at once; without this each of its four
        # services reads all of them every second or two, a fifth of what it costs at rest.
        'system.namespaceCacheRefreshInterval="15s"',
        # What its partitions of a queue tell each other, and there is one.
        'matching.ephemeralDataUpdateInterval="60s"',
    ]
    if partitions is not None:
        settings += [
            f"matching.numTaskqueueReadPartitions={partitions}",
            f"matching.numTaskqueueWritePartitions={partitions}",
        ]
    argv = [
        *(str(programs.temporal()), "server", "start-dev", "--ip", "127.0.0.1"),
        *("--port", str(ports.grpc), "--http-port", str(ports.http)),
        *("--metrics-port", str(ports.metrics), "--log-level", "warn"),
        *("--search-attribute", "TenantId=Keyword"),
        *(word for setting in settings for word in ("--dynamic-config-value", setting)),
    ]
    if db_file is not None:
        db_file.parent.mkdir(parents=True, exist_ok=True)
        argv += ["--db-filename", str(db_file)]
    if ports.ui is None:
        argv.append("--headless")
    else:
        argv += ["--ui-port", str(ports.ui), "--ui-disable-news-fetch"]
    return Part(
        name="temporal",
        argv=tuple(argv),
        log=log,
        port=ports.grpc,
        ready=probes.answers(f"http://127.0.0.1:{ports.http}/api/v1/namespaces/default"),
        stop_rank=20,
        note="fairness on" if fairness else "fairness off",
    )
