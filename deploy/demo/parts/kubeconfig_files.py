"""The files that a kubeconfig names: certificates and keys beside it."""

from pathlib import Path
from typing import Any

import yaml

_NAMES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


def files_named_in(kubeconfig: Path) -> list[Path]:
    """Their paths, relative ones resolved from where the kubeconfig lies; none where it cannot be
    read, which whoever uses it says better."""
    try:
        document = yaml.safe_load(kubeconfig.read_text())
    except (OSError, ValueError, yaml.YAMLError):
        return []
    return [kubeconfig.parent / name for name in _texts(document)]


def _texts(value: Any) -> list[str]:
    if isinstance(value, list):
        return [text for inner in value for text in _texts(inner)]
    if not isinstance(value, dict):
        return []
    own = [str(value[name]) for name in _NAMES if value.get(name)]
    return own + [text for inner in value.values() for text in _texts(inner)]
