"""Yaml from elsewhere, read as data: mappings, lists, numbers, text. No object is made, no circle and no bomb of aliases is followed."""

import re
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

LARGEST = 10_000_000  # bytes
DEEPEST = 32
MOST = 200_000
"""Values in a file, each alias counted as all that it stands for."""


class _Loader(yaml.SafeLoader):
    """As OmegaConf reads: 1e-3 is a number, a date is text, a key stands once."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(None, None, f"key {twice!r} stands there twice", node.start_mark)
        return super().construct_mapping(node, deep)


_INT = re.compile(r"[-+]?(?:0|[1-9]\d*)$")
_FLOAT = re.compile(r"[-+]?(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:[eE][-+]?\d+)?$|[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$")
_OURS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp")
_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] not in _OURS] for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, _form in zip(_OURS, (_INT, _FLOAT), strict=False):  # no octals, and 1:30 is no number
    _Loader.add_implicit_resolver(_tag, _form, list("-+0123456789."))


def read_yaml(file: Any) -> Any:
    """The data of a yaml file.

    Args:
        file: A path.

    Raises:
        ValueError: It is no yaml, too large or too deep, refers to itself, or holds what is no data, in one line without its path.
    """
    try:
        return parse(text_of(file))
    except yaml.YAMLError as error:
        raise ValueError(f"this is not yaml: {problem(error)}") from None


def parse(text: str) -> Any:
    """The data in a yaml text, once it is known that whoever follows its aliases comes to an end.

    Args:
        text: Of a file.

    Raises:
        ValueError: It is too deep or too large, or refers to itself.
        yaml.YAMLError: It is no yaml, or no data.
    """
    try:
        _measure(yaml.compose(text, _Loader), {})
        return yaml.load(text, _Loader)
    except RecursionError:
        raise ValueError(f"nested deeper than {DEEPEST}") from None


def problem(error: yaml.YAMLError) -> str:
    """What is wrong and where, in one line."""
    mark = getattr(error, "problem_mark", None)
    words = " ".join(str(getattr(error, "problem", None) or error).split())
    return f"{words}, in line {mark.line + 1}" if mark is not None else words


def text_of(file: Any) -> str:
    """The text of a file. Raises ``ValueError`` for one that is too large or no text."""
    raw = (file if hasattr(file, "read_bytes") else Path(str(file))).read_bytes()
    if len(raw) > LARGEST:
        raise ValueError(f"expected at most {LARGEST:,} bytes, got {len(raw):,}")
    try:
        return str(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"this is not yaml: {error}") from None


def _measure(node: Any, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """(values that a node stands for, how deep they are nested); of one that is being measured (0, 0)."""
    if not isinstance(node, yaml.CollectionNode):
        return 1, 0
    if known.get(id(node)) == (0, 0):
        raise ValueError("a part of it holds itself")
    if id(node) not in known:
        known[id(node)] = (0, 0)
        inner = [item for pair in node.value for item in (pair if isinstance(pair, tuple) else (pair,))]
        sizes, depths = zip((0, 0), *(_measure(item, known) for item in inner), strict=True)
        known[id(node)] = size, depth = 1 + sum(sizes), 1 + max(depths)
        if size > MOST:
            raise ValueError(f"expected at most {MOST:,} values, got more")
        if depth > DEEPEST:
            raise ValueError(f"nested deeper than {DEEPEST}")
    return known[id(node)]
