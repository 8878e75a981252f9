"""Studies by name: every file of conf/experiment composes, and says what it sweeps over; what nothing reads is refused."""

import pytest

import mcengine as mc
from mcengine import config

NAMES = sorted(file.stem for file in (config.CONF / "experiment").glob("*.yaml"))
SCRIPTS = {"deep_hedging": "optimise"}
"""Of studies that are for one script alone; all others compose in any."""
PRIMARY = sorted(file.stem for file in config.CONF.glob("*.yaml") if file.stem != "base")


@pytest.mark.parametrize("name", NAMES)
def test_an_experiment_composes_in_a_script(name):
    script = SCRIPTS.get(name, "hedge")
    plain, chosen = mc.load_config(name=script), mc.load_config([f"experiment={name}"], name=script)
    assert list(chosen) == list(plain)
    assert (config.CONF / "experiment" / f"{name}.yaml").read_text().startswith("# @package _global_\n# ")


@pytest.mark.parametrize("script", PRIMARY)
def test_every_script_has_the_group(script):
    """Left out it changes nothing; a name that is none is told."""
    assert "experiment" not in mc.load_config(name=script)
    with pytest.raises(ValueError, match=r"^unknown experiment 'cost_sensitivty'; did you mean cost_sensitivity"):
        mc.load_config(["experiment=cost_sensitivty"], name=script)


def test_what_is_given_beside_it_wins():
    chosen = mc.load_config(["experiment=multiplier_gap_risk", "market=lognormal", "policy.every=3"], name="hedge")
    assert "Kou" not in str(chosen.market)
    assert (chosen.policy._target_.rpartition(".")[2], chosen.policy.every) == ("cppi_on_dates", 3)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("+experiment=x", "unknown experiment 'x'; known: "),
        ("+polcy.multiplier=5", "unknown key 'polcy'; did you mean policy?"),
        ("+policy.multiplyer=5", "policy.multiplyer: vol_target_cppi has no such argument; did you mean multiplier?"),
        ("+market/foo=bar", "unknown key 'market/foo'; did you mean market?"),
        ("++x=1", "unknown key 'x'; known: "),
    ],
)
def test_a_key_behind_a_plus_that_nothing_reads_is_refused(override, message):
    with pytest.raises(ValueError, match=rf"^{message.replace('?', '.').replace('+', '.')}"):
        config.check(mc.load_config([override], name="hedge"), "hedge", nodes=True)
