"""The same deeds from a terminal: `patrol …`.

Every command parses, calls one deed or question, and says what came of it. Exit 0 done, 1 the thing asked
failed, 2 wrong call or configuration. Nothing heavy is imported before a command runs, so `--help` is quick.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from geodata.errors import GeoError
from patrol.cli import (
    days,
    detect,
    dji,
    doctor,
    effect,
    flights,
    ground,
    people,
    posters,
    recognise,
    running,
    safe,
    sealing,
)
from patrol.cli.words import in_chinese, on_crash
from patrol.errors import Misconfigured, PatrolError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def cli() -> None:
    """太湖港巡护：一条河的巡查、交办、督办、验收和销号。

    设置都从环境变量 PATROL_… 读，patrol doctor 逐项列出。
    """


for command in (
    running.serve, running.worker, running.demo, running.migrate, running.tick, doctor.doctor,
    people.token, people.user, days.calendar, sealing.keys, ground.place, ground.locate,
    detect.detect, detect.models, effect.effect,
    posters.posters, safe.trail, safe.backup, safe.restore, safe.retention, flights.flight, recognise.recognise, dji.dji,
):  # fmt: skip
    cli.add_command(command)


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit code. Refusals become one sentence on stderr."""
    sys.excepthook = on_crash
    try:
        code = cli.main(args=list(arguments), prog_name="patrol", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        return _say(error.message, 2)
    except click.UsageError as error:
        return _say(in_chinese(error), 2)
    except click.Abort:
        return _say("已取消。", 1)
    except click.ClickException as error:
        return _say(error.message, 2)
    except Misconfigured as error:
        return _say(error.sentence, 2)
    except (PatrolError, GeoError) as error:
        return _say(error.sentence, 1)
    except KeyboardInterrupt:
        return _say("已停。", 130)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our lines has gone; nothing is left to tell
        return 1
    except OSError as error:
        where = f"（{error.filename}）" if error.filename else ""
        return _say(f"读写没有成功{where}：{error.strerror or type(error).__name__}。", 1)


def _say(sentence: str, code: int) -> int:
    click.echo(sentence, err=True)
    return code
