"""What a wrong command line is told, in Chinese, and what stands in for a traceback."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from types import TracebackType

import click


def in_chinese(error: click.UsageError) -> str:
    """One sentence for a usage error of click, with where to look further."""
    path = error.ctx.command_path if error.ctx else "patrol"
    return f"{_sentence(error)}用法见 {path} --help。"


def _sentence(error: click.UsageError) -> str:
    if isinstance(error, click.NoSuchOption):
        return f"没有「{error.option_name}」这个选项。{_near(error.possibilities)}"
    if isinstance(error, click.NoSuchCommand):
        return f"没有「{error.command_name}」这个命令。{_near(error.possibilities)}"
    if isinstance(error, click.MissingParameter):
        return f"缺少{_name(error)}。"
    if isinstance(error, click.BadParameter):
        return f"{_name(error)} 的值不对：{_wanted(error)}。"
    if isinstance(error, click.BadOptionUsage):
        return f"选项「{error.option_name}」用得不对，它后面要带一个值，或者不该带。"
    if error.message.startswith("Got unexpected extra argument"):
        return f"多写了参数{error.message.partition('(')[2].rstrip(').') or ''}。"
    if error.message.startswith("Missing command"):
        return "还要写上做什么。"
    return f"命令写得不对：{error.message.rstrip('.。')}。"


def _near(possible: object) -> str:
    names = list(possible) if isinstance(possible, list | tuple) else []
    return f"是不是「{'」「'.join(str(name) for name in names[:3])}」？" if names else ""


def _name(error: click.BadParameter) -> str:
    if isinstance(error.param, click.Option):
        return f"选项 {max(error.param.opts, key=len)}"
    if isinstance(error.param, click.Argument):
        return f"参数 {error.param.make_metavar(error.ctx) if error.ctx else error.param.name}"
    return "参数"


def _wanted(error: click.BadParameter) -> str:
    kind = error.param.type if error.param is not None else None
    if isinstance(kind, click.Choice):
        return f"可选 {'、'.join(str(choice) for choice in kind.choices)}"
    if isinstance(kind, click.Path):
        if "does not exist" in error.message:
            named = error.message.split("'")
            return f"没有这个文件或文件夹（{named[1] if len(named) > 2 else ''}）"
        return "读不了，或不是要的那种（文件还是文件夹）"
    if isinstance(kind, click.IntRange | click.FloatRange):
        return f"要写{'整数' if isinstance(kind, click.IntRange) else '数'}，在 {kind.min} 到 {kind.max} 之间"
    if kind is click.INT:
        return "要写整数"
    if kind is click.FLOAT:
        return "要写数"
    return error.message.rstrip(".。")


def on_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A fault of the program itself: one sentence; the trace only for who asked for it by the log level."""
    if os.environ.get("PATROL_LOG_LEVEL", "").lower() == "debug":
        traceback.print_exception(kind, error, trace)
        return
    frames = traceback.extract_tb(trace)
    where = f"{Path(frames[-1].filename).name} 第 {frames[-1].lineno} 行" if frames else ""
    print(
        f"程序出错了（{kind.__name__}，{where}）。设 PATROL_LOG_LEVEL=debug 再运行一次，把全文发给维护的人。",
        file=sys.stderr,
    )
