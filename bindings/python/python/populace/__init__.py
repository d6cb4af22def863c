"""Very large populations of active-inference agents inside a memory budget you set.

>>> import numpy as np
>>> import populace as pp
>>> model = pp.Model.grid(side=5)
>>> crowd = pp.Population(model, 1_000, budget="16MiB", seed=1)
>>> actions = crowd.step(np.zeros((1_000, 1), dtype=np.int32))
>>> actions.shape, actions.dtype
((1000, 1), dtype('int32'))

Shapes are written (agents, modalities): what comes first varies slowest. S_f are the states of
factor f, O_m the outcomes of modality m, P policies, F factors, M modalities.
"""

from populace import envs, legacy, pool
from populace._native import BudgetError, __version__
from populace.agent import Agent
from populace.envs import World
from populace.history import History, Past
from populace.model import Model
from populace.planning import Plan, plan
from populace.population import Population

__all__ = [
    "Agent",
    "BudgetError",
    "History",
    "Model",
    "Past",
    "Plan",
    "Population",
    "World",
    "__version__",
    "envs",
    "legacy",
    "plan",
    "pool",
]
