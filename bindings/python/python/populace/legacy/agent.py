"""A stand-in for ``pymdp.agent.Agent`` of pymdp 0.0.7.

Constructor, attributes and methods are pymdp's, families of arrays are object arrays, and the agent
keeps its beliefs: ``qs``, ``q_pi``, ``G``, ``action``. Its arrays may be set or changed between
calls, as pymdp's own examples do: what the engine has made of them is made anew once they differ.
Drawn actions use NumPy's global random numbers, as pymdp's do, though not in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from populace import _native, pymdp
from populace.legacy._windows import Windows
from populace.legacy.objects import (
    Objects,
    is_normalized,
    is_obj_array,
    norm_dist_obj_arr,
    obj_array_from_list,
    obj_array_uniform,
    obj_array_zeros,
    to_obj_array,
)
from populace.model import Model

#: The arrays that the engine compiles.
_COMPILED = ("A", "B", "C", "D", "E", "pA", "pB", "policies")
#: The numbers and names that it does.
_ARGUMENTS = (
    "gamma", "alpha", "use_utility", "use_states_info_gain", "use_param_info_gain",
    "action_selection", "sampling_mode", "inference_algo", "inference_horizon",
)  # fmt: skip

_INFERENCE_PARAMS: dict[str, dict[str, Any]] = {
    "VANILLA": {"num_iter": 10, "dF": 1.0, "dF_tol": 0.001},
    "MMP": {"num_iter": 10, "grad_descent": True, "tau": 0.25},
}


class Agent:
    """An agent as pymdp 0.0.7 has it; see there for the arguments.

    >>> from populace.legacy import utils
    >>> A, B = utils.random_A_matrix([3], [2]), utils.random_B_matrix([2], [2])
    >>> agent = Agent(A, B, policy_len=2, pA=utils.dirichlet_like(A, scale=10.0))
    >>> for observed in (0, 2, 1):
    ...     qs = agent.infer_states([observed])
    ...     q_pi, G = agent.infer_policies()
    ...     qA = agent.update_A([observed])
    ...     action = agent.sample_action()
    >>> qs[0].shape, q_pi.shape, action.shape
    ((2,), (4,), (1,))
    """

    def __init__(
        self,
        A: Any,
        B: Any,
        C: Any | None = None,
        D: Any | None = None,
        E: Any | None = None,
        pA: Any | None = None,
        pB: Any | None = None,
        pD: Any | None = None,
        num_controls: Sequence[int] | None = None,
        policy_len: int = 1,
        inference_horizon: int = 1,
        control_fac_idx: Sequence[int] | None = None,
        policies: Sequence[Any] | None = None,
        gamma: float = 16.0,
        alpha: float = 16.0,
        use_utility: bool = True,
        use_states_info_gain: bool = True,
        use_param_info_gain: bool = False,
        action_selection: str = "deterministic",
        sampling_mode: str = "marginal",
        inference_algo: str | None = "VANILLA",
        inference_params: Any | None = None,
        modalities_to_learn: str | Sequence[int] = "all",
        lr_pA: float = 1.0,
        factors_to_learn: str | Sequence[int] = "all",
        lr_pB: float = 1.0,
        lr_pD: float = 1.0,
        use_BMA: bool = True,
        policy_sep_prior: bool = False,
        save_belief_hist: bool = False,
    ) -> None:
        inference_algo = "VANILLA" if inference_algo is None else inference_algo
        if inference_algo not in _INFERENCE_PARAMS:
            raise NotImplementedError(f"{inference_algo} is not implemented")
        if policy_sep_prior:
            _missing("policy_sep_prior")
        if inference_algo == "MMP" and not use_BMA:
            _missing("use_BMA=False with MMP")
        self.policy_len, self.gamma, self.alpha = policy_len, gamma, alpha
        self.action_selection, self.sampling_mode = action_selection, sampling_mode
        self.use_utility, self.use_states_info_gain = use_utility, use_states_info_gain
        self.use_param_info_gain = use_param_info_gain
        self.modalities_to_learn, self.factors_to_learn = modalities_to_learn, factors_to_learn
        self.lr_pA, self.lr_pB, self.lr_pD = lr_pA, lr_pB, lr_pD
        self.inference_algo = inference_algo
        self.inference_horizon = inference_horizon if inference_algo == "MMP" else 1
        # pymdp ignores what it is given here, too.
        self.inference_params = dict(_INFERENCE_PARAMS[inference_algo])
        self.edge_handling_params = {"use_BMA": use_BMA, "policy_sep_prior": policy_sep_prior}

        self.A = _distributions("A matrix", A)
        self.B = _distributions("B matrix", B)
        self.num_obs = [int(a.shape[0]) for a in self.A]
        self.num_states = [int(b.shape[0]) for b in self.B]
        self.num_modalities, self.num_factors = len(self.num_obs), len(self.num_states)
        self.pA: Any = pA
        self.pB: Any = pB
        self.pD: Any = pD
        if num_controls is None:
            num_controls = [b.shape[2] for b in self.B]
        self.num_controls = [int(n) for n in num_controls]
        self.control_fac_idx = [f for f, n in enumerate(self.num_controls) if n > 1]
        if control_fac_idx is not None:
            self.control_fac_idx = list(control_fac_idx)
        self.policies: list[NDArray[Any]] = (
            list(pymdp.all_policies(self.num_controls, policy_len, None))
            if policies is None
            else list(policies)
        )
        self.C = obj_array_zeros(self.num_obs) if C is None else _family("C vector", C)
        if D is not None:
            self.D = _distributions("D vector", D)
        elif pD is not None:
            self.D = norm_dist_obj_arr(pD)
        else:
            self.D = obj_array_uniform(self.num_states)
        self.E = np.full(len(self.policies), 1 / len(self.policies)) if E is None else E
        if save_belief_hist:
            self.qs_hist: list[Objects] = []
            self.q_pi_hist: list[NDArray[np.float64]] = []
        self.prev_obs: list[Any] = []
        self.action: NDArray[np.float64] | None = None
        self.prev_actions: list[Any] | None = None
        self._mind: tuple[Any, _native.Stepwise] | None = None
        self._windows = Windows(self)
        self.reset()

    def model_of(self, index: int = 0, **arguments: Any) -> Model:
        """The model of the agent as it is now; ``arguments`` are put over its own."""
        plans = np.stack(self.policies)
        keywords: dict[str, Any] = {
            "dialect": "pymdp-0",
            **{name: list(getattr(self, name)) for name in ("A", "B", "C", "D")},
            **{
                name: None if getattr(self, name) is None else list(getattr(self, name))
                for name in ("pA", "pB", "pD")
            },
            "A_dependencies": [list(range(self.num_factors))] * self.num_modalities,
            "B_dependencies": [[factor] for factor in range(self.num_factors)],
            "num_controls": self.num_controls,
            "policy_len": plans.shape[1],
            "policies": plans,
            "E": self.E,
            "lr_pA": self.lr_pA, "lr_pB": self.lr_pB, "lr_pD": self.lr_pD,
            "use_BMA": self.edge_handling_params["use_BMA"],
            **{name: getattr(self, name) for name in _ARGUMENTS},
        }  # fmt: skip
        return Model(**{**keywords, **arguments})

    def reset(self, init_qs: Objects | None = None) -> Objects:
        """Begin a trial: uniform beliefs, or those given; answers them. The last action stays, as
        in pymdp: set ``action`` to None for a trial that starts from ``D``."""
        self.curr_timestep = 0
        if init_qs is not None:
            self.qs = init_qs
        elif self.inference_algo == "MMP":
            self.qs = self._windows.nothing_seen()
            self.set_latest_beliefs(self.D)
        else:
            self.qs = obj_array_uniform(self.num_states)
        return self.qs

    def step_time(self) -> int:
        """Count a step: :meth:`sample_action` does."""
        self.prev_actions = [*(self.prev_actions or []), self.action]
        self.curr_timestep += 1
        if self.inference_algo == "MMP" and self.curr_timestep >= self.inference_horizon:
            self.set_latest_beliefs()
        return self.curr_timestep

    def set_latest_beliefs(self, last_belief: Objects | None = None) -> Objects:
        """Set what the window of ``MMP`` starts from: what was inferred of its first step, averaged
        over policies, or the beliefs given."""
        if self.inference_algo != "MMP":
            _missing('set_latest_beliefs without "MMP"')
        self.latest_belief = self._windows.first_belief() if last_belief is None else last_belief
        return self.latest_belief

    def get_future_qs(self) -> Objects:
        """The beliefs of ``MMP`` about the present and the planned steps, by policy."""
        return obj_array_from_list([qs[-(self.policy_len + 1) :] for qs in self.qs])

    def infer_states(self, observation: Any, distr_obs: bool = False) -> Objects:
        """Beliefs from the last ones, the last action (``D`` without one) and an observation: an
        outcome a modality. Answers ``qs``, (S_f,) a factor; with ``MMP`` by policy, step of the
        window and factor."""
        outcomes = self._outcomes(observation)
        if self.inference_algo == "MMP":
            self.prev_obs.append(tuple(outcomes[0].tolist()))
            self.qs, self.F = self._windows.infer_states()
        else:
            mind = self._engine()
            prior = self._flat(self.D)
            if self.action is not None:
                prior = mind.predict(self._flat(self.qs), self._taken())
            self.qs = self._split(mind.infer_states(prior, outcomes))
        if hasattr(self, "qs_hist"):
            self.qs_hist.append(self.qs)
        return self.qs

    def infer_policies(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Weigh policies by the beliefs. Answers ``q_pi`` and ``G`` (= -EFE), (P,) each."""
        if self.inference_algo == "MMP":
            self.q_pi, self.G = self._windows.infer_policies()
        else:
            q_pi, G = self._engine().infer_policies(self._flat(self.qs))
            self.q_pi, self.G = q_pi[0], G[0]
        if hasattr(self, "q_pi_hist"):
            self.q_pi_hist = [*self.q_pi_hist, self.q_pi]
            if len(self.q_pi_hist) > self.inference_horizon:
                self.q_pi_hist = self.q_pi_hist[-(self.inference_horizon - 1) :]
        return self.q_pi, self.G

    def sample_action(self) -> NDArray[np.float64]:
        """Choose an action a factor, (F,), and count the step."""
        draws = np.zeros((1, self.num_factors))
        if self.action_selection == "stochastic":
            draws = np.random.random_sample(draws.shape)
        posterior = np.ascontiguousarray(self.q_pi, dtype=np.float64)[np.newaxis]
        self.action = self._engine().sample_action(posterior, draws)[0].astype(np.float64)
        self.step_time()
        return self.action

    def update_A(self, obs: Any) -> Objects:
        """Learn A from the beliefs and an observation. Answers ``pA``; ``A`` follows."""
        self._no_windows("update_A")
        outcomes = self._outcomes(obs)
        if self.modalities_to_learn != "all":
            for modality in set(range(self.num_modalities)) - set(self.modalities_to_learn):
                outcomes[0, modality] = -1
        shapes = [a.shape for a in self.A]
        counts, expected = self._learn("A", self.qs, self.qs, outcomes)
        learnt = _shaped(counts, shapes)
        self.pA, self.A = learnt, _shaped(expected, shapes)
        return learnt

    def update_B(self, qs_prev: Objects) -> Objects:
        """Learn B from beliefs, those of the step before, and the action between. Answers ``pB``;
        ``B`` follows."""
        self._no_windows("update_B")
        taken = self._taken()
        if self.factors_to_learn != "all":
            for factor in set(range(self.num_factors)) - set(self.factors_to_learn):
                taken[0, factor] = -1
        counts, expected = self._learn("B", qs_prev, self.qs, None, taken)
        # The engine has a table an action; arrays have the action last.
        shapes = [(b.shape[2], *b.shape[:2]) for b in self.B]
        learnt, arrays = (
            obj_array_from_list([np.moveaxis(table, 0, -1).copy() for table in _shaped(flat, shapes)])
            for flat in (counts, expected)
        )
        self.pB, self.B = learnt, arrays
        return learnt

    def update_D(self, qs_t0: Objects | None = None) -> Objects:
        """Learn D from the beliefs at the first step; with ``MMP`` from those that its window starts
        from. Answers ``pD``; ``D`` follows."""
        if self.inference_algo == "MMP":
            qs_t0 = self.latest_belief
        if qs_t0 is None:
            if not getattr(self, "qs_hist", None):
                raise ValueError("qs_t0: give it, or make the agent with save_belief_hist=True")
            qs_t0 = self.qs_hist[0]
        counted = self.pD
        counts, _ = self._learn("D", qs_t0, qs_t0, None)
        learnt = _shaped(counts, [d.shape for d in self.D])
        if self.factors_to_learn != "all":
            for factor in set(range(self.num_factors)) - set(self.factors_to_learn):
                learnt[factor] = counted[factor].copy()
        self.pD, self.D = learnt, norm_dist_obj_arr(learnt)
        return learnt

    def _no_windows(self, name: str) -> None:
        """Refuses what pymdp cannot do with beliefs by policy."""
        if self.inference_algo == "MMP":
            raise NotImplementedError(f"{name}: pymdp does not learn from the beliefs of MMP")

    def _engine(self) -> _native.Stepwise:
        """The agent's model, compiled; anew where its arrays are others than they were."""
        now = [np.asarray(getattr(self, name)) for name in _ARGUMENTS]
        for name in _COMPILED:
            family = getattr(self, name)
            now += [] if family is None else [np.asarray(array) for array in family]
        if self._mind is not None:
            before, mind = self._mind
            if len(now) == len(before) and all(map(np.array_equal, now, before)):
                return mind
        mind = _native.Stepwise(self.model_of()._native)
        self._mind = [array.copy() for array in now], mind
        return mind

    def _learn(
        self,
        family: str,
        before: Objects,
        qs: Objects,
        outcomes: NDArray[np.int32] | None,
        taken: NDArray[np.int32] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The counts of one family after a step, and the arrays that are expected of them."""
        if getattr(self, f"p{family}") is None:
            raise ValueError(f"update_{family}: needs the counts p{family} that it adds to")
        # Learning knows nothing of policies: one will do.
        model = self.model_of(
            **{f"learn_{family}": True},
            inference_algo="VANILLA",
            inference_horizon=1,
            policies=np.zeros((1, 1, self.num_factors), dtype=np.int32),
            policy_len=1,
            E=None,
            use_param_info_gain=False,
        )
        mind = _native.Stepwise(model._native)
        nothing = np.full((1, self.num_modalities), -1, dtype=np.int32)
        nowhere = np.full((1, self.num_factors), -1, dtype=np.int32)
        counts = mind.learn(
            (mind.counts, np.zeros((1, 2), dtype=bool)),
            self._flat(before),
            self._flat(qs),
            nothing if outcomes is None else outcomes,
            nowhere if taken is None else taken,
        )
        return counts[0], mind.expected((counts, np.ones((1, 2), dtype=bool)))[0]

    def _taken(self) -> NDArray[np.int32]:
        """The last action, (1, F)."""
        if self.action is None:
            raise ValueError("action: the agent has not acted yet")
        return np.asarray(self.action, dtype=np.int32).reshape(1, -1).copy()

    def _outcomes(self, observation: Any) -> NDArray[np.int32]:
        """An observation in any form that pymdp takes, (1, M)."""
        if isinstance(observation, (int, np.integer)):
            observation = [observation]
        elif isinstance(observation, np.ndarray) and not is_obj_array(observation):
            if self.num_modalities == 1 and observation.shape == (self.num_obs[0],):
                observation = to_obj_array(observation)
        if len(observation) != self.num_modalities:
            raise ValueError(
                f"observation: {len(observation)} modalities, expected {self.num_modalities}"
            )
        outcomes = np.empty((1, self.num_modalities), dtype=np.int32)
        for modality, (given, count) in enumerate(zip(observation, self.num_obs, strict=True)):
            if np.ndim(given) > 0 and np.size(given) > 1:
                row = np.asarray(given, dtype=np.float64)
                if row.shape != (count,) or row.max() != 1.0 or row.sum() != 1.0:
                    _missing("infer_states of distributions over outcomes")
                given = row.argmax()
            outcomes[0, modality] = int(np.squeeze(given))
            if not 0 <= outcomes[0, modality] < count:
                raise ValueError(
                    f"observation[{modality}]: is {given}, not between 0 and {count - 1}"
                )
        return outcomes

    def _flat(self, beliefs: Any) -> NDArray[np.float64]:
        """Beliefs side by side, (1, sum of S)."""
        parts = [np.asarray(belief, dtype=np.float64).ravel() for belief in to_obj_array(beliefs)]
        return np.concatenate(parts)[np.newaxis]

    def _split(self, flat: NDArray[np.float64]) -> Objects:
        return obj_array_from_list(np.split(flat[0], np.cumsum(self.num_states)[:-1]))


def _shaped(flat: NDArray[np.float64], shapes: Sequence[tuple[int, ...]]) -> Objects:
    """Arrays of these shapes that stand side by side."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    parts = np.split(flat, ends[:-1])
    return obj_array_from_list(
        [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
    )


def _family(name: str, family: Any) -> Objects:
    if not isinstance(family, np.ndarray):
        raise TypeError(f"{name} must be a numpy array")
    return to_obj_array(family)


def _distributions(name: str, family: Any) -> Objects:
    arrays = _family(name, family)
    if not is_normalized(arrays):
        raise ValueError(f"{name} is not normalized: the columns of every array must sum to 1")
    return arrays


def _missing(name: str) -> None:
    raise NotImplementedError(f"{name}: this version does not do it yet")
