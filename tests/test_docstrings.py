"""Every public argument is named in the ``Args:`` of its docstring, and the examples in docstrings run as printed."""

import doctest
import importlib
import inspect
import io
import re
import types

import numpy as np
import pytest
from haste import compiled_in_haste

import mcengine as mc

ROOMS = ["mcengine", *(f"mcengine.{name}" for name in mc.__all__ if inspect.ismodule(getattr(mc, name)))]
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
FEWEST = 20
"""Examples that there are at least."""


def is_ours(thing):
    return getattr(thing, "__module__", "").startswith("mcengine")


def is_function(thing):
    return isinstance(inspect.unwrap(thing), types.FunctionType)


def own(thing):
    """Members of a class or module itself, without those that are private."""
    return {name: member for name, member in vars(thing).items() if not name.startswith("_")}


def public(module):
    """(dotted name, function or class) of what a room lists, and of what is made in the files that it lists."""
    for name in module.__all__:
        thing = getattr(module, name)
        if inspect.ismodule(thing) and thing.__name__ not in ROOMS:
            made = {n: x for n, x in own(thing).items() if getattr(x, "__module__", "") == thing.__name__}
            yield from ((f"{thing.__name__}.{n}", x) for n, x in made.items() if isinstance(x, type) or is_function(x))
        elif is_ours(thing) and (isinstance(thing, type) or is_function(thing)):
            yield f"{module.__name__}.{name}", thing


PROTOCOLS = [thing for room in ROOMS for _, thing in public(importlib.import_module(room)) if getattr(thing, "_is_protocol", False)]


def methods(cls):
    """(name, function) of a class's public methods, inherited ones of ours too; none of a function."""
    for name in dict.fromkeys(name for base in getattr(cls, "__mro__", ()) if is_ours(base) for name in own(base)):
        member = inspect.getattr_static(cls, name)
        member = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        if isinstance(member, types.FunctionType) and is_ours(member):
            yield name, member


def arguments(docstring):
    """Names that the ``Args:`` of a docstring explains."""
    section = re.search(r"^Args:\n((?:[ \t]+.*\n|\n)*)", inspect.cleandoc(docstring or "") + "\n", re.MULTILINE)
    entries = re.findall(r"^ {4}([*\w][*\w, ]*):", section[1], re.MULTILINE) if section else []
    return {name.strip(" *") for entry in entries for name in entry.split(",")}


def parameters(callable_):
    return {name for name in inspect.signature(callable_).parameters if not name.startswith("_")} - {"self", "cls"}


def inherited(cls, name):
    """Names that are explained where a method is first declared: in a base, or in a protocol that the class keeps."""
    kept = [p for p in PROTOCOLS if name in own(p) and all(hasattr(cls, other) for other in own(p))]
    declared = (vars(base).get(name) for base in [*cls.__mro__, *kept])
    return set().union(*(arguments(method.__doc__) for method in declared if isinstance(method, types.FunctionType)))


def constructor(cls):
    """Its arguments; none where nothing of ours makes it (an abstract base, an error, a protocol)."""
    made = any("__init__" in vars(base) or hasattr(base, "_fields") for base in cls.__mro__ if is_ours(base))
    return parameters(cls) if made and not getattr(cls, "_is_protocol", False) else set()


def faults(title, thing):
    """What is wrong with the docstrings of a function or a class: a line each."""
    if isinstance(thing, type):
        init = vars(thing).get("__init__")
        told = arguments(thing.__doc__) | arguments(getattr(init, "__doc__", None))
        parts = [(title, thing.__doc__, constructor(thing), told, told)]
        for name, method in methods(thing):
            told = arguments(method.__doc__)
            parts.append((f"{title}.{name}", method.__doc__ or "inherited", parameters(method), told, told | inherited(thing, name)))
    else:
        told = arguments(thing.__doc__)
        parts = [(title, thing.__doc__, parameters(thing), told, told)]
    found = []
    for name, docstring, given, told, known in parts:
        found += [f"{name}: no docstring"] if not docstring else []
        found += [f"{name}: {', '.join(sorted(given - known))} not in Args"] if given - known else []
        found += [f"{name}: {', '.join(sorted(told - given))} in Args, but no argument"] if told - given else []
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_every_argument_is_in_its_docstring(room):
    assert [fault for title, thing in public(importlib.import_module(room)) for fault in faults(title, thing)] == []


def test_a_missing_and_an_outlived_argument_are_found():
    def lost(strike, expiry):
        pass

    lost.__doc__ = "A price.\n\nArgs:\n    strike: Currency; see expiry: not here.\n    maturity: Years.\n\nReturns:\n    expiry: no.\n"
    assert faults("lost", lost) == ["lost: expiry not in Args", "lost: maturity in Args, but no argument"]


def examples():
    """Docstrings with an example, of all that is public, by title, once each."""
    found = {}
    for room in ROOMS:
        for title, thing in public(importlib.import_module(room)):
            parts = [(title, thing), *((f"{title}.{name}", method) for name, method in methods(thing))]
            found |= {part.__qualname__: (name, inspect.cleandoc(part.__doc__)) for name, part in parts if ">>>" in (part.__doc__ or "")}
    return list(found.values())


def test_the_examples_run_as_printed():
    """In one process, so that they share what they compile."""
    found, report, runner = examples(), io.StringIO(), doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
    with compiled_in_haste():
        for title, docstring in found:
            test = doctest.DocTestParser().get_doctest(docstring, {"mc": mc, "np": np}, title, None, 0)
            runner.run(test, out=report.write)
    assert report.getvalue() == ""
    assert len(found) >= FEWEST
