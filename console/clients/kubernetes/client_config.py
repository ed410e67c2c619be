"""Reading a credential with the official SDK: addresses, TLS and tokens. All of it may block."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from yarl import URL

from console.clients import allowance
from console.clients.credentials import Reference, Secret
from console.clients.kubernetes.kubeconfig import document_of, is_kubeconfig
from console.clients.loopback import is_loopback
from console.errors import Refused

if TYPE_CHECKING:
    from kubernetes.client import Configuration

# The SDK's messages quote whole parts of the kubeconfig, tokens included; this much is harmless.
_HARMLESS = re.compile(r"Expected (?:key|object with name) [\w.@:/-]+|Service [\w/ ]+\.")


@dataclass(frozen=True, slots=True)
class Options:
    """What a credential alone may not say. `server` and the rest only matter for bare tokens."""

    server: str = ""
    ca_file: str = ""
    insecure_skip_tls_verify: bool = False
    connections: int = 16
    request_timeout: float = 15.0


@dataclass(frozen=True, slots=True)
class Loaded:
    """Everything that a session needs to know about a target."""

    configuration: Configuration = field(repr=False)
    tls: ssl.SSLContext | None
    base: str
    proxy: str | None
    server_name: str | None


@cache
def _sdk(module: str) -> Any:
    """Part of the SDK. It takes 17 MiB: only a process that talks to a cluster loads it."""
    return import_module(f"kubernetes.{module}")


def load(credential: Reference, options: Options) -> Loaded:
    """Read the credential into the SDK's configuration and a TLS context.

    Refused (code `credential`) when it cannot be used; the message holds no secret.
    """
    configuration: Configuration = _sdk("client").Configuration()
    config_error: type[Exception] = _sdk("config").ConfigException
    try:
        _fill(configuration, credential, options)
        address = _address(configuration)
        tls = _tls(configuration)
        proxy = _text(configuration.proxy, "proxy-url")
        server_name = _text(configuration.tls_server_name, "tls-server-name")
    except (ssl.SSLError, OSError) as problem:
        reason = getattr(problem, "strerror", None) or type(problem).__name__
        raise Refused(f"TLS material cannot be used: {reason}", code="credential") from None
    except (
        config_error,
        yaml.YAMLError,
        TypeError,
        KeyError,
        AttributeError,
        ValueError,
        RecursionError,
    ) as bad:
        # Not chained and hardly quoted: these errors repeat the text around the mistake.
        match = _HARMLESS.search(str(bad)) if isinstance(bad, config_error) else None
        hint = match[0] if match else "not a usable kubeconfig"
        raise Refused(f"the credential cannot be used: {hint}", code="credential") from None
    return Loaded(
        configuration,
        tls,
        base=str(configuration.host).rstrip("/"),
        proxy=None if is_loopback(address.host) else proxy,
        server_name=server_name,
    )


def _text(value: object, name: str) -> str | None:
    """What a kubeconfig says under a name, which the SDK passes on unread."""
    if value is None or isinstance(value, str):
        return value or None
    raise Refused(f"the credential cannot be used: its {name} is no text", code="credential")


def _fill(configuration: Configuration, credential: Reference, options: Options) -> None:
    if credential.scheme == "in-cluster":
        _sdk("config").load_incluster_config(configuration)
        return
    secret = credential.read()
    if credential.scheme != "kubeconfig" and not is_kubeconfig(secret.value):
        _fill_from_token(configuration, secret, options)
        return
    base = None if credential.scheme == "env" else credential.path().parent
    document = document_of(secret.value, credential.context, base)
    loader = _sdk("config.kube_config").KubeConfigLoader(
        document, active_context=credential.context or None, config_base_path=str(base or "")
    )
    loader.load_and_set(configuration)
    if "exec:" in secret.value and not (configuration.api_key or configuration.cert_file):
        # The SDK only logs this and goes on as anonymous.
        raise Refused("the kubeconfig's credential plugin gave no credential", code="credential")


def _fill_from_token(configuration: Configuration, token: Secret, options: Options) -> None:
    if not options.server:
        raise Refused("a bare token needs the server's address", code="credential")
    _url(options.server)
    configuration.host = options.server
    configuration.api_key["BearerToken"] = f"Bearer {token.token()}"
    configuration.verify_ssl = not options.insecure_skip_tls_verify
    configuration.ssl_ca_cert = ca_file(options.ca_file)


def ca_file(path: str) -> str | None:
    """The file of certificates that a target names, resolved; None where it names none. Refused
    (code `credential`) where it may not be named."""
    return str(allowance.current().file(Path(path))) if path else None


def _address(configuration: Configuration) -> URL:
    """The server's address. Refused where it is none, and where a token would travel to it for
    everybody on the way to read."""
    address = _url(str(configuration.host))
    if address.scheme == "http" and configuration.api_key and not is_loopback(address.host):
        raise Refused(
            "a token is sent over plain http to this machine only; use https", code="credential"
        )
    return address


def _url(text: str) -> URL:
    try:
        address = URL(text)
        if address.scheme in ("http", "https") and address.host:
            return address
    except ValueError:
        pass
    raise Refused("the server's address is no URL such as https://HOST:6443", code="credential")


def _tls(configuration: Configuration) -> ssl.SSLContext | None:
    if not str(configuration.host).startswith("https"):
        return None
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert or None)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    # Kubernetes' own CAs are often older than what Python 3.13's strict mode accepts.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    return context


def headers_of(configuration: Configuration) -> dict[str, str]:
    """The headers of every request; asks the SDK for a fresh token when the old one expired."""
    headers = {"User-Agent": "headroom", "Accept": "application/json"}
    token = configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
    if token:
        headers["Authorization"] = Secret(token.strip()).token()
    return headers
