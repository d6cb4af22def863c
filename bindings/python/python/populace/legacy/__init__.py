"""Stand-ins for pymdp 0.0.7: its ``Agent``, and the object arrays that its code is written with.

>>> from populace.legacy import Agent, utils
>>> A = utils.to_obj_array(np.array([[0.9, 0.2], [0.1, 0.8]]))
>>> B = utils.to_obj_array(np.stack([np.eye(2), np.eye(2)[::-1]], axis=-1))
>>> agent = Agent(A=A, B=B, C=utils.to_obj_array(np.array([0.0, 2.0])))
>>> qs = agent.infer_states([0])
>>> q_pi, G = agent.infer_policies()
>>> agent.sample_action()
array([1.])
"""

import numpy as np  # noqa: F401 - of the example

from populace.legacy import objects as utils
from populace.legacy.agent import Agent

__all__ = ["Agent", "utils"]
