"""Sets up and runs the planner: ``python run.py demo``, ``python run.py test``. Needs Python and nothing else.

Takes the command line. Makes .venv beside this file once, with what pyproject.toml asks for at the versions of
constraints.txt, then hands over to the planner, or to pytest, in it. Installs nothing anywhere else, so it works where
the system's Python refuses installs. Keeps to what Python 3.6 can read: an old Python gets a sentence, not a traceback.
"""

import hashlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Dict, Iterator, List, NoReturn, Optional, Set, Tuple

OLDEST, NEWEST = (3, 11), (3, 14)
ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "run.json"
LOG = VENV / "install.log"

PLANNER = ("demo", "run", "why", "progress", "new", "check", "fetch", "app", "compare")
# Further words: the extra that each needs, and the modules it runs in turn.
TOOLS = {
    "test": ("test", [["pytest"]]),
    "lint": ("dev", [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]]),
}

# Settings of other installations must not leak in: GIS shells set the first two, some offices the next three. The last
# would have every start compile every module again.
FOREIGN = {"PYTHONHOME", "PYTHONPATH", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PYTHONDONTWRITEBYTECODE"}
NEEDED_BYTES = 1_500_000_000
FULL_BYTES = 50_000_000


def tell(zh: str, en: str) -> None:
    """Print a sentence in both languages, in English alone where the terminal cannot write Chinese."""
    for text in (zh, en):
        try:
            text.encode(sys.stderr.encoding or "ascii")
        except UnicodeEncodeError:
            continue
        print(text, file=sys.stderr)


def fail(zh: str, en: str) -> NoReturn:
    """Say what is wrong around the planner, and end (exit 3)."""
    tell(zh, en)
    sys.exit(3)


def check_python(version: Tuple[int, int] = sys.version_info[:2], bits: int = sys.maxsize.bit_length() + 1) -> None:
    """End with a sentence where this Python cannot run the planner."""
    if OLDEST <= version <= NEWEST and bits == 64:
        return
    seen = f"Python {version[0]}.{version[1]} ({bits} bit)"
    span = f"3.{OLDEST[1]} - 3.{NEWEST[1]}"
    names = [f"python3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1)]
    name = next((name for name in names if shutil.which(name)), names[0])
    command = " ".join([name, "run.py", *sys.argv[1:]])
    fail(
        f"需要 64 位的 Python {span},当前是 {seen}。请安装后用它运行,例如:{command}",
        f"This needs a 64-bit Python {span}; this is {seen}. Install one and run it, for instance: {command}",
    )


def surroundings() -> Dict[str, str]:
    """Return the environment variables that programs in .venv see."""
    return {name: value for name, value in os.environ.items() if name.upper() not in FOREIGN}


def step(command: List[str], **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run one step of the setup to its end; an interrupt ends it at once."""
    return subprocess.run(command, env=surroundings(), cwd=str(ROOT), encoding="utf-8", errors="replace", **options)


def has(module: str) -> bool:
    """Tell whether the Python that runs this file has ``module``."""
    return importlib.util.find_spec(module) is not None


def identity() -> str:
    """Return what two Pythons share exactly where the packages of the one serve the other."""
    return f"{sys.implementation.cache_tag} {sysconfig.get_platform()}"


def usable() -> bool:
    """Tell whether .venv has a Python that runs, is like this one, and can be installed into."""
    program = "import sys, sysconfig; print(sys.implementation.cache_tag, sysconfig.get_platform())"
    try:
        seen = step([str(PYTHON), "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError:
        return False
    return seen.stdout.strip() == identity() and bool(pip())


def pip() -> List[str]:
    """Return the command that installs into .venv: its own pip, else this Python's; empty where neither has one."""
    own = step([str(PYTHON), "-c", "import pip"], stderr=subprocess.DEVNULL)
    if own.returncode == 0:
        return [str(PYTHON), "-m", "pip"]
    return [sys.executable, "-m", "pip", "--python", str(PYTHON)] if has("pip") else []


def make_venv() -> None:
    """Make .venv in the first of three ways that this Python allows."""
    # The .venv that is made anew may be the one that runs this file.
    base = getattr(sys, "_base_executable", None) or sys.executable
    if has("venv") and has("ensurepip"):
        command = [base, "-m", "venv"]
    elif has("virtualenv"):
        command = [sys.executable, "-m", "virtualenv"]
    elif has("venv") and has("pip"):
        command = [sys.executable, "-m", "venv", "--without-pip"]
    else:
        package = f"python3.{sys.version_info[1]}-venv"
        fail(
            f"这个 Python 不能建立虚拟环境(缺少 venv 或 ensurepip)。Debian、Ubuntu 请先运行:sudo apt install {package}"
            "(或 python3-venv),再重新运行同一命令。",
            "This Python cannot make a virtual environment (no venv or ensurepip). On Debian or Ubuntu run first: "
            f"sudo apt install {package} (or python3-venv), then the same command again.",
        )
    made = step([*command, str(VENV)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if made.returncode:
        print(made.stdout, file=sys.stderr)
        explain(made.stdout)


def install(extras: Set[str]) -> None:
    """Install the project, editable, and what it needs into .venv."""
    target = f".[{','.join(sorted(extras))}]" if extras else "."
    # Compiling every module costs half of the time; the first start compiles the few that it imports.
    options = ["--no-compile", "--no-input", "--no-user", "--disable-pip-version-check", "--log", str(LOG)]
    # Progress is for a person at a terminal, and stdout for the planner alone.
    options += [] if sys.stderr.isatty() else ["--quiet", "--progress-bar", "off"]
    if step([*pip(), "install", *options, "-c", "constraints.txt", "-e", target], stdout=2).returncode:
        explain(LOG.read_text(encoding="utf-8", errors="replace") if LOG.exists() else "")


def explain(log: str) -> NoReturn:
    """Say why a step of the setup failed, as far as its log and the disk can tell."""
    places = sorted({str(ROOT), tempfile.gettempdir()})
    if re.search(r"Errno 28\b|No space left|not enough space", log) or any(map(is_full, places)):
        size = f"{NEEDED_BYTES / 1e9:.1f} GB"
        fail(
            f"磁盘空间不足:安装约需 {size}(位置:{'、'.join(places)})。请腾出空间后重新运行同一命令。",
            f"The disk is full: the setup needs about {size} ({', '.join(places)}). Make room and run it again.",
        )
    if re.search(r"NewConnectionError|(Connect|Read)Timeout|getaddrinfo|name resolution|ProxyError|SSLError", log):
        fail(
            "无法下载所需的软件包。请检查网络或代理,或用 PIP_INDEX_URL 指定单位的镜像,再重新运行同一命令。"
            "完全离线的安装方法见 CONTRIBUTING.md 的 Without a network 一节。",
            "The packages could not be downloaded. Check the network or the proxy, or name a mirror of your office in "
            "PIP_INDEX_URL, and run it again. For a machine without a network see CONTRIBUTING.md, Without a network.",
        )
    record = (f"(详细记录:{LOG})", f" (details: {LOG})") if LOG.exists() else ("", "")
    fail(
        f"运行环境没有准备好,原因见上文{record[0]}。解决后请重新运行同一命令。",
        f"The setup did not finish; the reason stands above{record[1]}. Then run the same command again.",
    )


def is_full(place: str) -> bool:
    """Tell whether the disk of a folder has no room to speak of."""
    return shutil.disk_usage(place).free < FULL_BYTES


def read_stamp() -> Optional[Dict[str, Any]]:
    """Return what .venv was noted to hold: None where this file did not make it, empty where it did not finish."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(stamp: Dict[str, Any]) -> None:
    """Note what .venv holds."""
    STAMP.write_text(json.dumps(stamp, indent=1), encoding="utf-8")


def wanted() -> Dict[str, str]:
    """Return what must be alike for .venv to be up to date."""
    inputs = b"\0".join((ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt"))
    return {"python": identity(), "folder": str(ROOT), "inputs": hashlib.sha256(inputs).hexdigest()}


def is_ready(extras: Set[str]) -> bool:
    """Tell whether .venv holds the project as it is now, with ``extras``."""
    stamp = read_stamp() or {}
    return PYTHON.exists() and extras <= set(stamp.get("extras", ())) and wanted().items() <= stamp.items()


def prepare(extras: Set[str]) -> None:
    """Make .venv hold the project with ``extras``; do nothing where it does."""
    if is_ready(extras):
        return
    with one_at_a_time():
        if is_ready(extras):
            return
        tell("正在准备运行环境 .venv(首次约需一两分钟)……", "Setting up .venv (a minute or two the first time) ...")
        stamp = read_stamp()
        # An interrupted install may have left a package there by half, which pip would take for whole.
        if stamp == {} or not usable():
            if VENV.exists():
                shutil.rmtree(str(VENV))
            VENV.mkdir()
            write_stamp({})
            make_venv()
            stamp = {}
        extras = extras | set((stamp or {}).get("extras", ()))
        write_stamp({})
        install(extras)
        write_stamp({**wanted(), "extras": sorted(extras)})


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Let no two windows set up at once. The lock goes with its process, however that ends."""
    with (ROOT / ".venv.lock").open("a") as file:
        if not try_lock(file):
            tell("另一个窗口正在准备运行环境,请稍候……", "Another window is setting up; waiting for it ...")
            while not try_lock(file):
                time.sleep(1)
        yield


def try_lock(file: IO[str]) -> bool:
    """Take the lock unless another process has it; a file system without locks gives it to everyone."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True
    return True


def hand_over(command: List[str]) -> int:
    """Become ``command``, or where the system cannot do that, run it and return its exit code."""
    if os.name == "posix":
        os.execve(command[0], command, surroundings())
    process = subprocess.Popen(command, env=surroundings())
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue  # The terminal has told the program too, and it ends in its own way.


def main(words: List[str]) -> int:
    """Do what the command line says; return the exit code."""
    check_python()
    command, rest = (words or [""])[0], words[1:]
    if command not in (*PLANNER, *TOOLS):
        known = " | ".join((*PLANNER, *TOOLS))
        tell(f"用法:python run.py [{known}] …", f"Usage: python run.py [{known}] ...")
        return 0 if command in ("-h", "--help") else 2
    # Being told to end is an interrupt: the step that is running ends with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if command in PLANNER:
            prepare(set())
            # -P: a file in the user's folder that is called like a module is no module.
            return hand_over([str(PYTHON), "-P", "-m", "planner", *words])
        extra, modules = TOOLS[command]
        prepare({extra})
        os.chdir(str(ROOT))
        for module in modules[:-1]:
            done = step([str(PYTHON), "-m", *module])
            if done.returncode:
                return done.returncode
        return hand_over([str(PYTHON), "-m", *modules[-1], *rest])
    except KeyboardInterrupt:
        tell("已中断。重新运行同一命令即可继续。", "Interrupted. Run the same command to go on.")
        return 130
    except PermissionError as error:
        fail(
            f"无法写入:{error}。请关闭正在使用 .venv 的程序,确认 {ROOT} 可写,再重新运行同一命令。",
            f"Not allowed: {error}. Close programs that use .venv, make sure that you may write to {ROOT}, run it again.",
        )
    except OSError as error:
        print(error, file=sys.stderr)
        explain(str(error))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
