"""``@model``: numbers become arrays with names, ranges and an order."""

import re
from typing import Any

import jax
import numpy as np
import pytest

from mcengine._model import field_metadata, model, number, parameters, replace, static, trainable, with_parameters


@model
class Wheel:
    radius: Any = number(above=0.0)
    wear: float = number(default=0.5, low=0.0, high=1.0)
    size: float = number(default=2.0, term=True)


@model
class Cart:
    wheels: dict
    speed: float = number(default=1.0, below=10.0)
    loads: dict = number(default=None, low=0.0)
    axle: Wheel = None
    colour: str = static(default="red")

    def check(self) -> None:
        if float(self.speed) == 7.0:
            raise ValueError("Cart.speed: expected anything but 7")


def cart(**changes):
    return Cart(**{"wheels": {"right": Wheel(1.0), "left": Wheel(2.0)}, "loads": {"z": 1.0, "a": 2.0}, "axle": Wheel(3.0)} | changes)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (2, 2.0),
        (0.2, 0.2),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3.0),
        ([1, 2.5], [1.0, 2.5]),
        ((1, 2), [1.0, 2.0]),
        (np.array(3), 3.0),
        (np.array([1, 2], np.int32), [1.0, 2.0]),
    ],
    ids=repr,
)
def test_numbers_become_float64_arrays(given, expected):
    radius = Wheel(given).radius
    assert isinstance(radius, np.ndarray)
    assert radius.dtype == np.float64
    np.testing.assert_array_equal(radius, expected)


@pytest.mark.parametrize("bad", ["0.2", True, ["0.2"], ["a"], [1.0, None], np.array("0.2")], ids=repr)
def test_text_and_switches_are_no_numbers(bad):
    with pytest.raises(ValueError, match=r"Wheel\.radius"):
        Wheel(bad)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Wheel(0.0), "Wheel.radius: expected a number above 0, got 0.0"),
        (lambda: Wheel(1.0, wear=-0.1), "Wheel.wear: expected a number not below 0, got -0.1"),
        (lambda: Wheel(1.0, wear=1.5), "Wheel.wear: expected a number not above 1, got 1.5"),
        (lambda: cart(speed=10), "Cart.speed: expected a number below 10, got 10.0"),
        (lambda: cart(loads={"z": 1.0, "a": -2.0}), "Cart.loads.a: expected a number not below 0, got -2.0"),
        (lambda: Wheel(float("nan")), "Wheel.radius: expected a finite number, got nan"),
        (lambda: Wheel(1.0, size=float("inf")), "Wheel.size: expected a finite number, got inf"),
        (lambda: Wheel("1"), "Wheel.radius: expected a number, got '1'"),
        (lambda: Wheel(1.0, wear=[0.1, 0.2]), "Wheel.wear: expected a number, got [0.1, 0.2]"),
        (lambda: Wheel(1.0, wear=np.array([0.1, 0.2])), "Wheel.wear: expected a number, got 2 of them"),
        (lambda: cart(colour=3), "Cart.colour: expected text, got 3"),
        (lambda: cart(wheels=[1.0]), "Cart.wheels: expected a dict by name, got [1.0]"),
        (lambda: cart(speed=7.0), "Cart.speed: expected anything but 7"),
        (lambda: replace(Wheel(1.0), radius=-1.0), "Wheel.radius: expected a number above 0, got -1.0"),
        (lambda: replace(Wheel(1.0), radios=1.0), "Wheel: no field ['radios']; fields are ['radius', 'size', 'wear']"),
        (lambda: with_parameters(cart(), {"axle.wear": 2.0}), "Wheel.wear: expected a number not above 1, got 2.0"),
        (lambda: with_parameters(cart(), {"loads.a": -1}), "Cart.loads.a: expected a number not below 0, got -1.0"),
        (lambda: with_parameters(cart(), {"speed": 7}), "Cart.speed: expected anything but 7"),
        (lambda: with_parameters(cart(), {"axle.wear": "x"}), "axle.wear: expected a number, got 'x'"),
    ],
)
def test_a_refusal_names_field_expected_and_given(build, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        build()


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("axle.radios", "did you mean axle.radius"),
        ("the.carriage.on.the.axle.raduis", "did you mean wheels.right.radius"),  # only its last word is close
        ("qqq", "known: wheels.right.radius"),
    ],
)
def test_a_wrong_name_is_answered_with_near_ones(name, suggestion):
    with pytest.raises(ValueError, match="unknown parameter") as caught:
        with_parameters(cart(), {name: 1.0})
    assert repr(name) in str(caught.value)
    assert suggestion in str(caught.value)


def test_dicts_keep_the_order_given():
    """JAX sorts a dict's keys; an asset's place decides its noise."""
    leaves, tree = jax.tree.flatten(cart())
    again = jax.tree.unflatten(tree, leaves)
    assert [float(x) for x in leaves] == [1.0, 0.5, 2.0, 2.0, 0.5, 2.0, 1.0, 1.0, 2.0, 3.0, 0.5, 2.0]
    assert list(again.wheels) == ["right", "left"]
    assert list(again.loads) == ["z", "a"]
    inside = jax.jit(lambda c: jax.tree.map(lambda x: 2.0 * x, c))(cart())
    assert {k: float(v) for k, v in inside.loads.items()} == {"z": 2.0, "a": 4.0}
    assert list(inside.loads) == ["z", "a"]


def test_the_order_of_a_dict_is_part_of_the_program():
    assert jax.tree.structure(cart()) != jax.tree.structure(cart(loads={"a": 2.0, "z": 1.0}))


def test_static_fields_are_part_of_the_program_and_numbers_are_not():
    same, other = jax.tree.structure(cart(speed=2.0)), jax.tree.structure(cart(colour="blue"))
    assert jax.tree.structure(cart()) == same != other
    assert "colour" not in parameters(cart())
    assert jax.tree.unflatten(other, jax.tree.leaves(cart())).colour == "blue"


def test_new_numbers_do_not_trace_again():
    traced = []

    @jax.jit
    def area(wheel):
        traced.append(wheel)
        return 3.0 * wheel.radius**2

    assert [float(area(Wheel(r))) for r in (1, 2.0, np.float32(3.0))] == [3.0, 12.0, 27.0]
    assert len(traced) == 1


def test_every_number_has_a_derivative():
    slope = jax.grad(lambda c: c.speed * c.wheels["left"].radius + c.loads["a"] ** 2)(cart())
    assert {k: float(v) for k, v in parameters(slope).items() if v != 0.0} == {"speed": 2.0, "wheels.left.radius": 1.0, "loads.a": 4.0}


def test_parameters_and_with_parameters_are_inverse():
    start = cart()
    names = parameters(start)
    assert list(names)[:3] == ["wheels.right.radius", "wheels.right.wear", "wheels.right.size"]
    moved = with_parameters(start, {"wheels.left.wear": 0.25, "loads.z": 5})
    differ = {k: float(v) for k, v in parameters(moved).items() if v != names[k]}
    assert differ == {"wheels.left.wear": 0.25, "loads.z": 5.0}
    assert float(start.loads["z"]) == 1.0
    assert parameters(moved)["loads.z"].dtype == np.float64
    assert jax.tree.structure(moved) == jax.tree.structure(start)


def test_terms_are_not_trainable():
    expected = [n for n in parameters(cart()) if not n.endswith(".size")]
    assert trainable(cart()) == expected
    assert len(expected) == 9


@model
class Train:
    carts: dict = number(flat=True)
    speed: float = number(default=1.0)


def test_items_of_a_flat_dict_are_named_without_the_field():
    train = Train({"first": Wheel(1.0), "second": Wheel(2.0)})
    assert list(parameters(train))[:4] == ["first.radius", "first.wear", "first.size", "second.radius"]
    assert trainable(train) == ["first.radius", "first.wear", "second.radius", "second.wear", "speed"]
    assert float(with_parameters(train, {"second.radius": 5.0}).carts["second"].radius) == 5.0
    assert field_metadata(train, "first.size")["term"]
    assert field_metadata({"a": train}, "a.second.wear")["bounds"] == {"low": 0.0, "high": 1.0}
    with pytest.raises(ValueError, match="unknown parameter 'radios'; did you mean radius"):
        field_metadata(train, "first.radios")


def test_a_model_is_frozen():
    with pytest.raises(AttributeError):
        Wheel(1.0).radius = 2.0


def test_replace_leaves_the_original():
    one = Wheel(1.0, wear=0.1)
    two = replace(one, radius=4)
    assert [float(x) for x in (one.radius, two.radius, two.wear)] == [1.0, 4.0, 0.1]


def test_repr_shows_numbers_as_numbers():
    assert repr(Wheel(1.0)) == "Wheel(radius=1, wear=0.5, size=2)"
    assert "loads={z: 1, a: 2}" in repr(cart())
