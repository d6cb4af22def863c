"""Object arrays, as pymdp 0.0.7 keeps its families of arrays: those of its ``utils`` that make and
check them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

#: An array of arrays.
Objects: TypeAlias = NDArray[np.object_]


def obj_array(num_arr: int) -> Objects:
    """Room for so many arrays."""
    return np.empty(num_arr, dtype=object)


def obj_array_from_list(list_input: Sequence[Any]) -> Objects:
    """The arrays of a list.

    >>> obj_array_from_list([np.ones(2), np.ones(3)]).shape
    (2,)
    """
    family = obj_array(len(list_input))
    for index, array in enumerate(list_input):
        family[index] = array
    return family


def obj_array_zeros(shape_list: Sequence[Any]) -> Objects:
    """Zeros of these shapes."""
    return obj_array_from_list([np.zeros(shape) for shape in shape_list])


def obj_array_ones(shape_list: Sequence[Any], scale: float = 1.0) -> Objects:
    """Ones of these shapes, times ``scale``."""
    return obj_array_from_list([scale * np.ones(shape) for shape in shape_list])


def obj_array_uniform(shape_list: Sequence[int]) -> Objects:
    """Uniform distributions over so many states each."""
    return obj_array_from_list([np.full(shape, 1.0 / shape) for shape in shape_list])


def is_obj_array(arr: Any) -> bool:
    """Whether it is an array of arrays."""
    return bool(arr.dtype == object)


def to_obj_array(arr: Any) -> Objects:
    """An array of arrays: itself, or one that holds this array alone."""
    return arr if is_obj_array(arr) else obj_array_from_list([arr.squeeze()])


def onehot(value: int, num_values: int) -> NDArray[np.float64]:
    """A distribution that is sure.

    >>> onehot(1, 3)
    array([0., 1., 0.])
    """
    sure = np.zeros(num_values)
    sure[value] = 1.0
    return sure


def norm_dist(dist: NDArray[Any]) -> NDArray[Any]:
    """Columns that sum to 1."""
    return np.asarray(dist / dist.sum(axis=0))


def norm_dist_obj_arr(obj_arr: Objects) -> Objects:
    """Columns that sum to 1, in every array."""
    return obj_array_from_list([norm_dist(array) for array in obj_arr])


def is_normalized(dist: Any) -> bool:
    """Whether all columns sum to 1."""
    return all(np.allclose(array.sum(axis=0), 1.0) for array in to_obj_array(dist))


def random_A_matrix(num_obs: int | list[int], num_states: int | list[int]) -> Objects:
    """Likelihoods drawn from NumPy's global random numbers."""
    outcomes = [num_obs] if isinstance(num_obs, int) else list(num_obs)
    states = [num_states] if isinstance(num_states, int) else list(num_states)
    return obj_array_from_list([norm_dist(np.random.rand(n, *states)) for n in outcomes])


def random_B_matrix(num_states: int | list[int], num_controls: int | list[int]) -> Objects:
    """Transitions drawn from NumPy's global random numbers."""
    states = [num_states] if isinstance(num_states, int) else list(num_states)
    controls = [num_controls] if isinstance(num_controls, int) else list(num_controls)
    shapes = [(n, n, u) for n, u in zip(states, controls, strict=True)]
    return obj_array_from_list([norm_dist(np.random.rand(*shape)) for shape in shapes])


def random_single_categorical(shape_list: Sequence[int]) -> Objects:
    """Distributions drawn from NumPy's global random numbers."""
    return obj_array_from_list([norm_dist(np.random.rand(n)) for n in shape_list])


def construct_controllable_B(num_states: Sequence[int], num_controls: Sequence[int]) -> Objects:
    """Transitions whose action u leads to state u from everywhere."""
    moves = [np.tile(np.eye(n)[:, np.newaxis, :], (1, n, 1)) for n in num_controls]
    return obj_array_from_list(moves)


def dirichlet_like(template_categorical: Any, scale: float = 1.0) -> Objects:
    """Dirichlet counts: the arrays times ``scale``."""
    return obj_array_from_list([scale * array for array in to_obj_array(template_categorical)])


def sample(probabilities: NDArray[Any]) -> int:
    """A state drawn with NumPy's global random numbers."""
    flat = probabilities.squeeze() if len(probabilities) > 1 else probabilities
    return int(np.flatnonzero(np.random.multinomial(1, flat))[0])


def get_model_dimensions(
    A: Any = None, B: Any = None
) -> tuple[list[int] | None, list[int] | None, int | None, int | None]:
    """num_obs, num_states, num_modalities and num_factors, as far as A and B tell."""
    if A is None and B is None:
        raise ValueError("Must provide either `A` or `B`")
    likelihoods = None if A is None else to_obj_array(A)
    transitions = None if B is None else to_obj_array(B)
    num_obs = None if likelihoods is None else [a.shape[0] for a in likelihoods]
    num_states = None
    if transitions is not None:
        num_states = [b.shape[0] for b in transitions]
    elif likelihoods is not None:
        num_states = list(likelihoods[0].shape[1:])
    return (
        num_obs,
        num_states,
        None if num_obs is None else len(num_obs),
        None if num_states is None else len(num_states),
    )
