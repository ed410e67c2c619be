"""The token file, in the format that kube-apiserver reads, and files that hold secrets."""

import csv
import os
from pathlib import Path

from deploy.emulators.kubernetes.access import User


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(opened, "w", encoding="utf-8") as file:
        file.write(text)


def read_tokens(data_dir: Path | None) -> dict[str, User]:
    """Read kube's token file format: token,user,uid,"group1,group2"."""
    if not data_dir or not (data_dir / "tokens.csv").exists():
        return {}
    with (data_dir / "tokens.csv").open(encoding="utf-8", newline="") as file:
        return {
            row[0]: User(row[1], tuple(group for group in row[3].split(",") if group))
            for row in csv.reader(file)
        }


def write_tokens(data_dir: Path | None, tokens: dict[str, User]) -> None:
    """Write the token file; nothing without a directory."""
    if not data_dir:
        return
    rows = [
        f'{token},{user.name},{user.name},"{",".join(user.groups)}"\n'
        for token, user in tokens.items()
    ]
    write_private(data_dir / "tokens.csv", "".join(rows))
