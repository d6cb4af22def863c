"""A budget that holds: what does not fit is refused before the first step, with what would.

    python a_budget_that_holds.py
"""

import populace as pp

model = pp.Model.grid(side=20)
agents, budget = 100_000, 32 * 2**20

for belief in ("dense", "auto"):
    plan = pp.plan(model, agents, budget=budget, belief=belief)
    verdict = "fits" if plan.fits else f"does not fit, {plan.most_agents:,} would"
    print(f"{belief:>5}: {plan.bytes_per_agent:,.0f} bytes an agent, {verdict}")

try:
    pp.Population(model, agents, budget=budget, belief="dense")
except pp.BudgetError as error:
    print(f"\nBudgetError: {error}\n")

crowd = pp.Population(model, agents, budget=budget)
crowd.run(pp.World(model, agents), 20)
peak = crowd.peak()
for name, size in peak.items():
    print(f"{name:>10} {size / 2**20:7.2f} MiB")
print(f"{'all':>10} {sum(peak.values()) / 2**20:7.2f} of {budget / 2**20:.0f} MiB")
assert sum(peak.values()) <= budget
