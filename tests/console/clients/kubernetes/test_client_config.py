"""What a credential of a cluster may have us read, run and send, and where to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pytest_django import Settings

from console.clients.credentials import parse
from console.clients.kubernetes.client import KubernetesClient
from console.clients.kubernetes.client_config import Options, load
from console.errors import Refused
from tests.console.clients.scripted import Answer, scripted
from tests.waiting import HANGS

TOKEN = "s3cr3t-token"
ELSEWHERE = ["http://192.0.2.1:6443", "http://cluster.invalid", "http://127.0.0.1.evil.invalid",
             "http://localhost@cluster.invalid", "HTTP://192.0.2.1"]  # fmt: skip


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADROOM_CRED_TOKEN", TOKEN)


@pytest.fixture
def place(tmp_path: Path, settings: Settings) -> Path:
    """The one directory of credentials; another lies beside it."""
    place = tmp_path / "creds"
    place.mkdir()
    (tmp_path / "other").mkdir()
    settings.CREDENTIAL_DIRS = [str(place)]
    return place


def written(path: Path, *, server: str, user: dict[str, Any], **cluster: Any) -> str:
    """A kubeconfig of one context; its reference."""
    path.write_text(
        yaml.safe_dump(
            {
                "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
                "users": [{"name": "u", "user": user}, {"name": "idle", "user": {"exec": {}}}],
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "x",
            }
        )
    )
    return f"kubeconfig:{path}"


def refusal(reference: str, **options: Any) -> str:
    """The message with which a client refuses to begin."""
    with pytest.raises(Refused) as caught:
        KubernetesClient(reference, timeout=HANGS, **options).version()
    assert caught.value.code == "credential"
    assert TOKEN not in repr(caught.value)
    assert caught.value.__cause__ is None
    return caught.value.message


# -- where a token goes ----------------------------------------------------------------------------


@pytest.mark.parametrize("server", ELSEWHERE)
def test_no_token_is_sent_over_plain_http_but_to_this_machine(place: Path, server: str) -> None:
    assert "plain http" in refusal("env:HEADROOM_CRED_TOKEN", server=server)
    named = written(place / "config", server=server.lower(), user={"token": TOKEN})
    assert "plain http" in refusal(named)
    basic = written(
        place / "basic", server=server.lower(), user={"username": "a", "password": TOKEN}
    )
    assert "plain http" in refusal(basic)


def test_a_redirect_takes_no_token_elsewhere() -> None:
    with scripted() as elsewhere:
        away = Answer(302, b"", {"Location": f"{elsewhere.url}/version"})
        with scripted(away) as script:
            with pytest.raises(Refused):
                KubernetesClient("env:HEADROOM_CRED_TOKEN", server=script.url).version()
            assert len(script.seen) == 1
        assert elsewhere.seen == []


def test_a_proxy_of_the_environment_gets_nothing_that_is_for_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    loaded = load(parse("env:HEADROOM_CRED_TOKEN"), Options(server="http://127.0.0.1:2"))
    assert loaded.proxy is None


@pytest.mark.parametrize(
    "server", ["cluster:6443", "ftp://x", "https://", "https://[::1", "//x", "x"]
)
def test_an_address_that_is_none_is_said_to_be_none(server: str) -> None:
    assert "no URL" in refusal("env:HEADROOM_CRED_TOKEN", server=server)


# -- what is a token -------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["root:x:0:0\nbin:x:1:1", "a\r\nX-Evil: 1", "a b c", "é", "a\0b"])
def test_a_file_that_is_no_token_is_refused_and_not_shown(place: Path, text: str) -> None:
    (place / "passwd").write_text(text)
    with scripted() as script:
        for server in (script.url, "https://127.0.0.1:1"):
            message = refusal(f"file:{place}/passwd", server=server)
            assert "is not a token" in message
            assert "root" not in message
        named = written(place / "config", server=script.url, user={"token": text})
        refusal(named)
        (place / "inner").write_text(text)
        named = written(place / "config", server=script.url, user={"tokenFile": "inner"})
        refusal(named)
        assert script.seen == []


# -- what a kubeconfig may have us do --------------------------------------------------------------


@pytest.mark.parametrize("key", ["exec", "auth-provider"])
def test_no_program_is_run_for_a_kubeconfig(place: Path, key: str) -> None:
    marker = place / "ran"
    program = {
        "command": "touch",
        "args": [str(marker)],
        "apiVersion": "client.authentication.k8s.io/v1",
    }
    provider = {"name": "gcp", "config": {"cmd-path": f"touch {marker}"}}
    user = {key: program if key == "exec" else provider}
    message = refusal(written(place / "config", server="http://127.0.0.1:1", user=user))
    assert "CREDENTIAL_PLUGINS=true" in message
    assert not marker.exists()


FILES = ["certificate-authority", "client-certificate", "client-key", "tokenFile"]


@pytest.mark.parametrize("key", FILES)
@pytest.mark.parametrize("way", ["absolute", "relative", "link", "system"])
def test_a_kubeconfig_reads_no_file_from_elsewhere(place: Path, key: str, way: str) -> None:
    (place.parent / "other" / "file").write_text(TOKEN)
    (place / "link").symlink_to("../other/file")
    path = {
        "absolute": f"{place.parent}/other/file",
        "relative": "../other/file",
        "link": "link",
        "system": "/etc/hostname",
    }[way]
    on_cluster = key == "certificate-authority"
    named = written(
        place / "config", server="https://127.0.0.1:1",
        user={} if on_cluster else {key: path}, **({key: path} if on_cluster else {}),
    )  # fmt: skip
    assert "CREDENTIAL_DIRS" in refusal(named)


def test_files_beside_the_kubeconfig_are_read(place: Path) -> None:
    (place / "sub").mkdir()
    (place / "sub" / "token").write_text(f"{TOKEN}\n")
    named = written(place / "config", server="http://127.0.0.1:1", user={"tokenFile": "sub/token"})
    loaded = load(parse(named), Options())
    assert loaded.configuration.api_key["BearerToken"].strip() == f"Bearer {TOKEN}"


def test_what_other_users_of_the_file_would_run_is_nobodys_business(place: Path) -> None:
    with scripted(Answer(body={"gitVersion": "v1.37.2"})) as script:
        named = written(place / "config", server=script.url, user={"token": TOKEN})
        assert KubernetesClient(named).version() == "v1.37.2"
        assert KubernetesClient(f"{named}#x").version() == "v1.37.2"


def test_two_files_in_one_reference_are_none(place: Path) -> None:
    one = written(place / "config", server="http://127.0.0.1:1", user={"token": TOKEN})
    other = place.parent / "other" / "config"
    written(other, server="http://127.0.0.1:1", user={"token": TOKEN})
    refusal(f"{one}:{other}")


@pytest.mark.parametrize(
    "text", ["[" * 1_500 + "clusters:", "clusters: &a [*a]", "clusters: 2026-13-01"]
)
def test_a_kubeconfig_that_cannot_be_read_is_refused(place: Path, text: str) -> None:
    (place / "config").write_text(text)
    refusal(f"kubeconfig:{place}/config")
    refusal(f"file:{place}/config", server="http://127.0.0.1:1")


@pytest.mark.parametrize("value", [5, True, 1.5, ["a"], {"a": "b"}])
@pytest.mark.parametrize("key", ["tls-server-name", "proxy-url"])
def test_a_value_of_another_type_is_refused(place: Path, key: str, value: object) -> None:
    reference = written(
        place / "config", server="https://127.0.0.1:1", user={"token": TOKEN}, **{key: value}
    )
    assert key in refusal(reference) or "not a usable kubeconfig" in refusal(reference)
