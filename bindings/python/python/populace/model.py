"""Models: what agents believe about their world, and how they decide."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from populace import _native, pymdp
from populace._arrays import Floats
from populace._sizes import whole

#: Families of tensors, as model files name them.
_FAMILIES = ("A", "B", "C", "D", "pA", "pB", "pD", "H")


class Model:
    """A discrete generative model with the agent's arguments, in pymdp's terms; immutable.

    Args:
        A: likelihoods, one a modality: (O_m, S of ``A_dependencies[m]`` ...); columns sum to 1.
        B: transitions, one a factor: (S_f, S of ``B_dependencies[f]`` ..., U_f).
        C: preferences, one a modality: (O_m,), or timed (T, O_m).
        D: beliefs before the first step, one a factor: (S_f,).
        E: prior over policies, (P,).
        pA, pB, pD, pE: Dirichlet counts, shaped as what they are of.
        H: goals of inductive inference, one a factor: (S_f,).
        A_dependencies, B_dependencies, B_action_dependencies: which factors (controls) each
            modality (factor) depends on; pymdp's defaults where they are not given.
        num_controls: actions of each control; by default the last axis of each B.
        policies: (P, T, F); by default all of ``policy_len`` steps.
        dialect: whose numbers: ``"pymdp-1"`` or ``"pymdp-0"``.
        sophisticated: the arguments of sophisticated inference, by name.
        arguments: the agent's, by pymdp's names: ``policy_len``, ``gamma``, ``alpha``, ...

    A tensor is a NumPy array (or what converts to one), a pymdp ``Distribution``, or a SciPy sparse
    matrix of (first axis, all other axes flattened row-major). Where a SciPy matrix stands for more
    than two axes, give it as ``(matrix, shape)``. Floats keep their precision.

    Raises:
        ValueError: the message names the tensor, the index, the value and the rule.

    >>> A = [np.array([[0.9, 0.2], [0.1, 0.8]])]
    >>> B = [np.stack([np.eye(2), np.eye(2)[::-1]], axis=-1)]
    >>> model = Model(A, B, C=[[0.0, 2.0]], policy_len=2)
    >>> model
    Model(num_states=[2], num_obs=[2], num_controls=[2], num_policies=4)
    >>> Model([np.array([[0.9, 0.2], [0.1, 0.7]])], B)
    Traceback (most recent call last):
    ...
    ValueError: Model: A.0: column (1,) sums to 0.9, not 1 (±1e-6)
    """

    __slots__ = ("_native",)

    def __init__(
        self,
        A: Iterable[Any],
        B: Iterable[Any],
        C: Iterable[Any] | None = None,
        D: Iterable[Any] | None = None,
        E: ArrayLike | None = None,
        *,
        pA: Iterable[Any] | None = None,
        pB: Iterable[Any] | None = None,
        pD: Iterable[Any] | None = None,
        pE: ArrayLike | None = None,
        H: Iterable[Any] | None = None,
        A_dependencies: Sequence[Sequence[int]] | None = None,
        B_dependencies: Sequence[Sequence[int]] | None = None,
        B_action_dependencies: Sequence[Sequence[int]] | None = None,
        num_controls: Sequence[int] | None = None,
        policies: ArrayLike | None = None,
        dialect: Literal["pymdp-1", "pymdp-0"] = "pymdp-1",
        sophisticated: dict[str, Any] | None = None,
        reference: str | None = None,
        **arguments: Any,
    ) -> None:
        A, B = list(A), list(B)
        if A_dependencies is None and B_dependencies is None:
            found = pymdp.dependencies(A, B)
            if found is not None:
                A_dependencies, B_dependencies = found
        tensors: dict[str, NDArray[Any]] = {}
        sparse: dict[str, list[int]] = {}
        for family, given in zip(_FAMILIES, (A, B, C, D, pA, pB, pD, H), strict=True):
            for index, tensor in enumerate(given if given is not None else ()):
                _put(f"{family}.{index}", tensor, tensors, sparse)
        if E is not None:
            tensors["E"] = _floats("E", E)
        if pE is not None:
            tensors["pE"] = _floats("pE", pE)
        if policies is not None:
            plans = np.asarray(getattr(policies, "policy_arr", policies))
            tensors["policies"] = plans.astype(np.int32, casting="same_kind")
        metadata: dict[str, Any] = {
            "format": 1,
            "dialect": dialect,
            "A_dependencies": A_dependencies,
            "B_dependencies": B_dependencies,
            "B_action_dependencies": B_action_dependencies,
            "num_controls": num_controls,
            "agent": arguments,
            "sparse": sparse,
            "sophisticated": sophisticated,
            "reference": reference,
        }
        metadata = {key: value for key, value in metadata.items() if value not in (None, {})}
        self._native = _native.Model.from_bytes("Model", _encode(tensors, metadata))

    @classmethod
    def _of(cls, native: _native.Model) -> Model:
        model = cls.__new__(cls)
        model._native = native
        return model

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Model:
        """Read a model file (``.safetensors``).

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is no model; the message starts with the path.
        """
        return cls._of(_native.Model.load(os.fspath(path)))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a model file, whole or not at all; ``populace run --model`` reads it."""
        self._native.save(os.fspath(path))

    @classmethod
    def from_agent(cls, agent: Any, *, index: int = 0, **arguments: Any) -> Model:
        """The model of a pymdp agent: ``pymdp.agent.Agent`` of 1.x or 0.0.7, or ``populace.Agent``.

        Args:
            index: which of a batch (pymdp 1.x).
            arguments: put over what was read from the agent; needed for what pymdp takes with
                single calls: ``learn_A``, ``lr_pA``, ...
        """
        if isinstance(agent, pymdp.HasModel):
            return agent.model_of(index, **arguments)
        return cls(**{**pymdp.read(agent, index), **arguments})

    @classmethod
    def builtin(cls, name: str) -> Model:
        """A built-in model by name: ``grid``, ``tmaze``, ``cue-chaining`` or ``graph``.

        >>> Model.builtin("tmaze").num_states
        [5, 2]
        """
        return cls._of(_native.Model.builtin(name))

    @classmethod
    def grid(
        cls,
        *,
        side: int = 20,
        slip: float = 0.0,
        noise: float = 0.1,
        start: Literal["block", "anywhere"] = "block",
        seed: int = 0,
    ) -> Model:
        """A grid world of side × side cells with a goal; five actions.

        Args:
            slip: how often an action is replaced by any action.
            noise: how often an observation is replaced by any cell.
            seed: the world's own: its walls and its goal.
        """
        return cls._of(
            _native.Model.grid(
                side=whole("side", side), slip=slip, noise=noise, start=start, seed=whole("seed", seed)
            )
        )

    @property
    def num_states(self) -> list[int]:
        """S_f, the states of each factor."""
        return self._native.num_states

    @property
    def num_obs(self) -> list[int]:
        """O_m, the outcomes of each modality."""
        return self._native.num_obs

    @property
    def num_controls(self) -> list[int]:
        """Actions of each control."""
        return self._native.num_controls

    @property
    def num_actions(self) -> list[int]:
        """Flat actions of each factor: ``num_controls``, unless several controls act on one."""
        return self._native.num_actions

    @property
    def num_policies(self) -> int:
        """P, how many policies there are."""
        return self._native.num_policies

    @property
    def policies(self) -> NDArray[np.int32]:
        """The policies, (P, T, F), flat actions per factor."""
        return self._native.policies

    @property
    def categorical_obs(self) -> bool:
        """Whether its agents observe distributions over outcomes."""
        return self._native.categorical_obs

    @property
    def A(self) -> list[Floats]:
        """Likelihoods, dense."""
        return self._native.tensors("A")

    @property
    def B(self) -> list[Floats]:
        """Transitions, dense."""
        return self._native.tensors("B")

    @property
    def C(self) -> list[Floats]:
        """Preferences."""
        return self._native.tensors("C")

    @property
    def D(self) -> list[Floats]:
        """Beliefs before the first step."""
        return self._native.tensors("D")

    def __repr__(self) -> str:
        names = ("num_states", "num_obs", "num_controls", "num_policies")
        return f"Model({', '.join(f'{name}={getattr(self, name)}' for name in names)})"


def native_of(model: Model) -> _native.Model:
    """The native half of a model."""
    if not isinstance(model, Model):
        raise TypeError(f"model: is a {type(model).__name__}, not a populace.Model")
    return model._native


def _put(
    name: str, tensor: Any, tensors: dict[str, NDArray[Any]], sparse: dict[str, list[int]]
) -> None:
    """Put a tensor among those of the file, sparse ones as compressed columns."""
    shape = None
    if isinstance(tensor, tuple) and len(tensor) == 2 and hasattr(tensor[0], "tocsc"):
        tensor, shape = tensor
    if not hasattr(tensor, "tocsc"):
        tensors[name] = _floats(name, getattr(tensor, "data", tensor), tensor)
        return
    columns = tensor.tocsc()
    columns.sum_duplicates()
    sparse[name] = [int(n) for n in (shape if shape is not None else columns.shape)]
    tensors[f"{name}.indptr"] = columns.indptr.astype(np.uint64)
    tensors[f"{name}.indices"] = columns.indices.astype(np.uint32)
    tensors[f"{name}.values"] = _floats(name, columns.data)


def _floats(name: str, values: Any, whole: Any = None) -> NDArray[Any]:
    """An array of floats: single and double precision as they are, other numbers in double."""
    # A memoryview is an array's own `data`, not a distribution's.
    array = np.asarray(whole if isinstance(values, memoryview) else values)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name}: has dtype {array.dtype}, not numbers")
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)


_DTYPES = {"float64": "F64", "float32": "F32", "int32": "I32", "uint32": "U32", "uint64": "U64"}


def _encode(tensors: dict[str, NDArray[Any]], metadata: dict[str, Any]) -> bytes:
    """A model file in memory: the native side then has one way in, and one set of messages."""
    header: dict[str, Any] = {"__metadata__": {"populace": json.dumps(metadata, default=_plain)}}
    parts: list[bytes] = []
    end = 0
    # Wide numbers first, so that all are aligned.
    for name, array in sorted(tensors.items(), key=lambda item: -item[1].itemsize):
        part = array.tobytes()
        header[name] = {
            "dtype": _DTYPES[array.dtype.name],
            "shape": array.shape,
            "data_offsets": (end, end + len(part)),
        }
        parts.append(part)
        end += len(part)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])


def _plain(value: Any) -> Any:
    """NumPy's and JAX's scalars and arrays as JSON's."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{value!r} is no argument of a model")
