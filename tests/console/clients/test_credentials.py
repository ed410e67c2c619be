from __future__ import annotations

from pathlib import Path

import pytest

from console.clients.credentials import Reference, Secret, parse, parse_secret
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
    monkeypatch.setenv("HEADROOM_CRED_KEY", " s3cr3t\n")
    assert parse("env:HEADROOM_CRED_KEY").read().value == "s3cr3t"
    before = parse("env:HEADROOM_CRED_KEY").stamp()
    monkeypatch.setenv("HEADROOM_CRED_KEY", "other")
    assert parse("env:HEADROOM_CRED_KEY").stamp() != before
    assert "other" not in parse("env:HEADROOM_CRED_KEY").stamp()
    monkeypatch.delenv("HEADROOM_CRED_KEY")
    with pytest.raises(Refused, match="HEADROOM_CRED_KEY is not set"):
        parse("env:HEADROOM_CRED_KEY").read()


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
    monkeypatch.setenv("HEADROOM_CRED_KUBE", str(tmp_path / "config"))
    assert parse("kubeconfig:env:HEADROOM_CRED_KUBE#x").path() == tmp_path / "config"


def test_what_is_for_the_own_cluster_is_given_to_nobody_else() -> None:
    assert parse("in-cluster").stamp() == "in-cluster"
    with pytest.raises(Refused, match="for the cluster that we run in"):
        parse("in-cluster").read()


@pytest.mark.parametrize("text", ["in-cluster", "kubeconfig:/etc/headroom/config"])
def test_what_is_for_clusters_is_no_secret_to_be_sent(text: str) -> None:
    with pytest.raises(Refused, match="for clusters only"):
        parse_secret(text)


@pytest.mark.parametrize(
    "value",
    [
        "root:x:0:0:root:/root:/bin/sh\nbin:x:1:1",
        "a\r\nX-Evil: 1",
        "a\tb",
        "a b c",
        "é",
        "\u202e",
        "",
    ],
)
def test_what_no_token_looks_like_is_not_sent_as_one(value: str) -> None:
    with pytest.raises(Refused, match="is not a token") as caught:
        Secret(value).token()
    assert caught.value.code == "credential"
    assert not value or value not in caught.value.message


@pytest.mark.parametrize("value", ["eyJhbGciOi.eyJpc3Mi.c2ln", "Bearer abc", "a/b+c=~"])
def test_what_looks_like_one_is(value: str) -> None:
    assert Secret(value).token() == value
