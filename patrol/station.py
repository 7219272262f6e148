"""Station: engine, sessions, photo store, keys, place, clock. Work: one deed, one transaction, one trail line.

Built once by web, worker, terminal and tests. A deed gets everything that changes from outside (session,
actor, time) from its `Work`; nothing below reads a wall clock or a signed-in user by itself.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from geodata.errors import GeoError
from geodata.place import Place
from patrol import models as m
from patrol.errors import Misconfigured, NoRoom, PatrolError
from patrol.gateways.keys import Keys
from patrol.gateways.photostore import PhotoStore, open_store
from patrol.gateways.robotfile import RobotFile
from patrol.rules.audience import AUDIENCE, QUIET, Hear
from patrol.rules.calendar import Calendar
from patrol.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"


@dataclass(frozen=True)
class Actor:
    """Who acts: a person in the roles of one sign-in or token. `grids` None means every grid."""

    person_id: int | None
    name: str
    roles: frozenset[str]
    unit: str | None = None
    grids: frozenset[str] | None = None
    via: str = ""  # token, page, system

    def has(self, *roles: str) -> bool:
        return bool(self.roles & set(roles))

    @property
    def role(self) -> str:
        """The one word a trail line carries for this actor."""
        return ",".join(sorted(self.roles))


# groups whose cards a person pastes by hand where no robot speaks for them
COPIED_GROUPS = ("chiefs", "fishing")
SPOKEN = frozenset({"words", "reason"})

SYSTEM = Actor(None, "系统", frozenset({"system"}), via="system")
RULE = Actor(None, "自动交办规则", frozenset({"rule"}), via="system")
LADDER = Actor(None, "时限", frozenset({"ladder"}), via="system")
ANYONE = Actor(None, "公众", frozenset(), via="public")


def wall_clock() -> datetime:
    return datetime.now(UTC)


@dataclass
class Station:
    """One open Patrol. `wake` is called after a commit that owes something to the outside."""

    settings: Settings
    engine: Engine
    store: PhotoStore
    keys: Keys
    clock: Callable[[], datetime] = wall_clock
    _writer: Any = field(default_factory=threading.RLock)
    _calendars: dict[str, Calendar] = field(default_factory=dict)

    @staticmethod
    def open(settings: Settings, *, clock: Callable[[], datetime] = wall_clock, may_create: bool = True) -> Station:
        """A station on `settings`. Makes the data folder and keys when nothing was there before."""
        try:
            settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise Misconfigured(f"数据文件夹 {settings.data} 建不了：{error.strerror}。") from error
        engine = _engine(settings)
        try:
            with engine.connect() as connection:
                fresh = not engine.dialect.has_table(connection, "issue")
        except SQLAlchemyError as error:
            raise Misconfigured(f"数据库打不开：{type(error).__name__}。请核对 PATROL_DATABASE_URL。") from error
        try:
            keys = Keys.open(settings.keys_folder, may_create=may_create and fresh)
            return Station(settings, engine, open_store(settings.photos), keys, clock)
        except PatrolError:
            engine.dispose()
            raise

    @cached_property
    def place(self) -> Place:
        try:
            return Place.open(self.settings.place)
        except GeoError as error:
            raise Misconfigured(f"地点 {self.settings.place} 打不开：{error.sentence}", error.code) from error

    @cached_property
    def robots(self) -> RobotFile:
        hosts = tuple(host.strip() for host in self.settings.robot_hosts.split(",") if host.strip())
        return RobotFile.load(self.settings.robots_file or None, hosts, limit_s=self.settings.robot_wait_s)

    def now(self) -> datetime:
        return self.clock()

    def migrate(self, revision: str = "head") -> None:
        """Bring the tables to `revision`, up or down."""
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self._writing(), self.engine.connect() as connection, _loose(connection), connection.begin():
            config.attributes["connection"] = connection
            if _lies_behind(connection, config, revision):
                command.downgrade(config, revision)
            else:
                command.upgrade(config, revision)
            if connection.dialect.name == "sqlite" and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                raise Misconfigured(f"升级到 {revision} 后有记录指向不存在的行，已退回。请用备份核对。")

    def forget_log(self) -> None:
        """Fold SQLite's write-ahead log in, so that erased pages do not live on in it."""
        if self.settings.is_sqlite:
            with self._writing(), self.engine.connect() as connection:
                connection.exec_driver_sql("COMMIT")  # the checkpoint needs a connection that is in no transaction
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def work(self, actor: Actor, now: datetime | None = None) -> Iterator[Work]:
        """One transaction of one deed: commits at the end, rolls back on any exception."""
        with self._writing():
            session = Session(self.engine.execution_options(patrol_write=True), expire_on_commit=False)
            work = Work(self, session, actor, now or self.now())
            try:
                yield work
                session.flush()
                for before in work.before_commit:
                    before()
                if work.owes and session.get_bind().dialect.name == "postgresql":
                    session.execute(text("SELECT pg_notify('patrol', '')"))
                session.commit()
            except BaseException:
                session.rollback()
                raise
            finally:
                session.close()
        for after in work.after_commit:
            after()
        if work.owes:
            self.wake()

    @contextmanager
    def look(self, actor: Actor = ANYONE, now: datetime | None = None) -> Iterator[Work]:
        """A read of one consistent state; nothing it does is kept."""
        session = Session(self.engine, expire_on_commit=False, autoflush=False)
        try:
            yield Work(self, session, actor, now or self.now())
        finally:
            session.close()

    def wake(self) -> None:
        """Tell the embedded worker that something is owed: one loopback datagram, which may be lost."""
        if not self.settings.is_sqlite:
            return  # PostgreSQL carries the wake-up inside the transaction
        try:
            port = int((self.settings.data / "worker.port").read_text())
        except (OSError, ValueError):
            return
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            try:
                sock.sendto(b"wake", ("127.0.0.1", port))
            except OSError:
                return

    def room(self) -> None:
        """Refuse new things when the disk gate is closed."""
        free = self.store.free_bytes()
        if free is not None and free < self.settings.free_disk_mb * 1024 * 1024:
            raise NoRoom()

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Writers of one process queue here rather than poll SQLite's lock, which is not fair."""
        if self.settings.is_sqlite:
            with self._writer:
                yield
        else:
            yield


@dataclass
class Work:
    """What a deed is given: session, actor, time, station. `tell` is its only voice."""

    station: Station
    session: Session
    actor: Actor
    now: datetime
    owes: bool = False
    before_commit: list[Callable[[], object]] = field(default_factory=list)  # last: the deed was not refused
    after_commit: list[Callable[[], None]] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return self.station.settings

    @property
    def place(self) -> Place:
        return self.station.place

    @property
    def photos(self) -> PhotoStore:
        return self.station.store

    @property
    def keys(self) -> Keys:
        return self.station.keys

    @property
    def dialect(self) -> str:
        return self.session.get_bind().dialect.name

    @cached_property
    def calendar(self) -> Calendar:
        """The calendar in force."""
        return self.calendar_of(calendar_version(self.session))

    def calendar_of(self, version: str) -> Calendar:
        """The calendar as it was under `version`; a clock keeps the one it runs on."""
        kept = self.station._calendars.get(version)
        if kept is None:
            row = self.session.get(m.CalendarKept, version)
            if row is None:
                kept = Calendar(version=version)  # a database without any year: Monday to Friday, all estimated
            else:
                days = {date.fromisoformat(on): kind for on, kind in row.days.items()}
                kept = Calendar(days=days, confirmed=frozenset(row.confirmed), version=version)
            self.station._calendars[version] = kept
        return kept

    def only_one(self, name: str) -> None:
        """Serialise a narrow deed across processes until this transaction ends."""
        if self.dialect == "postgresql":
            number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
            self.session.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": number})

    def number(self, series: str) -> int:
        """The next number of a series, without gaps: it is taken back if the deed is."""
        self.only_one(f"counter:{series}")
        row = self.session.get(m.Counter, series, with_for_update=self.dialect == "postgresql")
        if row is None:
            row = m.Counter(series=series, last=0)
            self.session.add(row)
        row.last += 1
        self.session.flush()
        return row.last

    def tell(
        self,
        event: str,
        issue: m.Issue | None = None,
        /,
        *,
        subject: str | None = None,
        moves: bool = False,
        slip: m.Slip | None = None,
        **facts: Any,
    ) -> m.Trail:
        """Write one trail line and the errands AUDIENCE names, in this transaction.

        `moves`: the issue's version goes up, so that a form filled on the old one is refused.
        """
        if event not in AUDIENCE and event not in QUIET:
            raise KeyError(f"event {event!r} is in neither AUDIENCE nor QUIET")
        if slip is not None:
            facts |= {"slip": slip.number, "slip_digest": slip.digest}
        line = self._line(event, issue, subject, facts)
        if issue is not None and moves:
            issue.version += 1
            issue.changed_at = self.now
        for hear in AUDIENCE.get(event, ()):
            self._owe(hear, event, issue, slip, facts)
        return line

    def _line(self, event: str, issue: m.Issue | None, subject: str | None, facts: dict[str, Any]) -> m.Trail:
        if issue is not None:
            subject = f"issue:{issue.id}"
            seq, prev = issue.trail_seq + 1, issue.trail_head
            chain = None
        else:
            subject = subject or "house"
            self.only_one(f"chain:{subject}")
            chain = self.session.get(m.Chain, subject)
            if chain is None:
                chain = m.Chain(subject=subject, seq=0, head="")
                self.session.add(chain)
                self.session.flush()  # the next line of this deed must find it
            seq, prev = chain.seq + 1, chain.head
        salt = os.urandom(16)
        line = m.Trail(
            subject=subject, seq=seq, issue_id=issue.id if issue is not None else None, event=event, at=self.now,
            person_id=self.actor.person_id, role=self.actor.role[:16], facts=facts, salt=salt,
            facts_digest=hmac.new(salt, m.canonical(facts), hashlib.sha256).hexdigest(), prev=prev, mac="",
        )  # fmt: skip
        line.mac = line_mac(self.keys.chain, line)
        self.session.add(line)
        if issue is not None:
            issue.trail_seq, issue.trail_head = seq, line.mac
        elif chain is not None:
            chain.seq, chain.head = seq, line.mac
        return line

    def _owe(self, hear: Hear, event: str, issue: m.Issue | None, slip: m.Slip | None, facts: dict[str, Any]) -> None:
        if issue is not None or "kind" in facts:  # no card says what a person wrote: the queue need not hold it
            facts = {name: value for name, value in facts.items() if name not in SPOKEN}
        for group in self._groups(hear, issue, facts):
            state = "due"
            if group is not None and self.station.robots.get(group) is None:
                if group not in COPIED_GROUPS:
                    continue  # no robot: the desk shows the office its own; a unit signs in or gets the paper
                state = "by_hand"  # the office copies the card
            self.session.add(
                m.Errand(
                    handler=hear.handler, event=event, group=group, issue_id=issue.id if issue else None,
                    slip_id=slip.id if slip else None, facts=facts, urgent=hear.urgent, state=state,
                    made_at=self.now, due_at=self.now,
                )
            )  # fmt: skip
            self.owes = True

    @staticmethod
    def _groups(hear: Hear, issue: m.Issue | None, facts: dict[str, Any]) -> list[str | None]:
        if hear.group == "old_unit":
            return [f"unit:{facts['old_unit']}"] if facts.get("old_unit") else []
        if hear.group != "unit":
            return [hear.group]
        if issue is None or issue.lead_unit is None:
            return []
        return [f"unit:{unit}" for unit in (issue.lead_unit, *issue.assisting)]


@contextmanager
def _loose(connection: Connection) -> Iterator[None]:
    """On SQLite a table is altered by making it anew: references to it must not count until all is done.

    They are looked through before the commit, and only before a transaction can they be let go.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    raw = connection.connection.driver_connection
    assert raw is not None
    raw.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        raw.execute("PRAGMA foreign_keys=ON")


def _lies_behind(connection: Connection, config: Config, revision: str) -> bool:
    """Whether the tables are already beyond `revision`."""
    at = MigrationContext.configure(connection).get_current_revision()
    if at is None or revision in ("head", at):
        return False
    older = ScriptDirectory.from_config(config).iterate_revisions(at, "base")
    return revision == "base" or revision in {each.revision for each in older}


def calendar_version(session: Session) -> str:
    """The version of the calendar in force: a digest of its years, their state and their edition."""
    years = session.execute(
        select(m.CalendarYear.year, m.CalendarYear.confirmed, m.CalendarYear.version).order_by(m.CalendarYear.year)
    ).all()
    text_ = ";".join(f"{year}.{version}{'c' if confirmed else 'e'}" for year, confirmed, version in years)
    return hashlib.sha256(text_.encode()).hexdigest()[:16] if years else "0"


def line_mac(key: bytes, line: m.Trail) -> str:
    """The keyed digest that chains one trail line to the one before it."""
    body = [
        line.subject, line.seq, line.event, line.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        line.person_id, line.role, line.facts_digest, line.prev,
    ]  # fmt: skip
    return hmac.new(key, m.canonical(body), hashlib.sha256).hexdigest()


def _engine(settings: Settings) -> Engine:
    if not settings.is_sqlite:
        return create_engine(settings.database, pool_size=16, max_overflow=32, pool_pre_ping=True,
                             hide_parameters=True)  # fmt: skip
    engine = create_engine(
        settings.database,
        pool_size=32,
        max_overflow=64,
        hide_parameters=True,
        connect_args={"timeout": 15, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        for pragma in (
            "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON", "busy_timeout=15000",
            "trusted_schema=OFF",
        ):  # fmt: skip
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        write = connection.get_execution_options().get("patrol_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine
