"""The basket workload in PyTorch, eager: paths last, a block at a time, ``torch.randn`` and one matrix product a step."""

import numpy as np
import torch

from peers.terms import BasketTerms

BLOCK = 32_768  # paths: 1 MB of prices, the fastest of those tried


@torch.no_grad()
def run(terms: BasketTerms, paths: int, seed: int) -> dict[str, np.ndarray]:
    """Both calls and the last prices of every path."""
    draws = torch.Generator().manual_seed(seed)
    drift, scale = terms.step()
    factor = torch.from_numpy(terms.factor()) * scale
    prices, total = torch.ones(terms.assets, paths), torch.zeros(paths)
    for at in range(0, paths, BLOCK):
        state, running = torch.ones_like(prices[:, at : at + BLOCK]), torch.zeros_like(total[at : at + BLOCK])
        for _ in range(terms.steps):
            z = torch.randn(state.shape, generator=draws)
            state = state * torch.exp(factor @ z + drift)
            running = running + state.mean(0)
        prices[:, at : at + BLOCK], total[at : at + BLOCK] = state, running
    return terms.columns(prices.numpy(), total.numpy())
