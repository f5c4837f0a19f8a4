"""The command-line options of an estimator, read off its constructor and its docstring.

Names, defaults and descriptions stand in the estimator only. A new parameter there is a new option here.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any

import typer

from grulearn.cli._errors import BadInput

_NUMPYDOC_PARAMETER = re.compile(r"^(\w+) : (.+)$")


def add_options(
    command: Callable[..., None], estimators: Mapping[str, type], *, without: Collection[str] = ()
) -> Callable[..., None]:
    """Give `command`, which takes ``**options``, an option for each parameter of the constructors.

    Parameters
    ----------
    command : callable
    estimators : mapping of str to type
        By task; what one alone takes says so.
    without : collection of str
        Parameters that the command sets itself.
    """
    signature = inspect.signature(command, eval_str=True)
    own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    added: dict[str, inspect.Parameter] = {}
    for task, estimator in estimators.items():
        described = describe_parameters(estimator)
        for name, parameter in inspect.signature(estimator).parameters.items():
            if name in without or name in added:
                continue
            kind, help_text = described.get(name, ("", ""))
            only = "" if tasks_of(name, estimators) == list(estimators) else f" ({task} only)"
            added[name] = _as_option(
                parameter, kind, help_text.removesuffix(".") + only + "." * bool(help_text)
            )
    command.__signature__ = signature.replace(parameters=own + list(added.values()))  # type: ignore[attr-defined]
    return command


def tasks_of(name: str, estimators: Mapping[str, type]) -> list[str]:
    """Return the tasks whose estimator has a parameter."""
    return [task for task, kind in estimators.items() if name in inspect.signature(kind).parameters]


def refuse_foreign(estimators: Mapping[str, type], task: str, options: Mapping[str, str | bool]) -> None:
    """Raise BadInput if an option was set that belongs to other tasks alone."""
    for name, value in options.items():
        tasks = tasks_of(name, estimators)
        default = inspect.signature(estimators[tasks[0]]).parameters[name].default
        if task not in tasks and parse(value) != default:
            raise BadInput(f"{_flag(name)} is for {' and '.join(tasks)}; the task here is {task} (--task)")


def build(estimator: type, options: Mapping[str, str | bool], **more: Any) -> Any:
    """Make the estimator from the options' texts, of those that it has, and have it check them.

    Raises
    ------
    BadInput
        If an option has a value that the estimator does not take; it names the option and what is expected.
    """
    known = inspect.signature(estimator).parameters
    built = estimator(**{name: parse(value) for name, value in options.items() if name in known}, **more)
    try:
        built._validate_params()
    except ValueError as error:
        message = re.sub(r"^The '(\w+)' parameter of \w+", lambda match: _flag(match[1]), str(error))
        raise BadInput(message) from error
    return built


def parse(value: str | bool) -> Any:
    """Turn an option's text into none, true, false, a number, or itself; with commas into a list of these.

    Items of the form ``name=number`` make a dict.
    """
    if not isinstance(value, str):
        return value
    words = {"none": None, "true": True, "false": False}
    if value.lower() in words:
        return words[value.lower()]
    items = value.split(",")
    if all("=" in item for item in items):
        pairs = (item.rsplit("=", 1) for item in items)
        return {parse(name): parse(number) for name, number in pairs}
    if len(items) > 1:
        return [parse(item) for item in items]
    for number in (int, float):
        try:
            return number(value)
        except ValueError:
            continue
    return value


def spell(value: Any) -> str:
    """Write a default as it would be typed; the inverse of `parse`."""
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def describe_parameters(estimator: type) -> dict[str, tuple[str, str]]:
    """Read type and first sentence of each parameter from a numpydoc docstring."""
    described: dict[str, tuple[str, str]] = {}
    lines = inspect.cleandoc(estimator.__doc__ or "").splitlines()
    start = lines.index("Parameters") + 2 if "Parameters" in lines else len(lines)
    name = ""
    text: list[str] = []
    for line in [*lines[start:], "end : of the section"]:
        match = _NUMPYDOC_PARAMETER.match(line)
        if match or (line and set(line) == {"-"}):
            if name:
                described[name] = (described[name][0], _first_sentence(" ".join(text)))
            if not match:
                break
            name, text = match[1], []
            described[name] = (match[2], "")
        else:
            text.append(line.strip())
    described.pop("end", None)
    return described


def _as_option(parameter: inspect.Parameter, kind: str, help_text: str) -> inspect.Parameter:
    flag = _flag(parameter.name)
    is_switch = isinstance(parameter.default, bool) and kind.split(",")[0] == "bool"
    if is_switch:
        option = typer.Option(f"{flag}/--no-{flag[2:]}", help=help_text)
    else:
        option = typer.Option(flag, help=help_text, metavar=_metavar(kind))
    annotation = bool if is_switch else str
    return parameter.replace(
        kind=inspect.Parameter.KEYWORD_ONLY,
        annotation=Annotated[annotation, option],
        default=parameter.default if is_switch else spell(parameter.default),
    )


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _metavar(kind: str) -> str:
    """Shorten numpydoc's type: ``int or "auto", default="auto"`` becomes ``INT|auto``."""
    names = re.sub(r",? *default=.*$", "", kind)
    names = re.sub(r"[{}\"'`]|RandomState instance", "", names)
    parts = [part.strip() for part in re.split(r",| or ", f" {names}")]
    return "|".join(part.upper() if part in ("int", "float") else part.lower() for part in parts if part)


def _first_sentence(text: str) -> str:
    text = re.sub(r",? as in \[\w+\]_|\s*\[\w+\]_", "", text)  # the references stay behind in the docstring
    plain = re.sub(r":\w+:`~?([^`]+)`|``?([^`]+)``?", lambda match: match[1] or match[2], text.strip())
    return re.split(r"(?<=[.;])\s", plain, maxsplit=1)[0].rstrip(";.") + "." if plain else ""
