"""A stand-in for ``pymdp.agent.Agent`` of pymdp 1.x.

Constructor, attributes, methods and shapes are pymdp's: a batch axis first, a time axis in ``qs``.
Arrays are NumPy's, in double precision. As in pymdp nothing is kept between calls: priors and
beliefs are arguments and answers, and :meth:`Agent.infer_parameters` answers another agent. What
Populace does not do raises ``NotImplementedError`` naming it.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from populace import _learning, pymdp
from populace._batch import (
    Array,
    Policies,
    alike,
    batched,
    batched_preference,
    draws,
    latest,
    lists,
)
from populace._minds import Layout, Learnt, Minds, Rows
from populace._observations import distributions, masked, outcomes
from populace.model import Model

#: What infers states from a window of steps, and what smooths its beliefs before B learns of them.
_WINDOWS = ("mmp", "vmp")
_SMOOTHING = ("ovf", "exact")


class Agent:
    """An agent, or a batch of them, as pymdp 1.x has it; see there for the arguments.

    >>> import numpy as np
    >>> A = [np.array([[0.9, 0.2], [0.1, 0.8]])]
    >>> B = [np.stack([np.eye(2), np.eye(2)[::-1]], axis=-1)]
    >>> agent = Agent(A, B, C=[np.array([0.0, 2.0])], policy_len=2)
    >>> qs = agent.infer_states([np.array([[0]])], agent.D)
    >>> qs[0].shape  # (batch, time, states)
    (1, 1, 2)
    >>> q_pi, neg_efe = agent.infer_policies(qs)
    >>> action = agent.sample_action(q_pi)
    >>> action
    array([[1]], dtype=int32)
    >>> prior = agent.update_empirical_prior(action, qs)
    """

    def __init__(
        self,
        A: Iterable[Any],
        B: Iterable[Any],
        C: Iterable[Any] | None = None,
        D: Iterable[Any] | None = None,
        E: Any | None = None,
        pA: Iterable[Any] | None = None,
        pB: Iterable[Any] | None = None,
        H: Iterable[Any] | None = None,
        I: Iterable[Any] | None = None,  # noqa: E741 - pymdp's name
        A_dependencies: Sequence[Sequence[int]] | None = None,
        B_dependencies: Sequence[Sequence[int]] | None = None,
        B_action_dependencies: Sequence[Sequence[int]] | None = None,
        num_controls: Sequence[int] | None = None,
        control_fac_idx: Sequence[int] | None = None,
        policy_len: int = 1,
        policies: Any | None = None,
        gamma: ArrayLike = 1.0,
        alpha: ArrayLike = 1.0,
        inductive_depth: int = 1,
        inductive_threshold: ArrayLike = 0.1,
        inductive_epsilon: ArrayLike = 1e-3,
        use_utility: bool = True,
        use_states_info_gain: bool = True,
        use_param_info_gain: bool = False,
        use_inductive: bool = False,
        categorical_obs: bool = False,
        preprocess_fn: Callable[[Any], Any] | None = None,
        action_selection: str = "deterministic",
        sampling_mode: str = "full",
        inference_algo: str = "fpi",
        inference_horizon: int | None = None,
        num_iter: int = 16,
        batch_size: int = 1,
        learning_mode: str = "online",
        learn_A: bool = False,
        learn_B: bool = False,
        learn_C: bool = False,
        learn_D: bool = False,
        learn_E: bool = False,
    ) -> None:
        for name, asked in (
            ("learn_C", learn_C),
            ("learn_D", learn_D),
            ("learn_E", learn_E),
            ("I", I is not None and H is None),
        ):
            if asked:
                _missing(name)
        if learning_mode not in ("online", "offline"):
            raise ValueError(f"learning_mode: {learning_mode!r} is not online or offline")
        A, B = list(A), list(B)
        found = pymdp.dependencies(A, B) or (None, None)
        self.A_dependencies = lists(
            A_dependencies or found[0] or [list(range(len(B))) for _ in A]
        )
        self.B_dependencies = lists(B_dependencies or found[1] or [[f] for f in range(len(B))])
        several = policies is None and B_action_dependencies is not None
        self.B_action_dependencies = lists(
            B_action_dependencies or [[f] for f in range(len(B))]
        )
        if several and num_controls is None:
            raise ValueError("num_controls: B_action_dependencies need it")
        self.batch_size = batch_size
        self.num_modalities, self.num_factors = len(A), len(B)

        self.A = batched("A", A, [len(d) + 1 for d in self.A_dependencies], batch_size)
        axes = [len(d) for d in self.B_action_dependencies] if several else [1] * len(B)
        rank = [1 + len(d) + n for d, n in zip(self.B_dependencies, axes, strict=True)]
        own_b = batched("B", B, rank, batch_size)
        self.num_obs = [a.shape[1] for a in self.A]
        self.num_states = [b.shape[1] for b in own_b]
        #: B and pB with the controls of each factor in one axis, as pymdp has them.
        self.B = self._flattened(own_b)
        self.num_controls = [b.shape[-1] for b in self.B]
        self.num_controls_multi = list(num_controls) if several and num_controls else None
        self.C = (
            [np.full((batch_size, n), 1 / n) for n in self.num_obs]
            if C is None
            else [batched_preference(m, c, batch_size) for m, c in enumerate(C)]
        )
        ones = [1] * len(B)
        self.D = (
            [np.full((batch_size, n), 1 / n) for n in self.num_states]
            if D is None
            else batched("D", D, ones, batch_size)
        )
        self.pA = None
        if pA is not None:
            self.pA = batched("pA", pA, [a.ndim - 1 for a in self.A], batch_size)
        own_pb = None if pB is None else batched("pB", pB, rank, batch_size)
        self.pB = None if own_pb is None else self._flattened(own_pb)
        self.H = None if H is None else batched("H", H, ones, batch_size)
        self.gamma, self.alpha = self._each(gamma), self._each(alpha)
        self.inductive_threshold = self._each(inductive_threshold)
        self.inductive_epsilon = self._each(inductive_epsilon)
        self.categorical_obs, self.preprocess_fn = categorical_obs, preprocess_fn
        self.policy_len, self.num_iter = policy_len, num_iter
        self.inference_algo, self.inference_horizon = inference_algo.lower(), inference_horizon
        self.inductive_depth = inductive_depth
        self.use_utility, self.use_states_info_gain = use_utility, use_states_info_gain
        self.use_param_info_gain, self.use_inductive = use_param_info_gain, use_inductive
        self.action_selection = action_selection
        self.sampling_mode = sampling_mode
        self.learning_mode, self.learn_A, self.learn_B = learning_mode, learn_A, learn_B
        self.learn_C, self.learn_D, self.learn_E = learn_C, learn_D, learn_E
        self.control_fac_idx = [f for f, n in enumerate(self.num_controls) if n > 1]
        if control_fac_idx is not None:
            # Policies are over all factors that have actions, as they are in pymdp.
            self.control_fac_idx = [int(f) for f in control_fac_idx]
        self._own_b, self._own_pb = own_b, own_pb
        self._given = (
            None if policies is None else np.asarray(getattr(policies, "policy_arr", policies))
        )
        self._given_e = None if E is None else batched("E", [E], [1], batch_size)[0]

        self.policies = Policies(self.model_of(0).policies)
        count = self.policies.num_policies
        self.E = np.full((batch_size, count), 1 / count) if self._given_e is None else self._given_e
        self._minds = self._compiled()
        #: By learning rates: the same models, which learn at those.
        self._learners: dict[tuple[float, float], Minds] = {(1.0, 1.0): self._minds}
        self._learnt: Learnt | None = None
        #: The agent that this one has learnt from, with its arrays as they were given.
        self._origin: Agent | None = None

    def model_of(self, index: int = 0, **arguments: Any) -> Model:
        """The model of one of the batch; ``arguments`` are put over the agent's own."""

        def one(family: list[Array] | None) -> list[Array] | None:
            return None if family is None else [tensor[index] for tensor in family]

        several = self.num_controls_multi is not None
        keywords: dict[str, Any] = {
            "A": one(self.A), "B": one(self._own_b), "C": one(self.C), "D": one(self.D),
            "pA": one(self.pA), "pB": one(self._own_pb), "H": one(self.H),
            "E": None if self._given_e is None else self._given_e[index],
            "A_dependencies": self.A_dependencies,
            "B_dependencies": self.B_dependencies,
            "B_action_dependencies": self.B_action_dependencies if several else None,
            "num_controls": self.num_controls_multi if several else self.num_controls,
            "policies": self._given,
            "gamma": float(self.gamma[index]),
            "alpha": float(self.alpha[index]),
            "inductive_threshold": float(self.inductive_threshold[index]),
            "inductive_epsilon": float(self.inductive_epsilon[index]),
        }  # fmt: skip
        plain = (
            "num_iter", "action_selection", "sampling_mode", "inference_algo", "inference_horizon",
            "use_utility", "use_states_info_gain", "use_param_info_gain", "use_inductive",
            "inductive_depth", "categorical_obs", "learn_A", "learn_B", "policy_len",
        )  # fmt: skip
        keywords |= {name: getattr(self, name) for name in plain}
        return Model(**{**keywords, **arguments})

    def infer_states(
        self,
        observations: Sequence[Any],
        empirical_prior: Sequence[ArrayLike],
        *,
        past_actions: Any | None = None,
        qs_hist: Sequence[Array] | None = None,
        valid_steps: Any | None = None,
        mask: Any | None = None,
        preprocess_fn: Callable[[Any], Any] | None = None,
        return_info: bool = False,
    ) -> list[Array]:
        """Beliefs from priors and observations: (batch, T, S_f) a factor.

        Args:
            observations: a modality each: outcomes (batch,) or (batch, T), -1 for none; or, with
                ``categorical_obs`` or ``preprocess_fn``, distributions (batch, O_m) or
                (batch, T, O_m). ``mmp`` and ``vmp`` take all steps, other methods the last.
            empirical_prior: (batch, S_f) a factor: ``D``, or what
                :meth:`update_empirical_prior` answered.
            past_actions: those between the steps of a window, (batch, T - 1, F).
            qs_hist: beliefs of earlier steps, put before along the time axis.
            valid_steps: how many of the last steps of a window count, for all or each; beliefs of
                the others are ``D``.
            mask: for each modality 1 where it counts and 0 where it does not, for all of the batch or
                each. pymdp also leaves the agent's ``A`` masked; here the agent is as it was.
        """
        if return_info:
            _missing("infer_states(return_info=)")
        if not isinstance(empirical_prior, (list, tuple)):
            raise ValueError(
                "`empirical_prior` must be a list/tuple with one entry per hidden-state factor."
            )
        if len(empirical_prior) != self.num_factors:
            raise ValueError(
                f"`empirical_prior` has {len(empirical_prior)} factor(s), "
                f"expected {self.num_factors}"
            )
        prior = self._flat("empirical_prior", empirical_prior, self.num_states)
        seen = self._observed(observations, preprocess_fn)
        if mask is not None:
            seen = masked(seen, mask, self.num_obs)
        if self.inference_algo in _WINDOWS:
            if not np.array_equal(prior, np.concatenate(self.D, axis=1)):
                _missing(f'infer_states(empirical_prior=) other than D with "{self.inference_algo}"')
            return self._infer_window(seen, past_actions, valid_steps)
        row = np.ascontiguousarray(seen[:, -1])
        flat = self._minds.ask(
            sum(self.num_states),
            lambda mind, at: mind.infer_states(prior[at], row[at], self._known(at)),
        )
        qs = [belief[:, np.newaxis] for belief in self._split(flat)]
        if qs_hist is None:
            return qs
        joined = [np.concatenate([past, q], axis=1) for past, q in zip(qs_hist, qs, strict=True)]
        horizon = self.inference_horizon
        return joined if horizon is None else [q[:, -horizon:] for q in joined]

    def _infer_window(
        self, seen: NDArray[Any], past_actions: Any | None, valid_steps: Any | None
    ) -> list[Array]:
        """Beliefs of all steps of windows, which may be of different lengths."""
        if self.inference_horizon is not None:
            seen = seen[:, -self.inference_horizon :]
        steps = seen.shape[1]
        between = (self.batch_size, steps - 1, self.num_factors)
        if past_actions is None:
            if steps > 1 and max(self.num_controls) > 1:
                raise ValueError(
                    f"past_actions: inference method {self.inference_algo!r} needs them where there "
                    "is more than one action"
                )
            taken = np.zeros(between, dtype=np.int32)
        else:
            taken = np.asarray(past_actions, dtype=np.int32)
            if self.num_factors == 1 and taken.ndim == 2:
                taken = taken[..., np.newaxis]
            if self.inference_horizon is not None:
                taken = taken[:, max(taken.shape[1] - steps + 1, 0) :]
            if taken.shape != between:
                raise ValueError(f"past_actions: has shape {taken.shape}, not {between}")
        valid = np.broadcast_to(steps if valid_steps is None else valid_steps, (self.batch_size,))
        valid = np.clip(valid, 1, steps)
        width = sum(self.num_states)
        prior = np.concatenate(self.D, axis=1)
        answer = np.repeat(prior[:, np.newaxis], steps, axis=1)
        for length in np.unique(valid).tolist():
            rows = np.flatnonzero(valid == length)
            last_seen = np.ascontiguousarray(seen[:, steps - length :]).reshape(self.batch_size, -1)
            last_taken = taken[:, steps - length :]
            if (last_taken[rows] < 0).any():
                _missing("infer_states(past_actions=) with -1 among the valid steps")
            last_taken = np.ascontiguousarray(last_taken).reshape(self.batch_size, -1)

            def ask(mind: Any, at: Rows, n: int = length, o: Any = last_seen, u: Any = last_taken) -> Any:
                return mind.infer_window(n, o[at], u[at], self._known(at))

            flat = self._minds.ask(length * width, ask, rows)
            answer[rows, steps - length :] = flat.reshape(len(rows), length, width)
        return np.split(answer, np.cumsum(self.num_states)[:-1], axis=2)

    def infer_policies(self, qs: Sequence[Array]) -> tuple[Array, Array]:
        """Weigh policies by the last beliefs.

        Returns:
            q_pi and neg_efe (= -EFE), (batch, P) each.
        """
        beliefs = self._flat("qs", [latest(belief) for belief in qs], self.num_states)
        return self._minds.infer_policies(beliefs, self.policies.num_policies, self._learnt)

    def sample_action(self, q_pi: ArrayLike, rng_key: Any | None = None) -> NDArray[np.int32]:
        """Choose actions, int32 (batch, F), flat per factor.

        Args:
            rng_key: with ``action_selection="stochastic"``: a ``numpy.random.Generator``, a seed, or
                a JAX key's data, one for the batch or one each. The numbers drawn are NumPy's.
        """
        numbers = np.zeros((self.batch_size, self.num_factors))
        if self.action_selection == "stochastic":
            if rng_key is None:
                raise ValueError(
                    "Please provide a random number generator key to sample actions stochastically"
                )
            numbers = draws(rng_key, numbers.shape)
        posterior = np.ascontiguousarray(q_pi, dtype=np.float64)
        if posterior.shape != (self.batch_size, self.policies.num_policies):
            raise ValueError(
                f"q_pi: has shape {posterior.shape}, "
                f"not {(self.batch_size, self.policies.num_policies)}"
            )
        return self._minds.sample_action(posterior, numbers)

    def update_empirical_prior(self, action: ArrayLike, qs: Sequence[Array]) -> list[Array]:
        """The priors of the next step, (batch, S_f) each: the last beliefs, moved by the action;
        with ``mmp`` and ``vmp`` it is ``D``."""
        if self.inference_algo in _WINDOWS:
            return self.D
        beliefs = self._flat("qs", [latest(belief) for belief in qs], self.num_states)
        taken = np.ascontiguousarray(action, dtype=np.int32)
        if taken.shape != (self.batch_size, self.num_factors):
            raise ValueError(
                f"action: has shape {taken.shape}, not {(self.batch_size, self.num_factors)}"
            )
        return self._split(
            self._minds.ask(
                sum(self.num_states),
                lambda mind, rows: mind.predict(beliefs[rows], taken[rows], self._known(rows)),
            )
        )

    def infer_parameters(
        self,
        beliefs_A: Sequence[Array],
        observations: Sequence[Any],
        actions: Any | None,
        beliefs_B: Sequence[Array] | None = None,
        lr_pA: float = 1.0,
        lr_pB: float = 1.0,
        **kwargs: Any,
    ) -> Agent:
        """An agent that has learnt from a step, or from several: with the ``pA``, ``A``, ``pB`` and
        ``B`` that follow, where ``learn_A`` and ``learn_B`` say so.

        Args:
            beliefs_A: (batch, T, S_f) a factor, which A learns from with the observations.
            observations: as of :meth:`infer_states`, T steps.
            actions: (batch, F) or (batch, T' - 1, F), those between the steps of ``beliefs_B``; -1
                where there was none.
            beliefs_B: (batch, T', S_f) a factor, which B learns from; ``beliefs_A``, if None.
        """
        if not (self.learn_A or self.learn_B):
            return self
        rates = (_rate("lr_pA", lr_pA), _rate("lr_pB", lr_pB))
        origin = self if self._origin is None else self._origin
        if rates not in self._learners:
            self._learners[rates] = origin._compiled(lr_pA=rates[0], lr_pB=rates[1])
        minds = self._learners[rates]
        seen = (
            distributions(observations, self.num_obs, self.batch_size)
            if self.categorical_obs
            else outcomes(observations, self.batch_size)
        )
        taught = _learning.lesson(
            beliefs_A, seen, actions, beliefs_B, smoothed=self.inference_algo in _SMOOTHING
        )
        layout = Layout(
            [a.shape[1:] for a in self.A] if self.learn_A else [],
            [b.shape[1:] for b in self.B] if self.learn_B else [],
        )
        known = minds.untaught() if self._learnt is None else self._learnt
        learnt = _learning.learn(
            minds, known, taught, layout.counts_of_a, A=self.learn_A, B=self.learn_B
        )
        agent = copy.copy(self)
        agent._learnt, agent._origin = learnt, origin
        counts, arrays = layout.split(learnt.counts), layout.split(minds.expected(learnt))
        if self.learn_A:
            agent.pA, agent.A = counts[0], arrays[0]
        if self.learn_B:
            agent.pB, agent.B = counts[1], arrays[1]
            agent._own_pb, agent._own_b = self._unflattened(counts[1]), self._unflattened(arrays[1])
        return agent

    def process_obs(self, observations: Sequence[Any]) -> Sequence[Any]:
        """Observations as distributions."""
        if self.preprocess_fn is not None:
            return self.preprocess_fn(observations)  # type: ignore[no-any-return]
        return observations if self.categorical_obs else self.make_categorical(observations)

    def make_categorical(self, observations: Sequence[Any]) -> list[Array]:
        """One-hot distributions; a missing outcome (-1) is all zeros."""
        return [
            (np.asarray(o)[..., np.newaxis] == np.arange(n)).astype(np.float64)
            for o, n in zip(observations, self.num_obs, strict=True)
        ]

    @property
    def unique_multiactions(self) -> NDArray[np.integer[Any]]:
        """The different first actions of the policies, and rows of -1 up to as many as there are joint
        actions."""
        different = np.unique(self.policies.policy_arr[:, 0], axis=0)
        missing = max(math.prod(self.num_controls) - len(different), 0)
        return np.pad(different, ((0, missing), (0, 0)), constant_values=-1)

    @property
    def I(self) -> list[Array]:  # noqa: E743 - pymdp's name
        """What induction plans by: zeros, (batch, 1, S_f) a factor, where ``use_inductive`` is off."""
        if self.use_inductive:
            _missing("I with use_inductive")
        return [np.zeros_like(d)[:, np.newaxis] for d in self.D]

    @property
    def action_maps(self) -> list[dict[str, list[int]]] | None:
        """Which controls act on each factor; None where each has one of its own."""
        if self.num_controls_multi is None:
            return None
        dims = [[self.num_controls_multi[c] for c in own] for own in self.B_action_dependencies]
        return [
            {"multi_dependency": own, "multi_dims": of, "flat_dependency": [f], "flat_dims": [n]}
            for f, (own, of, n) in enumerate(
                zip(self.B_action_dependencies, dims, self.num_controls, strict=True)
            )
        ]

    def multiaction_probabilities(self, q_pi: ArrayLike) -> Array:
        """The posterior over first actions, (batch, actions)."""
        posterior = np.atleast_2d(np.asarray(q_pi, dtype=np.float64))
        first = self.policies.policy_arr[:, 0]
        if self.sampling_mode == "full":
            same = (first[np.newaxis] == self.unique_multiactions[:, np.newaxis]).all(-1)
            return np.asarray(posterior @ same.T)
        joint = np.ones((len(posterior), 1))
        for factor, count in enumerate(self.num_controls):
            marginal = posterior @ (first[:, factor, np.newaxis] == np.arange(count))
            joint = (joint[:, :, np.newaxis] * marginal[:, np.newaxis]).reshape(len(posterior), -1)
        return joint

    def decode_multi_actions(self, action: ArrayLike) -> NDArray[Any]:
        """Flat actions, (batch, F), as one action a control, (batch, controls)."""
        flat = np.asarray(action)
        if self.num_controls_multi is None:
            return flat
        controls = np.zeros((self.batch_size, len(self.num_controls_multi)), dtype=flat.dtype)
        for factor, own in enumerate(self.B_action_dependencies):
            dims = [self.num_controls_multi[control] for control in own]
            if own:
                controls[:, own] = np.stack(np.unravel_index(flat[:, factor], dims), axis=-1)
        return controls

    def encode_multi_actions(self, action_multi: ArrayLike) -> NDArray[Any]:
        """One action a control, (batch, controls), as flat actions, (batch, F)."""
        controls = np.asarray(action_multi)
        if self.num_controls_multi is None:
            return controls
        flat = np.zeros((self.batch_size, self.num_factors), dtype=controls.dtype)
        for factor, own in enumerate(self.B_action_dependencies):
            for control in own:
                flat[:, factor] = (
                    flat[:, factor] * self.num_controls_multi[control] + controls[:, control]
                )
        return flat

    def get_model_dimensions(self) -> dict[str, Any]:
        """The sizes of the model, by pymdp's names."""
        names = (
            "num_obs", "num_states", "num_controls", "num_modalities", "num_factors", "policy_len",
            "inference_horizon", "A_dependencies", "B_dependencies",
        )  # fmt: skip
        own = {name: getattr(self, name) for name in names}
        return own | {"num_policies": self.policies.num_policies}

    def _flattened(self, own: list[Array]) -> list[Array]:
        """Transitions with the controls of each factor in one axis."""
        return [
            b.reshape(*b.shape[: len(d) + 2], -1)
            for b, d in zip(own, self.B_dependencies, strict=True)
        ]

    def _unflattened(self, flat: list[Array]) -> list[Array]:
        """Transitions with an axis for each control."""
        return [b.reshape(own.shape) for b, own in zip(flat, self._own_b, strict=True)]

    def _each(self, number: ArrayLike) -> Array:
        return np.broadcast_to(np.asarray(number, dtype=np.float64), (self.batch_size,))

    def _compiled(self, **arguments: Any) -> Minds:
        """The models of the batch; agents of equal models share one."""
        families = (self.A, self._own_b, self.C, self.D, self.pA, self._own_pb, self.H)
        tensors = [tensor for family in families for tensor in family or ()]
        tensors += [self.gamma, self.alpha, self.inductive_threshold, self.inductive_epsilon]
        tensors += [] if self._given_e is None else [self._given_e]
        models = [
            (self.model_of(int(rows[0]), **arguments), rows)
            for rows in alike(tensors, self.batch_size)
        ]
        return Minds(self.batch_size, models)

    def _known(self, rows: Rows) -> Any:
        """What some of the batch have learnt."""
        return None if self._learnt is None else self._learnt.of(rows)

    def _observed(
        self, observations: Sequence[Any], preprocess_fn: Callable[[Any], Any] | None
    ) -> NDArray[Any]:
        """Observations side by side: (batch, T, M) outcomes, or (batch, T, sum of O)."""
        if len(observations) != self.num_modalities:
            raise ValueError(
                f"observations: {len(observations)} modalities, expected {self.num_modalities}"
            )
        process = preprocess_fn if preprocess_fn is not None else self.preprocess_fn
        if process is not None:
            return distributions(process(observations), self.num_obs, self.batch_size)
        if self.categorical_obs:
            return distributions(observations, self.num_obs, self.batch_size)
        return outcomes(observations, self.batch_size)

    def _flat(self, name: str, family: Sequence[ArrayLike], widths: list[int]) -> Array:
        """A family of (batch, width) arrays side by side."""
        parts = [np.asarray(part, dtype=np.float64) for part in family]
        for index, (part, width) in enumerate(zip(parts, widths, strict=True)):
            if part.shape != (self.batch_size, width):
                raise ValueError(
                    f"{name}[{index}]: has shape {part.shape}, not {(self.batch_size, width)}"
                )
        return np.concatenate(parts, axis=1)

    def _split(self, flat: Array) -> list[Array]:
        return np.split(flat, np.cumsum(self.num_states)[:-1], axis=1)


def _missing(name: str) -> None:
    raise NotImplementedError(f"{name}: this version does not do it yet")


def _rate(name: str, rate: Any) -> float:
    if np.ndim(rate) > 0:
        _missing(f"infer_parameters({name}=) of several rates")
    return float(rate)
