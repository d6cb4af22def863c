"""50 agents to 100,000: the same model, the same ten lines, one number changed.

    python fifty_to_a_hundred_thousand.py
"""

import time

import populace as pp

BUDGET = "64MiB"
STEPS = 20

model = pp.Model.grid(side=20)
print(f"{model}, in {BUDGET}\n")
print(f"{'agents':>8}  {'agent-steps/s':>13}  {'bytes/agent':>11}  {'engine':>10}")
for agents in (50, 1_000, 10_000, 100_000):
    crowd = pp.Population(model, agents, budget=BUDGET, seed=1)
    world = pp.World(model, agents, seed=1)
    started = time.perf_counter()
    crowd.run(world, STEPS)
    rate = agents * STEPS / (time.perf_counter() - started)
    engine = sum(crowd.peak().values()) / 2**20
    print(f"{agents:>8,}  {rate:>13,.0f}  {crowd.bytes_per_agent:>11,.0f}  {engine:>6.1f} MiB")
