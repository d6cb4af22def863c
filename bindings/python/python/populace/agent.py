"""A stand-in for ``pymdp.agent.Agent`` of pymdp 1.x.

Constructor, attributes, methods and shapes are pymdp's: a batch axis first, a time axis in ``qs``.
Arrays are NumPy's, in double precision. As in pymdp nothing is kept between calls: priors and
beliefs are arguments and answers. What the engine does not do yet raises ``NotImplementedError``
naming it, here at the constructor.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from populace import _native, pymdp
from populace.model import Model

Array = NDArray[np.float64]


class Policies:
    """The policies of an agent: ``policy_arr`` is (P, T, F)."""

    def __init__(self, policy_arr: NDArray[np.integer[Any]]) -> None:
        self.policy_arr = policy_arr
        self.num_policies, self.horizon = policy_arr.shape[:2]

    def __getitem__(self, index: int) -> NDArray[np.integer[Any]]:
        return np.asarray(self.policy_arr[index])

    def __len__(self) -> int:
        return int(self.num_policies)


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
            ("learn_E", learn_E),
            ("I", I is not None),
            ("control_fac_idx", control_fac_idx is not None),
            ('learning_mode "offline"', learning_mode != "online"),
            ("learn_A", learn_A),
            ("learn_B", learn_B),
            ("learn_D", learn_D),
            ("use_param_info_gain", use_param_info_gain),
            ("use_inductive", use_inductive),
            (f'inference_algo "{inference_algo}"', inference_algo.lower() not in ("fpi", "exact")),
        ):
            if asked:
                _missing(name)
        A, B = list(A), list(B)
        found = pymdp.dependencies(A, B) or (None, None)
        self.A_dependencies = _lists(
            A_dependencies or found[0] or [list(range(len(B))) for _ in A]
        )
        self.B_dependencies = _lists(B_dependencies or found[1] or [[f] for f in range(len(B))])
        several = policies is None and B_action_dependencies is not None
        self.B_action_dependencies = _lists(
            B_action_dependencies or [[f] for f in range(len(B))]
        )
        if several and num_controls is None:
            raise ValueError("num_controls: B_action_dependencies need it")
        self.batch_size = batch_size
        self.num_modalities, self.num_factors = len(A), len(B)

        self.A = self._batched("A", A, [len(d) + 1 for d in self.A_dependencies])
        axes = [len(d) for d in self.B_action_dependencies] if several else [1] * len(B)
        rank = [1 + len(d) + n for d, n in zip(self.B_dependencies, axes, strict=True)]
        own_b = self._batched("B", B, rank)
        self.num_obs = [a.shape[1] for a in self.A]
        self.num_states = [b.shape[1] for b in own_b]
        #: B with the controls of each factor in one axis, as pymdp has it.
        self.B: list[Array] = [
            b.reshape(*b.shape[: len(d) + 2], -1)
            for b, d in zip(own_b, self.B_dependencies, strict=True)
        ]
        self.num_controls = [b.shape[-1] for b in self.B]
        self.num_controls_multi = list(num_controls) if several and num_controls else None
        self.C = (
            [np.full((batch_size, n), 1 / n) for n in self.num_obs]
            if C is None
            else [self._batched_preference(m, c) for m, c in enumerate(C)]
        )
        self.D = (
            [np.full((batch_size, n), 1 / n) for n in self.num_states]
            if D is None
            else self._batched("D", D, [1] * len(B))
        )
        self.pA = None if pA is None else self._batched("pA", pA, [a.ndim - 1 for a in self.A])
        self.pB = None if pB is None else self._batched("pB", pB, rank)
        self.H = None if H is None else self._batched("H", H, [1] * len(B))
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
        self.sampling_mode = "full" if several else sampling_mode
        self.learning_mode, self.learn_A, self.learn_B = learning_mode, learn_A, learn_B
        self.learn_C, self.learn_D, self.learn_E = learn_C, learn_D, learn_E
        self._own_b = own_b
        self._given = None if policies is None else np.asarray(_plain_policies(policies))
        self._given_e = None if E is None else self._batched("E", [E], [1])[0]

        first = self.model_of(0)
        self.policies = Policies(first.policies)
        count = self.policies.num_policies
        self.E = np.full((batch_size, count), 1 / count) if self._given_e is None else self._given_e
        # Agents of equal models share a compiled one.
        self._minds: list[tuple[_native.Stepwise, NDArray[np.intp]]] = []
        for rows in self._alike():
            model = first if rows[0] == 0 else self.model_of(int(rows[0]))
            self._minds.append((_native.Stepwise(model._native, "f64"), rows))

    def model_of(self, index: int = 0, **arguments: Any) -> Model:
        """The model of one of the batch; ``arguments`` are put over the agent's own."""

        def one(family: list[Array] | None) -> list[Array] | None:
            return None if family is None else [tensor[index] for tensor in family]

        several = self.num_controls_multi is not None
        keywords: dict[str, Any] = {
            "A": one(self.A), "B": one(self._own_b), "C": one(self.C), "D": one(self.D),
            "pA": one(self.pA), "pB": one(self.pB), "H": one(self.H),
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
            "inductive_depth", "categorical_obs", "learn_A", "learn_B", "learn_D",
        )  # fmt: skip
        keywords |= {name: getattr(self, name) for name in plain}
        if self._given is None:
            keywords["policy_len"] = self.policy_len
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
            observations: a modality each: outcomes (batch,) or (batch, T), -1 for none, of which
                the last are taken; or, with ``categorical_obs`` or ``preprocess_fn``, distributions
                (batch, O_m) or (batch, T, O_m).
            empirical_prior: (batch, S_f) a factor: ``D``, or what
                :meth:`update_empirical_prior` answered.
            qs_hist: beliefs of earlier steps, put before along the time axis.
        """
        if mask is not None:
            _missing("infer_states(mask=)")
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
        if len(observations) != self.num_modalities:
            raise ValueError(
                f"observations: {len(observations)} modalities, expected {self.num_modalities}"
            )
        prior = self._flat("empirical_prior", empirical_prior, self.num_states)
        process = preprocess_fn if preprocess_fn is not None else self.preprocess_fn
        if process is not None:
            observations = process(observations)
        if process is not None or self.categorical_obs:
            soft = [self._last_soft(m, o) for m, o in enumerate(observations)]
            rows = np.concatenate(soft, axis=1)
            flat = self._by_model(
                lambda mind, at: mind.infer_states_soft(prior[at], np.ascontiguousarray(rows[at]))
            )
        else:
            outcomes = np.stack([self._last(m, o) for m, o in enumerate(observations)], axis=1)
            flat = self._by_model(
                lambda mind, at: mind.infer_states(prior[at], np.ascontiguousarray(outcomes[at]))
            )
        qs = [belief[:, np.newaxis] for belief in self._split(flat)]
        if qs_hist is None:
            return qs
        return [np.concatenate([past, q], axis=1) for past, q in zip(qs_hist, qs, strict=True)]

    def infer_policies(self, qs: Sequence[Array]) -> tuple[Array, Array]:
        """Weigh policies by the last beliefs.

        Returns:
            q_pi and neg_efe (= -EFE), (batch, P) each.
        """
        latest = self._flat("qs", [_latest(belief) for belief in qs], self.num_states)
        count = self.policies.num_policies
        q_pi, neg_efe = np.empty((2, self.batch_size, count))
        for mind, rows in self._minds:
            q_pi[rows], neg_efe[rows] = mind.infer_policies(latest[rows])
        return q_pi, neg_efe

    def sample_action(self, q_pi: ArrayLike, rng_key: Any | None = None) -> NDArray[np.int32]:
        """Choose actions, int32 (batch, F), flat per factor.

        Args:
            rng_key: with ``action_selection="stochastic"``: a ``numpy.random.Generator``, a seed, or
                a JAX key's data, one for the batch or one each. The numbers drawn are NumPy's.
        """
        draws = np.zeros((self.batch_size, self.num_factors))
        if self.action_selection == "stochastic":
            if rng_key is None:
                raise ValueError(
                    "Please provide a random number generator key to sample actions stochastically"
                )
            draws = _draws(rng_key, draws.shape)
        posterior = np.ascontiguousarray(q_pi, dtype=np.float64)
        if posterior.shape != (self.batch_size, self.policies.num_policies):
            raise ValueError(
                f"q_pi: has shape {posterior.shape}, "
                f"not {(self.batch_size, self.policies.num_policies)}"
            )
        actions = np.empty((self.batch_size, self.num_factors), dtype=np.int32)
        for mind, rows in self._minds:
            actions[rows] = mind.sample_action(posterior[rows], draws[rows])
        return actions

    def update_empirical_prior(self, action: ArrayLike, qs: Sequence[Array]) -> list[Array]:
        """The priors of the next step: the last beliefs, moved by the action; (batch, S_f) each."""
        latest = self._flat("qs", [_latest(belief) for belief in qs], self.num_states)
        taken = np.ascontiguousarray(action, dtype=np.int32)
        if taken.shape != (self.batch_size, self.num_factors):
            raise ValueError(
                f"action: has shape {taken.shape}, not {(self.batch_size, self.num_factors)}"
            )
        return self._split(
            self._by_model(lambda mind, rows: mind.predict(latest[rows], taken[rows]))
        )

    def infer_parameters(self, *args: Any, **kwargs: Any) -> Agent:
        """The same agent, as in pymdp where nothing is learnt; an agent that learns cannot be made
        yet."""
        return self

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
        """The different first actions of the policies."""
        return np.unique(self.policies.policy_arr[:, 0], axis=0)

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

    def _batched(self, name: str, family: Iterable[Any], ranks: list[int]) -> list[Array]:
        """Tensors with the batch axis first; one without it stands for all, uncopied."""
        tensors = []
        for index, (tensor, rank) in enumerate(zip(family, ranks, strict=True)):
            array = _data(tensor)
            if array.ndim == rank + 1 and array.shape[0] not in (1, self.batch_size):
                raise ValueError(
                    f"Batch size {self.batch_size} does not match the first dimension of "
                    f"{name}[{index}] with shape {array.shape}"
                )
            own = array.shape[1:] if array.ndim == rank + 1 else array.shape
            tensors.append(np.broadcast_to(array, (self.batch_size, *own)))
        return tensors

    def _batched_preference(self, modality: int, c: Any) -> Array:
        """C is (O,), (batch, O), timed (T, O) or (batch, T, O); two axes are read as pymdp does."""
        array = _data(c)
        if array.ndim == 1 or (array.ndim == 2 and array.shape[0] not in (1, self.batch_size)):
            return np.broadcast_to(array, (self.batch_size, *array.shape))
        return self._batched(f"C[{modality}] of C", [array], [array.ndim - 1])[0]

    def _each(self, number: ArrayLike) -> Array:
        return np.broadcast_to(np.asarray(number, dtype=np.float64), (self.batch_size,))

    def _alike(self) -> list[NDArray[np.intp]]:
        """Rows of the batch by the model they have."""
        families = (self.A, self._own_b, self.C, self.D, self.pA, self.pB, self.H)
        tensors = [tensor for family in families for tensor in family or ()]
        tensors += [self.gamma, self.alpha, self.inductive_threshold, self.inductive_epsilon]
        tensors += [] if self._given_e is None else [self._given_e]
        if all(tensor.strides[0] == 0 for tensor in tensors):
            return [np.arange(self.batch_size)]
        rows: dict[tuple[bytes, ...], list[int]] = {}
        for row in range(self.batch_size):
            rows.setdefault(tuple(tensor[row].tobytes() for tensor in tensors), []).append(row)
        return [np.array(alike) for alike in rows.values()]

    def _by_model(
        self, ask: Callable[[_native.Stepwise, NDArray[np.intp]], NDArray[Any]]
    ) -> Array:
        """What each row's model answers, (batch, sum of S)."""
        answer = np.empty((self.batch_size, sum(self.num_states)))
        for mind, rows in self._minds:
            answer[rows] = ask(mind, rows)
        return answer

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

    def _last(self, modality: int, outcomes: Any) -> NDArray[np.int32]:
        """The latest outcomes of a modality, (batch,)."""
        array = np.asarray(outcomes)
        if array.dtype.kind not in "iub":
            array = array.astype(np.int32)
        latest = array.reshape(self.batch_size, -1)[:, -1] if array.size else array
        if latest.shape != (self.batch_size,):
            raise ValueError(f"observations[{modality}]: has shape {array.shape}")
        return latest.astype(np.int32)

    def _last_soft(self, modality: int, outcomes: Any) -> Array:
        """The latest distribution over a modality's outcomes, (batch, O)."""
        array = np.asarray(outcomes, dtype=np.float64)
        count = self.num_obs[modality]
        if not array.size or array.shape[-1] != count or array.size % (self.batch_size * count):
            raise ValueError(
                f"observations[{modality}]: has shape {array.shape}, "
                f"not {(self.batch_size, count)} with or without a time axis"
            )
        return array.reshape(self.batch_size, -1, count)[:, -1]


def _missing(name: str) -> None:
    raise NotImplementedError(f"{name}: this version does not do it yet")


def _lists(lists: Iterable[Iterable[int]]) -> list[list[int]]:
    return [[int(index) for index in one] for one in lists]


def _data(tensor: Any) -> Array:
    """The numbers of an array or a pymdp Distribution, in double precision; a distribution that
    single precision has rounded sums to 1 again."""
    data = getattr(tensor, "data", tensor) if hasattr(tensor, "event") else tensor
    return np.asarray(data, dtype=np.float64)


def _plain_policies(policies: Any) -> Any:
    return getattr(policies, "policy_arr", policies)


def _latest(belief: Any) -> Array:
    array = np.asarray(belief, dtype=np.float64)
    return array[:, -1] if array.ndim == 3 else array


def _draws(key: Any, shape: tuple[int, ...]) -> Array:
    """Numbers in [0, 1) from a generator, a seed or the data of JAX's keys."""
    if isinstance(key, np.random.Generator):
        return key.random(shape)
    try:
        seed = np.asarray(key)
        words = [int(word) for word in np.atleast_1d(seed).ravel()]
    except TypeError:
        raise TypeError("rng_key: give jax.random.key_data(key) of a typed key") from None
    if seed.ndim == 2 and len(seed) == shape[0]:
        rows = [np.random.default_rng([int(word) for word in row]) for row in seed]
        return np.stack([generator.random(math.prod(shape[1:])) for generator in rows])
    return np.random.default_rng(words).random(shape)
