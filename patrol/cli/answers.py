"""What commands share: one JSON document on stdout, an open station, and who acts at a terminal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from patrol.errors import Misconfigured, OutOfReach

if TYPE_CHECKING:
    from patrol.settings import Settings
    from patrol.station import Actor, Station


def as_json(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option every machine uses."""
    return click.option("--json", "json_", is_flag=True, help="标准输出上只给一份 JSON。")(command)


def give(document: Any) -> None:
    """One JSON document on stdout."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False, default=str))


def aside(sentence: str) -> None:
    """A sentence for a person, on stderr, so that stdout stays what was asked for."""
    click.echo(sentence, err=True)


def terminal() -> Actor:
    """Who acts: whoever may run commands on this machine."""
    from patrol.station import Actor

    return Actor(None, "命令行", frozenset({"terminal"}), via="terminal")


def knobs(**overrides: Any) -> Settings:
    """The settings of this call, and logs sent to stderr as they say."""
    from patrol.settings import Settings

    settings = Settings.read(**{name: value for name, value in overrides.items() if value is not None})
    logs_to_stderr(settings.log_level)
    return settings


def logs_to_stderr(level: str) -> None:
    """Logs never mix with an answer on stdout."""
    import logging
    import sys

    import structlog

    least = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(least),
        # a traceback never shows the values of variables: they may be secret
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


@contextmanager
def station(**overrides: Any) -> Iterator[Station]:
    """The station of this machine, with its tables as this program expects them; `overrides` of settings, None: none."""
    from sqlalchemy.exc import SQLAlchemyError

    from patrol.station import Station

    settings = knobs(**overrides)
    if nothing_there(settings):
        raise Misconfigured("这里还没有数据库。第一次用先运行 patrol migrate；有的话请核对 PATROL_DATA。")
    opened = Station.open(settings, may_create=False)
    try:
        check_tables(opened)
        yield opened
    except SQLAlchemyError as error:
        raise in_sentence(error) from error
    finally:
        opened.close()


def nothing_there(settings: Settings) -> bool:
    """Whether no table was ever made here; says so without making a file."""
    from pathlib import Path

    from sqlalchemy import create_engine, inspect
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError

    if settings.is_sqlite:
        return not Path(make_url(settings.database).database or "").exists()
    try:
        engine = create_engine(settings.database)
    except (SQLAlchemyError, ValueError, ImportError) as error:
        raise Misconfigured("PATROL_DATABASE_URL 读不懂，要写成 postgresql://用户@主机/库名。") from error
    try:
        return not inspect(engine).has_table("issue")
    except SQLAlchemyError as error:
        cause = type(getattr(error, "orig", None) or error).__name__
        raise Misconfigured(f"数据库接不通（{cause}）。请核对 PATROL_DATABASE_URL。") from error
    finally:
        engine.dispose()


def check_tables(opened: Station) -> None:
    """Refuse to work on tables of another age."""
    kept, wanted = revisions(opened)
    if kept is None:
        raise Misconfigured("数据库里还没有表，请先运行 patrol migrate。")
    if kept != wanted:
        raise Misconfigured(f"数据库的表是 {kept} 版，程序要 {wanted} 版，请先运行 patrol migrate。")


def revisions(opened: Station) -> tuple[str | None, str | None]:
    """The revision of the tables as they are, and the one this program was written for."""
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    from patrol.station import MIGRATIONS

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with opened.engine.connect() as connection:
        kept = MigrationContext.configure(connection).get_current_revision()
    return kept, ScriptDirectory.from_config(config).get_current_head()


def in_sentence(error: Exception) -> OutOfReach:
    """A database's refusal without its SQL, which may hold a report's words."""
    cause = getattr(error, "orig", None) or error
    return OutOfReach(f"数据库没有照办（{type(cause).__name__}）：{str(cause).splitlines()[0][:200]}", "database")
