"""pymdp 0.0.7's ``MMP``: which observations, actions and beliefs a window has, and beliefs by policy.

The engine infers states and weighs policies in one pass; here are pymdp's rules of what it is given,
and its shapes of what it answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from populace import _native
from populace.legacy.objects import Objects, obj_array, obj_array_from_list, obj_array_uniform

if TYPE_CHECKING:
    from populace.legacy.agent import Agent


class Windows:
    """The windows of an agent."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._inferred: tuple[_native.Stepwise, dict[str, NDArray[np.float64]]] | None = None
        #: What the present window was inferred from, should the agent's arrays change meanwhile.
        self._given: Any = None

    def nothing_seen(self) -> Objects:
        """Beliefs by policy before any observation: uniform at the first step, the others empty."""
        agent = self._agent
        steps = agent.inference_horizon + agent.policy_len + 1
        policies = []
        for _ in agent.policies:
            beliefs = obj_array(steps)
            beliefs[0] = obj_array_uniform(agent.num_states)
            policies.append(beliefs)
        return obj_array_from_list(policies)

    def infer_states(self) -> tuple[Objects, NDArray[np.float64]]:
        """Beliefs by policy, step and factor, and the free energy of each policy."""
        agent = self._agent
        horizon = agent.inference_horizon
        seen = np.array([agent.prev_obs[-horizon:]], dtype=np.int32)
        actions = np.array(agent.prev_actions or [], dtype=np.int32).reshape(-1, agent.num_factors)
        last = np.full((1, agent.num_factors), -1, dtype=np.int32) if not len(actions) else actions[-1:]
        if horizon == 1:
            # pymdp then takes the run's first actions for those of the window.
            most = agent.policy_len
            past = actions[:most] if len(actions) > most else actions[:-1]
        else:
            past = actions[-(horizon - 1) :][:-1]
        self._given = (
            agent._flat(agent.latest_belief),
            seen.shape[1],
            seen.reshape(1, -1),
            np.ascontiguousarray(past).reshape(1, -1),
            np.ascontiguousarray(last),
        )
        self._inferred = None
        inferred = self._now()
        steps = len(inferred["qs"][0]) // sum(agent.num_states)
        beliefs = [
            obj_array_from_list([agent._split(step[np.newaxis]) for step in policy])
            for policy in inferred["qs"].reshape(len(agent.policies), steps, -1)
        ]
        return obj_array_from_list(beliefs), inferred["free_energy"][0]

    def infer_policies(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """q_pi and -EFE, by policy."""
        inferred = self._now()
        return inferred["q_pi"][0], inferred["neg_efe"][0]

    def first_belief(self) -> Objects:
        """What the next window starts from."""
        return self._agent._split(self._now()["prior"])

    def _now(self) -> dict[str, NDArray[np.float64]]:
        """What is inferred of the present window with the agent's present arrays."""
        if self._given is None:
            raise ValueError("infer_states: nothing was observed yet")
        mind = self._agent._engine()
        if self._inferred is None or self._inferred[0] is not mind:
            self._inferred = mind, mind.infer_by_policy(*self._given)
        return self._inferred[1]
