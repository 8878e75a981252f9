"""The one place that knows Hydra: conf/ mirrors the rooms, a yaml per concrete thing, keys are argument names.

``load_config`` composes a configuration as the experiments do, ``load`` builds what a node names, ``study`` builds the whole. Hydra is
imported on first use, and what it raises leaves here as a ``ValueError`` with the one line a user can act on.
"""

from mcengine._config_dir import CONF, check_folder
from mcengine.config.built import at_floor, calibrated, integer, load, market_of, number, sources, stressed, study
from mcengine.config.checked import check, load_config
from mcengine.config.compose import replacing, spelled_out, unreadable
from mcengine.config.messages import explain, flat
from mcengine.config.saved import Saved, as_yaml, plain, saved

__all__ = [
    "CONF",
    "Saved",
    "as_yaml",
    "at_floor",
    "calibrated",
    "check",
    "check_folder",
    "explain",
    "flat",
    "integer",
    "load",
    "load_config",
    "market_of",
    "number",
    "plain",
    "replacing",
    "saved",
    "sources",
    "spelled_out",
    "stressed",
    "study",
    "unreadable",
]
