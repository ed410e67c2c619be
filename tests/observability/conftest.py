"""Each test of a reader, and of what acts on what it reads, runs on the emulator and on a real
control plane."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.observability.engines.clusters import (
    Site,
    emulated,
    serve_workflows,
    site_in,
)


@pytest.fixture(params=["emulator", pytest.param("cluster", marks=pytest.mark.cluster)])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A namespace in a cluster."""
    if request.param == "emulator":
        with emulated(tmp_path) as (_, emulated_site):
            yield emulated_site
        return
    kubeconfig: Path = request.getfixturevalue("kubeconfig")
    serve_workflows(kubeconfig)
    yield site_in(kubeconfig)
