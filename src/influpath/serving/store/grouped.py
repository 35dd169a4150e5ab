"""Writers to SQLite, which has one at a time: those that wait at the same time share a commit.

A commit waits for the disk, and costs more than what is written.  So each writer works in a
savepoint of its own, leaves the commit to the next one if there is one, and returns once that is
done: nobody has written before all of the group is on disk.  What one writer undoes concerns nobody
else; if the commit fails, it fails for all of the group.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from influpath.serving.store.turns import Turns

# Writers that share a commit, at most: nobody waits for more than so many others.
MOST = 32
UNDONE = "what was to be committed was undone before"


@dataclass(eq=False)
class Group:
    """Writers that share a commit.

    Attributes:
        connection: In a transaction.
        size: How many have written so far.
        done: Set once it was tried to commit.
        error: Why that failed.
    """

    connection: Connection
    size: int = 0
    done: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None


class GroupedWriter:
    """Lets threads of one process write in turn.

    Threads queue here, at once awake, and not in SQLite's own busy wait, which sleeps longer the
    longer it waits.

    Args:
        engine: Of one connection, with ``writes`` as an option of execution.
        turns: Left to others while a thread waits here.
    """

    def __init__(self, engine: Engine, turns: Turns) -> None:
        self._engine = engine
        self._turns = turns
        self._turn = threading.Lock()
        self._counting = threading.Lock()
        self._queued = 0
        self._group: Group | None = None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yield the connection in a savepoint; what was written is on disk when this is left."""
        self._wait()
        try:
            group = self._group or self._begin()
        except BaseException:
            self._turn.release()
            raise
        try:
            with savepoint(group.connection):
                yield group.connection
        finally:
            # Others work while this one waits for the disk, and join the next commit.
            with self._turns.left():
                self._end(group)
        if group.error is not None:
            raise group.error

    def _wait(self) -> None:
        """Take the turn to write."""
        with self._counting:
            self._queued += 1
        if not self._turn.acquire(blocking=False):
            with self._turns.left():
                self._turn.acquire()
        with self._counting:
            self._queued -= 1

    def _end(self, group: Group) -> None:
        """Give the turn to write on, and return once it was tried to commit."""
        try:
            group.size += 1
            with self._counting:
                # Whoever queues takes the turn for certain, and commits or leaves it on.
                last = self._queued == 0 or group.size >= MOST
            if last or not is_begun(group.connection):
                self._commit(group)
        finally:
            self._turn.release()
        group.done.wait()

    def _begin(self) -> Group:
        connection = self._engine.connect().execution_options(writes=True)
        try:
            connection.begin()
        except BaseException:
            connection.close()
            raise
        self._group = Group(connection)
        return self._group

    def _commit(self, group: Group) -> None:
        self._group = None
        try:
            if not is_begun(group.connection):
                raise OperationalError("COMMIT", None, sqlite3.OperationalError(UNDONE))
            group.connection.commit()
        except BaseException as cause:
            group.error = cause
            # Whatever state it is in, its end undoes all that was not committed.
            group.connection.invalidate()
        finally:
            group.connection.close()
            group.done.set()


@contextmanager
def savepoint(connection: Connection) -> Iterator[None]:
    """Undo what a block wrote if it fails; as ``begin_nested``, in a third of the time."""
    connection.exec_driver_sql("SAVEPOINT writer")
    try:
        yield
    except BaseException:
        if is_begun(connection):
            connection.exec_driver_sql("ROLLBACK TO writer")
            connection.exec_driver_sql("RELEASE writer")
        raise
    connection.exec_driver_sql("RELEASE writer")


def is_begun(connection: Connection) -> bool:
    """Whether a transaction is begun: SQLite undoes a whole one by itself if the disk is full."""
    driver: Any = connection.connection.driver_connection
    return bool(driver.in_transaction)
