"""Makes or updates .venv: `python3 bootstrap.py dev|demo`. Does nothing when nothing changed.

Runs on whatever Python the machine has, so that an old one gets a message and not a SyntaxError:
keep this file to what Python 3.6 knows.
"""

import hashlib
import importlib.util
import ssl
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
OLDEST = (3, 11)


def requirements(name: str) -> Path:
    """The path of a compiled requirements file."""
    return ROOT / "requirements" / f"{name}.txt"


def stamp(name: str) -> Path:
    """The file that says which version of `name` is installed."""
    return VENV / f".headroom-{name}"


def digest(name: str) -> str:
    """What the stamp of an up-to-date `name` contains."""
    return hashlib.sha256(requirements(name).read_bytes()).hexdigest()


def installed(name: str) -> bool:
    """Whether exactly this version of `name` is installed."""
    return stamp(name).exists() and stamp(name).read_text() == digest(name)


def run(*argv: str) -> None:
    """Run a program whose output the user sees; end with its code if it fails."""
    code = subprocess.call(argv, cwd=str(ROOT))
    if code:
        sys.exit(code)


def make_venv() -> None:
    """Create .venv, or say what the machine lacks for that."""
    version = ".".join(str(number) for number in sys.version_info[:3])
    if sys.version_info[:2] < OLDEST:
        sys.exit(
            f"Python 3.11 or newer is needed; {sys.executable} is {version}. "
            "Name another one: make PYTHON=/path/to/python3 …"
        )
    # Debian ships Python without these two.
    if not importlib.util.find_spec("ensurepip") or not importlib.util.find_spec("venv"):
        sys.exit(
            f"{sys.executable} cannot make virtual environments. On Debian and Ubuntu: "
            f"apt-get install python{version.rpartition('.')[0]}-venv"
        )
    print(f"Making .venv with {sys.executable} ({version})")
    run(sys.executable, "-m", "venv", "--clear", str(VENV))


def usable() -> bool:
    """Whether .venv is there and its Python runs (one copied or upgraded away does not)."""
    code = f"import sys; sys.exit(sys.version_info[:2] < {OLDEST!r})"
    try:
        return subprocess.call([str(PYTHON), "-c", code], stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def has_system_certificates() -> bool:
    """Whether the machine keeps certificates where OpenSSL looks for them."""
    paths = ssl.get_default_verify_paths()
    directory = Path(paths.capath) if paths.capath else None
    return bool(paths.cafile or (directory and any(directory.iterdir())))


def sync(name: str) -> None:
    """Install exactly what requirements/NAME.txt says, and remove the rest."""
    if not installed("uv"):
        pip = (str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        run(*pip, "--require-hashes", "--requirement", str(requirements("uv")))
        stamp("uv").write_text(digest("uv"))
    print(f"Installing requirements/{name}.txt")
    uv = (str(VENV / "bin" / "uv"), "pip", "sync", "--quiet", "--python", str(PYTHON))
    # A company's own authority is in the machine's store, never among those that uv brings.
    trust = ("--system-certs",) if has_system_certificates() else ()
    run(*uv, *trust, "--require-hashes", str(requirements(name)))
    stamp(name).write_text(digest(name))


def main(name: str) -> None:
    """Bring .venv up to date for `name`. A development .venv stays one: it covers the demo."""
    if not usable():
        make_venv()
    wanted = "dev" if name == "demo" and stamp("dev").exists() else name
    if not installed(wanted):
        sync(wanted)


if __name__ == "__main__":
    main(sys.argv[1])
