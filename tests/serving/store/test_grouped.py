"""Writers that share a commit: all of what each was told holds, for each by itself."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import OperationalError

from influpath.serving.errors import NotReadyError
from influpath.serving.store.database import Database

WRITERS = 12


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Database]:
    with Database(f"sqlite:///{tmp_path / 'a.db'}") as database:
        with database.writing() as connection:
            connection.execute(text("CREATE TABLE written (number INTEGER PRIMARY KEY)"))
        yield database


def write(connection: Connection, number: int) -> None:
    connection.execute(text("INSERT INTO written VALUES (:number)"), {"number": number})


def written(store: Database) -> list[int]:
    with store.reading() as connection:
        return list(connection.scalars(text("SELECT number FROM written ORDER BY number")))


def together(store: Database, failing: frozenset[int] = frozenset()) -> dict[int, object]:
    """Let writers queue behind one that waits for them; return what each was told."""
    told: dict[int, object] = {}

    def one(number: int) -> None:
        try:
            with store.writing() as connection:
                write(connection, number)
                if number in failing:
                    raise RuntimeError(str(number))
            told[number] = "written"
        except (RuntimeError, NotReadyError) as error:
            told[number] = type(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(WRITERS)]
    writer = store._writer
    assert writer is not None
    with writer._turn:
        for thread in threads:
            thread.start()
        while writer._queued < WRITERS:
            threading.Event().wait(0.001)
        assert told == {}
    for thread in threads:
        thread.join(10)
    return told


def test_writers_that_wait_share_a_commit(store: Database) -> None:
    commits: list[int] = []
    event.listen(store._write_engine, "commit", lambda _: commits.append(len(commits)))
    assert set(together(store).values()) == {"written"}
    assert written(store) == list(range(WRITERS))
    assert len(commits) == 1


def test_what_one_undoes_concerns_nobody_else(store: Database) -> None:
    told = together(store, frozenset({0, 5, WRITERS - 1}))
    assert {number for number, what in told.items() if what is RuntimeError} == {0, 5, WRITERS - 1}
    assert written(store) == sorted(n for n, what in told.items() if what == "written")
    with store.writing() as connection:
        write(connection, 100)
    assert written(store)[-1] == 100


def test_nobody_has_written_if_the_commit_fails(store: Database) -> None:
    def fails(_: Connection) -> None:
        raise OperationalError("COMMIT", {}, Exception("disk I/O error"))

    event.listen(store._write_engine, "commit", fails)
    assert set(together(store).values()) == {NotReadyError}
    event.remove(store._write_engine, "commit", fails)
    assert written(store) == []
    assert set(together(store).values()) == {"written"}


def test_nobody_has_written_what_sqlite_has_undone_by_itself(store: Database) -> None:
    told: list[object] = []
    writer = store._writer
    assert writer is not None

    def second() -> None:
        with suppress(RuntimeError), store.writing() as connection:
            write(connection, 2)
            # As when the disk is full: the whole transaction goes, not this writer's part alone.
            connection.exec_driver_sql("ROLLBACK")
            raise RuntimeError

    def first() -> None:
        try:
            with store.writing() as connection:
                write(connection, 1)
                # Who queues while another writes joins that one's commit.
                threads[1].start()
                while writer._queued < 1:
                    threading.Event().wait(0.001)
            told.append("written")
        except NotReadyError as error:
            told.append(type(error))

    threads = [threading.Thread(target=each) for each in (first, second)]
    threads[0].start()
    for thread in threads:
        thread.join(10)
    assert told == [NotReadyError]
    assert written(store) == []
    with store.writing() as connection:
        write(connection, 3)
    assert written(store) == [3]


def test_nobody_returns_before_the_commit(store: Database) -> None:
    seen: list[list[int]] = []
    event.listen(store._write_engine, "commit", lambda _: seen.append(written(store)))
    together(store)
    assert seen == [[]]


def test_who_waits_to_write_keeps_nobody_from_working(store: Database) -> None:
    """A call that waits for its turn to write leaves its turn to work, whoever writes now."""
    writer = store._writer
    assert writer is not None
    wrote, worked = threading.Event(), threading.Event()

    def write_in_turn() -> None:
        with store.in_turn(), store.writing() as connection:
            write(connection, 1)
        wrote.set()

    def work() -> None:
        with store.in_turn():
            worked.set()

    with writer._turn:
        threading.Thread(target=write_in_turn).start()
        while writer._queued < 1:
            threading.Event().wait(0.001)
        threading.Thread(target=work).start()
        assert worked.wait(10)
        assert not wrote.is_set()
    assert wrote.wait(10)
    assert written(store) == [1]
