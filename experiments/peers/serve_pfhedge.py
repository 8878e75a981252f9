"""pfhedge in its own environment (it needs numpy below 2): a Heston call, and a call hedged in Whalley and Wilmott's band. Knows no mcengine."""

import json
import math
import sys

import torch
from pfhedge.instruments import BrownianStock, EuropeanOption
from pfhedge.nn import EntropicRiskMeasure, Hedger, WhalleyWilmott
from pfhedge.stochastic import generate_heston


@torch.no_grad()
def heston(task):
    """Its scheme is QE without the martingale correction; interest enters as a factor of the forward."""
    spot, _ = generate_heston(
        task["paths"],
        task["steps"] + 1,
        init_state=(task["spot"], task["v0"]),
        kappa=task["kappa"],
        theta=task["theta"],
        sigma=task["vol_of_vol"],
        rho=task["rho"],
        dt=task["years"] / task["steps"],
    )
    growth = math.exp(task["rate"] * task["years"])
    call = (growth * spot[:, -1] - task["spot"]).clamp(min=0.0) / growth
    return {"call": (call.double().mean().item(), call.double().std().item() / math.sqrt(call.numel()))}


@torch.no_grad()
def case(task):
    dt = task["years"] / task["steps"]
    stock = BrownianStock(sigma=task["sigma"], cost=task["cost"], dt=dt)
    derivative = EuropeanOption(stock, strike=task["strike"], maturity=task["years"])
    model = WhalleyWilmott(derivative)
    hedger = Hedger(model, model.inputs())
    derivative.simulate(n_paths=task["paths"])
    left = hedger.compute_pl(derivative).double()
    risk, weight = EntropicRiskMeasure()(left).item(), torch.exp(-left)
    return {"risk": (risk, (weight.std() / weight.mean()).item() / math.sqrt(left.numel()))}


def run(task):
    torch.manual_seed(task["seed"])
    return (heston if task["work"] == "heston" else case)(task)


if __name__ == "__main__":
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)
