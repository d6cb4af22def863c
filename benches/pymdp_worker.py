"""Steps pymdp agents of a model file, on request: the other side of compare_pymdp.py.

    python pymdp_worker.py MODEL.safetensors AGENTS

Runs in an environment with either inferactively-pymdp 1.x (JAX; one jitted batch, but searches one agent
after another, as it has them) or 0.0.7.1 (NumPy; one object an agent, all sharing the model's arrays,
which is the least memory it can take). Prints a
JSON line when the agents are ready; then, for every line on standard input, a number of seconds, it
takes steps for about so long (one at least) and answers with a JSON line: the microseconds an
agent-step of each, the resident bytes an agent, and the bytes of the arrays that an agent names as its own.

A step is all that an agent does between two observations: infer_states, infer_policies (or a search),
updates of A and B where the model learns them, sample_action, and the next prior. The world they act in is drawn from the model's own A, B and D,
and is not timed. Numbers that no one reads might never be computed, so beliefs are checked to be
distributions at the end of every request.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
import time
from importlib.metadata import version
from typing import Any

import numpy as np
from safetensors import safe_open


class Model:
    """A model file, its tensors dense."""

    def __init__(self, path: str) -> None:
        with safe_open(path, "np") as file:
            meta = json.loads(file.metadata()["populace"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        for name, shape in meta.get("sparse", {}).items():
            starts, rows, values = (tensors[f"{name}.{part}"] for part in ("indptr", "indices", "values"))
            columns = np.zeros((shape[0], int(np.prod(shape[1:], dtype=int))), values.dtype)
            columns[rows, np.repeat(np.arange(columns.shape[1]), np.diff(starts.astype(int)))] = values
            tensors[name] = columns.reshape(shape)

        def family(name: str) -> list[np.ndarray]:
            count = sum(key.split(".")[0] == name and key.count(".") == 1 for key in tensors)
            return [tensors[f"{name}.{i}"] for i in range(count)]

        self.a, self.b, self.c = family("A"), family("B"), family("C")
        self.p_a, self.p_b = family("pA"), family("pB")
        self.d = family("D") or [np.full(len(b), 1 / len(b)) for b in self.b]
        self.a_dependencies = meta["A_dependencies"]
        self.b_dependencies = meta["B_dependencies"]
        self.num_controls = meta["num_controls"]
        self.arguments = meta.get("agent", {})
        self.dialect, self.search = meta.get("dialect", "pymdp-1"), meta.get("sophisticated")
        self.learns = [bool(self.arguments.get(f"learn_{name}")) for name in "AB"]
        if self.b_dependencies != [[f] for f in range(len(self.b))]:
            raise SystemExit("the world here is for factors that depend on themselves alone")


class World:
    """True states of many agents at once."""

    def __init__(self, model: Model, agents: int) -> None:
        self.model, self.random = model, np.random.default_rng(1)
        self.states = [self._draw(np.repeat(d[:, None], agents, axis=1)) for d in model.d]

    def _draw(self, columns: np.ndarray) -> np.ndarray:
        """A row of every column, by its probabilities."""
        reached = columns.cumsum(axis=0)
        number = self.random.random(columns.shape[1]) * reached[-1]
        return np.minimum((reached <= number).sum(axis=0), len(columns) - 1)

    def observe(self) -> list[np.ndarray]:
        of = zip(self.model.a, self.model.a_dependencies)
        return [self._draw(a[(slice(None), *(self.states[f] for f in factors))]) for a, factors in of]

    def act(self, actions: np.ndarray) -> None:
        """`actions` is (agents, factors)."""
        moved = enumerate(zip(self.model.b, self.states))
        self.states = [self._draw(b[:, states, actions[:, f].astype(int)]) for f, (b, states) in moved]


class Batch:
    """pymdp 1.x: one agent object with a batch axis, its whole step jitted."""

    def __init__(self, model: Model, agents: int) -> None:
        import equinox
        import jax
        import jax.numpy as jnp

        self.jax, self.jnp = jax, jnp
        self.agent = agent_1(model, agents)
        self.prior, self.beliefs, self.action = self.agent.D, None, None
        self.key = jax.random.PRNGKey(0)
        rates = {k: v for k, v in model.arguments.items() if k in ("lr_pA", "lr_pB")}

        @equinox.filter_jit
        def step(agent: Any, observations: Any, prior: Any, before: Any, taken: Any, key: Any) -> tuple[Any, ...]:
            beliefs = agent.infer_states(observations, prior)
            policies, _ = agent.infer_policies(beliefs)
            action = agent.sample_action(policies, rng_key=jax.random.split(key, agents))
            if any(model.learns) and before is not None:
                pairs = [jnp.concatenate(pair, axis=1) for pair in zip(before, beliefs)]
                agent = agent.infer_parameters(beliefs, observations, taken[:, None], beliefs_B=pairs, **rates)
            return agent, action, agent.update_empirical_prior(action, beliefs), beliefs

        self.jitted = step

    def step(self, observations: list[np.ndarray]) -> tuple[np.ndarray, float]:
        """The actions, and the seconds it took to choose them."""
        seen = [self.jnp.array(o[:, None]) for o in observations]
        self.key, key = self.jax.random.split(self.key)
        self.jax.block_until_ready((seen, key))
        start = time.perf_counter()
        self.agent, self.action, self.prior, self.beliefs = self.jax.block_until_ready(
            self.jitted(self.agent, seen, self.prior, self.beliefs, self.action, key)
        )
        return np.asarray(self.action), time.perf_counter() - start

    def last_beliefs(self) -> list[np.ndarray]:
        return [np.asarray(q)[:, -1] for q in self.beliefs]

    def array_bytes(self) -> float:
        return array_bytes(vars(self.agent)) / self.agent.batch_size


class Searches:
    """pymdp 1.x's sophisticated inference: one agent object, and each agent's prior in turn."""

    # Compiling a search takes longer than many of its steps: it is done once for all.
    jitted: Any = None

    def __init__(self, model: Model, agents: int) -> None:
        import jax
        import jax.numpy as jnp

        self.jax, self.jnp = jax, jnp
        self.agent = agent_1(model, 1)
        self.priors, self.beliefs = [self.agent.D] * agents, [None] * agents
        if Searches.jitted is None:
            Searches.jitted = staticmethod(self.compiled(model))

    @staticmethod
    def compiled(model: Model) -> Any:
        import equinox
        from pymdp.planning.si import si_policy_search

        search = si_policy_search(**model.search)

        @equinox.filter_jit
        def step(agent: Any, observations: Any, prior: Any) -> tuple[Any, ...]:
            beliefs = agent.infer_states(observations, prior)
            action = agent.sample_action(search(agent, beliefs)[0])
            return action, agent.update_empirical_prior(action, beliefs), beliefs

        return step

    def step(self, observations: list[np.ndarray]) -> tuple[np.ndarray, float]:
        """The actions, and the seconds it took to choose them."""
        actions, seconds = [], 0.0
        for i, row in enumerate(zip(*observations)):
            seen = self.jax.block_until_ready([self.jnp.array([[o]]) for o in row])
            start = time.perf_counter()
            action, self.priors[i], self.beliefs[i] = self.jax.block_until_ready(
                self.jitted(self.agent, seen, self.priors[i])
            )
            seconds += time.perf_counter() - start
            actions.append(np.asarray(action)[0])
        return np.array(actions), seconds

    def last_beliefs(self) -> list[np.ndarray]:
        return [np.concatenate([np.asarray(q)[:, -1] for q in factor]) for factor in zip(*self.beliefs)]

    def array_bytes(self) -> float:
        return array_bytes(vars(self.agent))


def agent_1(model: Model, agents: int) -> Any:
    """An agent of pymdp 1.x with a batch axis."""
    import jax.numpy as jnp
    from pymdp.agent import Agent

    def arrays(tensors: list[np.ndarray]) -> list[Any] | None:
        return [jnp.array(tensor, jnp.float32) for tensor in tensors] or None

    return Agent(
        arrays(model.a), arrays(model.b), C=arrays(model.c), D=arrays(model.d), pA=arrays(model.p_a),
        pB=arrays(model.p_b), A_dependencies=model.a_dependencies, B_dependencies=model.b_dependencies,
        num_controls=model.num_controls, batch_size=agents, **known(Agent, model.arguments),
    )


class Objects:
    """pymdp 0.0.7: an agent is an object; `infer_states` works out its prior from the last action."""

    def __init__(self, model: Model, agents: int) -> None:
        from pymdp import utils
        from pymdp.agent import Agent

        def pack(tensors: list[np.ndarray]) -> np.ndarray:
            packed = utils.obj_array(len(tensors))
            for i, tensor in enumerate(tensors):
                packed[i] = tensor
            return packed

        states = [len(d) for d in model.d]
        whole, counts = ([spread(a, factors, states) for a, factors in zip(family, model.a_dependencies)]
                         for family in (model.a, model.p_a))
        tensors = {name: pack(family) for name, family in
                   (("A", whole), ("B", model.b), ("C", model.c), ("D", model.d), ("pA", counts), ("pB", model.p_b))
                   if family}
        arguments = known(Agent, model.arguments)
        if model.dialect != "pymdp-0":
            # How states are inferred is named otherwise there, and its default is the same scheme.
            arguments.pop("inference_algo", None)
        self.agents = [Agent(**tensors, **arguments) for _ in range(agents)]
        self.before: list[Any] = [None] * agents
        self.learns = model.learns

    def step(self, observations: list[np.ndarray]) -> tuple[np.ndarray, float]:
        """The actions, and the seconds it took to choose them."""
        seen = [[int(o) for o in row] for row in zip(*observations)]
        actions = []
        start = time.perf_counter()
        for i, (agent, row) in enumerate(zip(self.agents, seen)):
            beliefs = agent.infer_states(row)
            agent.infer_policies()
            if self.learns[0]:
                agent.update_A(row)
            if self.learns[1] and self.before[i] is not None:
                agent.update_B(self.before[i])
            self.before[i] = beliefs
            actions.append(agent.sample_action())
        return np.array(actions), time.perf_counter() - start

    def last_beliefs(self) -> list[np.ndarray]:
        # Message passing has beliefs by policy and step: the first policy's last.
        of = [a.qs[0][-1] if a.inference_algo == "MMP" else a.qs for a in self.agents]
        return [np.stack(factor) for factor in zip(*of)]

    def array_bytes(self) -> float:
        return array_bytes(vars(self.agents[0]))


def known(agent: type, arguments: dict[str, Any]) -> dict[str, Any]:
    """Those of a file's arguments that this version's agent has: the others are of the other
    version, or of its learning."""
    return {k: v for k, v in arguments.items() if k in inspect.signature(agent.__init__).parameters}


def spread(a: np.ndarray, factors: list[int], states: list[int]) -> np.ndarray:
    """A likelihood that depends on every factor, as pymdp 0.0.7 wants it."""
    if factors != sorted(factors):
        raise SystemExit("A_dependencies must ascend")
    shape = [n if f in factors else 1 for f, n in enumerate(states)]
    return np.ascontiguousarray(np.broadcast_to(a.reshape(len(a), *shape), (len(a), *states)))


def array_bytes(value: Any) -> int:
    """Bytes of all arrays that something holds, were they its own."""
    if isinstance(value, dict):
        return sum(map(array_bytes, value.values()))
    if isinstance(value, (list, tuple)) or getattr(value, "dtype", None) == object:
        return sum(map(array_bytes, value))
    return int(getattr(value, "nbytes", 0))


def resident_bytes() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main(path: str, agents: int) -> None:
    model = Model(path)
    library = Objects
    if version("inferactively-pymdp").startswith("1."):
        library = Searches if model.search else Batch
    # What a single agent takes is the libraries' own: modules, compiled code, the model.
    alone = library(model, 1)
    alone.step(World(model, 1).observe())
    before = resident_bytes()
    crowd, world = library(model, agents), World(model, agents)
    for _ in range(2):
        world.act(crowd.step(world.observe())[0])
    print(json.dumps({"version": version("inferactively-pymdp"), "agents": agents}), flush=True)
    for line in sys.stdin:
        end, microseconds = time.perf_counter() + float(line), []
        while not microseconds or time.perf_counter() < end:
            actions, seconds = crowd.step(world.observe())
            world.act(actions)
            microseconds.append(seconds / agents * 1e6)
        for beliefs in crowd.last_beliefs():
            assert beliefs.shape[0] == agents and np.allclose(beliefs.astype(float).sum(axis=-1), 1, atol=1e-4)
        grown = max(resident_bytes() - before, 0) / max(agents - 1, 1)
        print(json.dumps({"microseconds": microseconds, "bytes_per_agent": grown,
                          "array_bytes": crowd.array_bytes()}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
