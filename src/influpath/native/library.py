"""Compiling the kernels, ``*.c``, once per machine, with its C compiler if there is one.

Neither installing nor importing the package needs a compiler.  The first training or planning
compiles in some seconds, for the processor at hand, into the user's cache; where that fails, or the
result does not compute what PyTorch does, it goes on without, more slowly.
"""

import ctypes
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from threading import Lock

logger = logging.getLogger("influpath.native")

# "0" goes without compiled kernels.
SWITCH = "INFLUPATH_NATIVE"
SOURCES = tuple(
    Path(__file__).with_name(f"{name}.c")
    for name in (
        *("attention", "block", "cross_entropy", "feed", "layers", "narrow_attention", "output"),
        "reading",
    )
)
HEADERS = tuple(
    Path(__file__).with_name(f"{name}.h") for name in ("attention", "layers", "products", "vectors")
)
FLAGS = (
    *("-O3", "-march=native", "-std=gnu11", "-ffp-contract=fast", "-fno-math-errno"),
    *("-shared", "-fPIC"),
)
COMPILERS = ("cc", "gcc", "clang")
COMPILE_SECONDS = 120

_compiling = Lock()

Pointer, Number = ctypes.c_void_p, ctypes.c_int64
SIGNATURES = {
    "lanes": [],
    "attention_forward": [*[Number] * 4, *[Pointer] * 2, Number, *[Pointer] * 4],
    "attention_backward": [*[Number] * 4, *[Pointer] * 2, Number, *[Pointer] * 7],
    "block_kept": [Number] * 5,
    "block_forward": [Pointer, *[ctypes.c_float] * 2, *[Pointer] * 8],
    "block_backward": [Pointer, *[ctypes.c_float] * 2, *[Pointer] * 11],
    "feed_forward": [*[Number] * 3, ctypes.c_float, *[Pointer] * 5],
    "feed_candidates": [*[Number] * 6, ctypes.c_float, *[Pointer] * 10],
    "cross_entropy": [*[Number] * 3, *[Pointer] * 9],
    "gelu_forward": [*[Number] * 2, *[Pointer] * 3],
    "normalise": [*[Number] * 2, ctypes.c_float, *[Pointer] * 4, Number, Pointer],
    "mix_last": [*[Number] * 5, Pointer, Number, *[Pointer] * 2],
    "mix_each": [
        *[Number] * 5,
        *[Pointer, Number] * 3,
        *[Number, Pointer],
        *[Number] * 3,
        *[Pointer] * 3,
    ],
    "power_sums": [*[Number] * 3, *[Pointer] * 3],
    "exponential_sums": [*[Number] * 2, *[Pointer] * 3],
    "highest_allowed": [*[Number] * 2, *[Pointer] * 4],
}


@cache
def kernels() -> ctypes.CDLL | None:
    """Return the compiled kernels, compiling them if need be; None where there are none."""
    # Of threads that ask at once, one compiles and the others wait for it.
    with _compiling:
        return _kernels()


def _kernels() -> ctypes.CDLL | None:
    if os.environ.get(SWITCH) == "0":
        return None
    for compiler in filter(None, map(shutil.which, COMPILERS)):
        try:
            return loaded(compiled(compiler, folder()))
        except (OSError, AttributeError, subprocess.SubprocessError) as cause:
            logger.info("the kernels could not be compiled by %s: %s", compiler, cause)
    logger.debug("no C compiler that fits: training and planning go without compiled kernels")
    return None


def loaded(file: Path) -> ctypes.CDLL:
    """Return a library of kernels, its functions declared.

    Raises:
        OSError: It cannot be loaded.
        AttributeError: It lacks a kernel.
    """
    library = ctypes.CDLL(str(file))
    for name, arguments in SIGNATURES.items():
        getattr(library, name).argtypes = arguments
    library.block_kept.restype = Number
    return library


def folder() -> Path:
    """Return where compiled kernels are kept: the user's cache, closed to others."""
    import pooch

    place = Path(pooch.os_cache("influpath")) / "native"
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.access(place, os.W_OK):
            return place
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="influpath-native-"))


def compiled(compiler: str, place: Path) -> Path:
    """Return the library for this source, compiler and processor, made if it is not there yet.

    Args:
        compiler: Path of the compiler.
        place: Folder of the libraries.

    Raises:
        OSError: A file cannot be written.
        SubprocessError: It does not compile.
    """
    version = subprocess.run(
        [compiler, "--version"], capture_output=True, check=True, timeout=COMPILE_SECONDS
    )
    texts = [file.read_bytes() for file in (*SOURCES, *HEADERS)]
    parts = (*texts, " ".join(FLAGS).encode(), version.stdout, processor().encode())
    name = hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
    library = place / f"kernels-{name}.so"
    if not library.exists():
        with tempfile.TemporaryDirectory(dir=place) as work:
            made = Path(work) / library.name
            command = [compiler, *FLAGS, "-o", str(made), *map(str, SOURCES)]
            subprocess.run(command, capture_output=True, check=True, timeout=COMPILE_SECONDS)
            # At once, since other processes may be doing the same.
            made.replace(library)
    return library


def processor() -> str:
    """Return what tells processors of different abilities apart."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    told = {line for line in lines if line.startswith(("model name", "flags", "Features"))}
    return "\n".join([platform.machine(), platform.processor(), *sorted(told)])
