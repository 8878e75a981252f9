"""The one place that knows Hydra: conf/ mirrors the rooms, a yaml per concrete thing, keys are argument names.

``load_config`` composes a configuration as the experiments do, ``build`` makes what a node names, ``study`` builds the whole. Hydra is
imported on first use, and what it raises leaves here as a ``ValueError`` with the one line a user can act on.
"""

from mcengine._config_dir import CONF, check_folder
from mcengine._files import flat
from mcengine.config.built import BENCHMARK, at_floor, books, build, calibrated, integer, market_of, number, policy_name, sources, stressed, study
from mcengine.config.checked import check, load_config
from mcengine.config.compose import replacing, spelled_out, unreadable
from mcengine.config.loaded import load
from mcengine.config.messages import explain
from mcengine.config.saved import Saved, as_yaml, files, plain, saved
from mcengine.config.suited import suit

__all__ = [
    "BENCHMARK",
    "CONF",
    "Saved",
    "as_yaml",
    "at_floor",
    "books",
    "build",
    "calibrated",
    "check",
    "check_folder",
    "explain",
    "files",
    "flat",
    "integer",
    "load",
    "load_config",
    "market_of",
    "number",
    "plain",
    "policy_name",
    "replacing",
    "saved",
    "sources",
    "spelled_out",
    "stressed",
    "study",
    "suit",
    "unreadable",
]
