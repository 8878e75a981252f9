"""Random numbers by address."""

from mcengine.noise.antithetic import Antithetic
from mcengine.noise.bit_generators import philox4x32, threefry2x32
from mcengine.noise.counter import STREAMS, Counter, Given, Path, Source, draw, make_key, path_ids, split_ids
from mcengine.noise.normal import normal_from_uniform, normal_from_words, normals_by_box_muller, uniform_from_words
from mcengine.noise.shifted import Shifted, draw_weighted, finish_density, start_density, stop_density
from mcengine.noise.sobol import Sobol, principal_rotation

__all__ = [
    "STREAMS",
    "Antithetic",
    "Counter",
    "Given",
    "Path",
    "Shifted",
    "Sobol",
    "Source",
    "draw",
    "draw_weighted",
    "finish_density",
    "make_key",
    "normal_from_uniform",
    "normal_from_words",
    "normals_by_box_muller",
    "path_ids",
    "philox4x32",
    "principal_rotation",
    "split_ids",
    "start_density",
    "stop_density",
    "threefry2x32",
    "uniform_from_words",
]
