from __future__ import annotations

from pathlib import Path

import pytest

from console.clients.credentials import Reference, Secret, parse
from console.errors import Refused


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("kubeconfig:/etc/kube/config", Reference("kubeconfig", "/etc/kube/config")),
        ("kubeconfig:/etc/config#blue", Reference("kubeconfig", "/etc/config", "blue")),
        ("kubeconfig:env:KUBECONFIG#a:b", Reference("kubeconfig", "env:KUBECONFIG", "a:b")),
        ("env:TOKEN", Reference("env", "TOKEN")),
        ("file:/run/secrets/key", Reference("file", "/run/secrets/key")),
        ("in-cluster", Reference("in-cluster")),
    ],
)
def test_every_documented_shape_is_understood(text: str, reference: Reference) -> None:
    assert parse(text) == reference


@pytest.mark.parametrize("text", ["", "s3cr3t", "vault:x", "env:", "kubeconfig:env:", "file:"])
def test_other_shapes_are_refused_without_repeating_them(text: str) -> None:
    with pytest.raises(Refused) as caught:
        parse(text)
    assert caught.value.code == "credential"
    assert not text or "s3cr3t" not in caught.value.message


def test_a_secret_does_not_show_itself() -> None:
    secret = Secret("s3cr3t")
    assert "s3cr3t" not in f"{secret!r} {secret} {[secret]}"
    assert secret.scrub("token s3cr3t was echoed") == "token *** was echoed"
    assert Secret("").scrub("unchanged") == "unchanged"


def test_a_secret_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADROOM_TEST_KEY", " s3cr3t\n")
    assert parse("env:HEADROOM_TEST_KEY").read().value == "s3cr3t"
    before = parse("env:HEADROOM_TEST_KEY").stamp()
    monkeypatch.setenv("HEADROOM_TEST_KEY", "other")
    assert parse("env:HEADROOM_TEST_KEY").stamp() != before
    assert "other" not in parse("env:HEADROOM_TEST_KEY").stamp()
    monkeypatch.delenv("HEADROOM_TEST_KEY")
    with pytest.raises(Refused, match="HEADROOM_TEST_KEY is not set"):
        parse("env:HEADROOM_TEST_KEY").read()


def test_a_secret_comes_from_a_file_and_its_stamp_follows_changes(tmp_path: Path) -> None:
    path = tmp_path / "key"
    reference = parse(f"file:{path}")
    with pytest.raises(Refused, match="No such file"):
        reference.read()
    assert reference.stamp() == "absent"
    path.write_text("one\n")
    before = reference.stamp()
    assert reference.read().value == "one"
    # As Kubernetes does it: another file takes the name.
    (tmp_path / "next").write_text("two")
    (tmp_path / "next").replace(path)
    assert reference.stamp() != before
    assert reference.read().value == "two"


def test_empty_and_binary_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(" \n")
    with pytest.raises(Refused, match="is empty"):
        parse(f"file:{path}").read()
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Refused, match="not a text file"):
        parse(f"file:{path}").read()


def test_a_kubeconfig_path_may_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HEADROOM_TEST_KUBE", str(tmp_path / "config"))
    assert parse("kubeconfig:env:HEADROOM_TEST_KUBE#x").path() == tmp_path / "config"


def test_in_cluster_points_at_the_service_account() -> None:
    assert str(parse("in-cluster").path()).endswith("serviceaccount/token")
    assert parse("in-cluster").stamp() == "in-cluster"
