"""Finding, downloading and safely reading the public archives.

Archives are read in memory, member by member: nothing is unpacked, so a hostile archive has
nowhere to write.
"""

import hashlib
import logging
import os
import stat
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from influpath.errors import DataError

logger = logging.getLogger("influpath")

DATA_VARIABLE = "INFLUPATH_DATA"
MAX_MEMBER_BYTES = 512 << 20
MAX_LINE_BYTES = 1 << 20


@dataclass(frozen=True)
class ArchiveSource:
    """Where a public dataset comes from and how to recognise it.

    Attributes:
        name: The dataset's name in this package.
        url: Its official address.
        sha256: Of the official archive.
        archives: Archive names looked for, best first.
        folders: Names of unpacked folders looked for.
        main: The member that holds the interactions.
        main_digest: Git blob SHA-1 ("blob:...") or SHA-256 ("sha256:...") of the official ``main``.
    """

    name: str
    url: str
    sha256: str
    archives: tuple[str, ...]
    folders: tuple[str, ...]
    main: str
    main_digest: str


def open_source(
    source: ArchiveSource, members: Iterable[str], data_dir: str | Path | None = None
) -> tuple[Path, dict[str, bytes]]:
    """Find a dataset, download it if it is nowhere, and read some of its members.

    Logs a warning where the interactions are not the official file.

    Args:
        source: The dataset.
        members: Base names of the files to read; must include ``source.main`` for the check.
        data_dir: A folder that holds the archive or the unpacked folder, or one of these itself;
            the environment variable ``INFLUPATH_DATA`` where not given.

    Returns:
        The archive or folder, and the content of each member.

    Raises:
        DataError: The dataset cannot be found, downloaded or read.
    """
    place = locate(source, data_dir)
    contents = read_members(place, members)
    if digest_like(source.main_digest, contents[source.main]) != source.main_digest:
        logger.warning(
            "%s: %s in %s is not the official file (its checksum differs); it is used as it is.",
            source.name,
            source.main,
            place,
        )
    return place, contents


def locate(source: ArchiveSource, data_dir: str | Path | None = None) -> Path:
    """Return the archive or unpacked folder of a dataset, downloading it if it is nowhere.

    Raises:
        DataError: ``data_dir`` does not exist, or the download failed.
    """
    given = data_dir if data_dir is not None else os.environ.get(DATA_VARIABLE) or None
    if given is None:
        return download(source, "no data folder is set")
    folder = Path(given).expanduser()
    origin = "the data folder" if data_dir is not None else f"the folder in {DATA_VARIABLE}"
    if not folder.exists():
        raise DataError(f"{folder}: {origin} does not exist.")
    if folder.is_file() or (folder / source.main).is_file():
        return folder
    for name in source.archives:
        if (folder / name).is_file():
            return folder / name
    for name in source.folders:
        if (folder / name / source.main).is_file():
            return folder / name
    return download(source, f"{folder} holds none of {', '.join(source.archives + source.folders)}")


def download(source: ArchiveSource, why: str) -> Path:
    """Download the official archive into the user's cache (once), with progress and checksum.

    Args:
        source: The dataset.
        why: Why a download is needed, for the error.

    Raises:
        DataError: No connection, or the file that came is not the official one.
    """
    import pooch  # here, since it loads an HTTP client that most runs never need

    pooch.get_logger().setLevel(logging.WARNING)
    advice = (
        f"fetch it by other means and name its folder with --data-dir (data_dir) or {DATA_VARIABLE}"
    )
    try:
        path = pooch.retrieve(
            source.url,
            known_hash=f"sha256:{source.sha256}",
            fname=source.archives[0],
            path=pooch.os_cache("influpath"),
            downloader=pooch.HTTPDownloader(progressbar=True, timeout=30),
        )
    except ValueError:
        raise DataError(
            f"{source.name}: what {source.url} sent does not have the expected checksum; {advice}."
        ) from None
    except OSError as cause:
        reason = type(cause).__name__
        raise DataError(
            f"{source.name}: {why}, and downloading {source.url} failed ({reason}); {advice}."
        ) from None
    return Path(path)


def read_members(
    place: Path, members: Iterable[str], limit: int = MAX_MEMBER_BYTES
) -> dict[str, bytes]:
    """Read files, by base name, from a zip archive or an unpacked folder.

    Args:
        place: The archive or the folder.
        members: Base names such as "ratings.dat".
        limit: The most bytes a member may have unpacked.

    Raises:
        DataError: The archive is truncated or damaged, a member points outside the archive, is a
            link, is too large or is missing.
    """
    if place.is_dir():
        return {name: _read_file(place / name, limit) for name in members}
    try:
        with zipfile.ZipFile(place) as archive:
            entries = _safe_entries(place, archive)
            return {
                name: _read_member(place, archive, _entry(place, entries, name), limit)
                for name in members
            }
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as cause:
        raise DataError(
            f"{place}: the archive is truncated or damaged ({cause}); fetch it again."
        ) from None
    except OSError as cause:
        raise DataError(f"{place}: cannot be read ({cause.strerror or cause}).") from None


def _safe_entries(place: Path, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the archive's files; any entry that leads outside condemns the whole archive."""
    entries = []
    for entry in archive.infolist():
        # `orig_filename` is the name as stored: zipfile cleans `filename` on some systems.
        name = entry.orig_filename.replace("\\", "/")
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or ":" in name.split("/")[0]:
            raise DataError(
                f"{place}: member {name!r} would be written outside the archive's folder; the "
                "archive is refused."
            )
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise DataError(f"{place}: member {name!r} is a link; the archive is refused.")
        if not entry.is_dir():
            entries.append(entry)
    return entries


def _entry(place: Path, entries: list[zipfile.ZipInfo], name: str) -> zipfile.ZipInfo:
    """Return the one entry with a base name."""
    found = [entry for entry in entries if PurePosixPath(entry.filename).name == name]
    if len(found) != 1:
        many = f"{len(found)} files named" if found else "no file named"
        raise DataError(f"{place}: holds {many} {name!r}; this is not the expected archive.")
    return found[0]


def _read_member(
    place: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limit: int
) -> bytes:
    """Read one entry, never more than ``limit`` bytes whatever its header claims."""
    with archive.open(entry) as handle:
        content = handle.read(limit + 1)
    if len(content) > limit:
        raise DataError(f"{place}: member {entry.filename!r} has more than {limit} bytes.")
    return content


def _read_file(path: Path, limit: int) -> bytes:
    """Read one file of an unpacked folder."""
    try:
        if path.stat().st_size > limit:
            raise DataError(f"{path}: has more than {limit} bytes.")
        return path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file in the unpacked folder.") from None
    except OSError as cause:
        raise DataError(f"{path}: cannot be read ({cause.strerror or cause}).") from None


def digest_like(digest: str, content: bytes) -> str:
    """Return the digest of ``content``, of the kind that ``digest`` is."""
    if digest.startswith("blob:"):
        header = b"blob %d\0" % len(content)
        return "blob:" + hashlib.sha1(header + content, usedforsecurity=False).hexdigest()
    return "sha256:" + hashlib.sha256(content).hexdigest()
