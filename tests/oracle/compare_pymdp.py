"""Runs recordings through the real pymdp and compares every `expect.*` tensor with its answers.

    cargo run -p populace-oracle --example record -- cases 40
    python compare_pymdp.py cases/*.safetensors

Run it once in an environment with inferactively-pymdp==1.0.4 (JAX; x64 is turned on) and once in one
with inferactively-pymdp==0.0.7.1 and numpy<2 (its novelty term needs that); each run takes the files of
its own dialect, and `safetensors` is all else it needs. The golden runs themselves can be given too. A
file passes when all numbers agree to 1e-9 relative or 1e-12 absolute (sophisticated inference, which
pymdp can run in float32 only: 1e-4), and the actions where the best two choices differ by 1e-6. What the
reference refuses is listed with its error. Exit code 1 when a file fails.
"""

import json
import sys
from collections import Counter

import numpy as np
from safetensors import safe_open

RATES = ("lr_pA", "lr_pB", "lr_pD")


def read(path):
    """The metadata and the tensors, dense."""
    with safe_open(path, "np") as file:
        meta = json.loads(file.metadata()["populace"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    for name, shape in meta.get("sparse", {}).items():
        indptr, indices, values = (tensors.pop(f"{name}.{part}") for part in ("indptr", "indices", "values"))
        columns = np.zeros((shape[0], int(np.prod(shape[1:], dtype=int))), values.dtype)
        for column in range(columns.shape[1]):
            entries = slice(indptr[column], indptr[column + 1])
            columns[indices[entries], column] = values[entries]
        tensors[name] = columns.reshape(shape)
    return meta, tensors


def series(tensors, prefix):
    """`prefix.0`, `prefix.1`, …; None where there are none."""
    found = []
    while f"{prefix}.{len(found)}" in tensors:
        found.append(tensors[f"{prefix}.{len(found)}"])
    return found or None


def append(answers, name, arrays):
    """Adds one step's arrays under `name.0`, `name.1`, …"""
    for i, array in enumerate(arrays):
        answers.setdefault(f"{name}.{i}", []).append(np.array(array))


def run_1(meta, tensors):
    """inferactively-pymdp 1.0.4, whose sophisticated search runs in float32 alone."""
    import jax
    from contextlib import nullcontext

    with jax.enable_x64(False) if "sophisticated" in meta else nullcontext():
        return step_1(meta, tensors)


def step_1(meta, tensors):
    import jax.numpy as jnp
    from pymdp.agent import Agent
    from pymdp.planning.si import si_policy_search

    arguments = {k: v for k, v in meta.get("agent", {}).items() if k not in RATES}
    rates = {k: v for k, v in meta.get("agent", {}).items() if k in RATES[:2]}
    arguments["action_selection"] = "deterministic"

    def arrays(prefix):
        found = series(tensors, prefix)
        return found and [jnp.array(array) for array in found]

    if "policies" in tensors:
        arguments["policies"] = jnp.array(tensors["policies"])
    if "B_action_dependencies" in meta:
        arguments["B_action_dependencies"] = meta["B_action_dependencies"]
        arguments["num_controls"] = meta["num_controls"]
    agent = Agent(
        arrays("A"), arrays("B"), C=arrays("C"), D=arrays("D"), pA=arrays("pA"), pB=arrays("pB"), H=arrays("H"),
        E=jnp.array(tensors["E"]) if "E" in tensors else None,
        A_dependencies=meta["A_dependencies"], B_dependencies=meta["B_dependencies"], **arguments,
    )
    search = si_policy_search(**meta["sophisticated"]) if "sophisticated" in meta else None
    sequence = agent.inference_algo in ("mmp", "vmp")
    soft = series(tensors, "observations")
    modalities = range(len(agent.A))
    actions = tensors["actions"]
    prior, before, answers = agent.D, None, {}
    for t in range(len(actions)):
        # One row of batch, the steps behind it.
        if soft:
            seen = [jnp.array(o[None, : t + 1]) for o in soft]
        else:
            seen = [jnp.array(tensors["observations"][None, : t + 1, m]) for m in modalities]
        present = [o[:, -1:] for o in seen]
        if sequence:
            # None at the first step would make vmp forget the prior; an empty history does not.
            past = jnp.array(actions[None, :t])
            qs = agent.infer_states(seen, agent.D, past_actions=past)
        else:
            qs = agent.infer_states(present, prior)
        qs = [q[:, -1:] for q in qs]
        append(answers, "qs", [q[0, 0] for q in qs])
        if search:
            q_pi, _ = search(agent, qs)
        else:
            q_pi, neg_efe = agent.infer_policies(qs)
            answers.setdefault("neg_efe", []).append(np.array(neg_efe[0]))
        answers.setdefault("q_pi", []).append(np.array(q_pi[0]))
        answers.setdefault("action", []).append(np.array(agent.sample_action(q_pi)[0]))
        if t and (agent.learn_A or agent.learn_B):
            taken = jnp.array(actions[t - 1])[None]
            pairs = [jnp.concatenate([q0, q1], axis=1) for q0, q1 in zip(before, qs)] if agent.learn_B else None
            agent = agent.infer_parameters(
                qs, present, taken[:, None] if agent.learn_B else taken, beliefs_B=pairs, **rates
            )
            if agent.learn_A:
                append(answers, "pA_after", [p[0] for p in agent.pA])
            if agent.learn_B:
                append(answers, "pB_after", [p[0] for p in agent.pB])
        if not sequence:
            prior = agent.update_empirical_prior(jnp.array(actions[t])[None], qs)
        before = qs
    flat = {f"pB_after.{f}": actions_shape(tensors[f"B.{f}"], meta, f) for f in range(len(agent.B))}
    answers = {name: np.stack(rows) for name, rows in answers.items()}
    for name, shape in flat.items():
        if name in answers:
            answers[name] = answers[name].reshape(answers[name].shape[:1] + shape)
    policies = np.array(agent.policies.policy_arr)
    return answers, policies, agent.sampling_mode


def actions_shape(b, meta, factor):
    """B's shape with one flat axis of actions, as the recordings have it."""
    states = 1 + len(meta["B_dependencies"][factor])
    return b.shape[:states] + (int(np.prod(b.shape[states:], dtype=int)),)


def run_0(meta, tensors):
    """inferactively-pymdp 0.0.7.1."""
    from pymdp import control, inference, utils
    from pymdp.agent import Agent

    arguments = {k: v for k, v in meta.get("agent", {}).items() if not k.startswith("learn_")}
    learn = {k: v for k, v in meta.get("agent", {}).items() if k.startswith("learn_")}
    arguments.pop("num_iter", None)
    arguments["action_selection"] = "deterministic"

    def arrays(prefix):
        found = series(tensors, prefix)
        return found and pack(found)

    def pack(found):
        packed = utils.obj_array(len(found))
        for i, array in enumerate(found):
            packed[i] = array.astype(np.float64)
        return packed

    if "policies" in tensors:
        arguments["policies"] = list(tensors["policies"])
    agent = Agent(
        arrays("A"), arrays("B"), C=arrays("C"), D=arrays("D"), E=tensors.get("E"),
        pA=arrays("pA"), pB=arrays("pB"), pD=arrays("pD"), **arguments,
    )
    vanilla = agent.inference_algo == "VANILLA"
    answers, before = {}, None
    for t, taken in enumerate(tensors["actions"]):
        observation = [int(o) for o in tensors["observations"][t]]
        qs = agent.infer_states(observation)
        if vanilla:
            append(answers, "qs", qs)
        q_pi, neg_efe = agent.infer_policies()
        answers.setdefault("neg_efe", []).append(np.array(neg_efe))
        answers.setdefault("q_pi", []).append(np.array(q_pi))
        if not vanilla:
            # The mean over policies at the present, which the reference forms for its prior alone.
            present = [policy[-agent.policy_len - 1] for policy in qs]
            append(answers, "qs", inference.average_states_over_policies(present, q_pi))
            answers.setdefault("free_energy", []).append(np.array(agent.F))
        choose = control.sample_action if agent.sampling_mode == "marginal" else control.sample_policy
        answers.setdefault("action", []).append(choose(q_pi, agent.policies, agent.num_controls))
        if learn.get("learn_A"):
            append(answers, "pA_after", agent.update_A(observation))
        if learn.get("learn_B") and t:
            append(answers, "pB_after", agent.update_B(before))
        if learn.get("learn_D") and not t:
            append(answers, "pD_after", agent.update_D(qs))
        before = qs
        agent.action = taken.astype(float)
        agent.step_time()
    answers = {name: np.stack(rows) for name, rows in answers.items()}
    if not vanilla:
        for f in range(agent.num_factors):
            answers[f"qs_policy.{f}"] = np.array([[step[f] for step in policy] for policy in agent.qs])
    return answers, np.array(agent.policies), agent.sampling_mode


def worth(q_pi, policies, mode, action):
    """What a choice is worth: the best policy that begins with it, or each factor's marginal."""
    if mode == "full":
        return np.array([q_pi[(policies[:, 0] == action).all(axis=1)].max(initial=0)])
    return np.array([q_pi[policies[:, 0, f] == u].sum() for f, u in enumerate(action)])


def compare(path, run):
    """What disagrees, as text; None where all agree."""
    meta, tensors = read(path)
    try:
        answers, policies, mode = run(meta, tensors)
    except Exception as error:  # whatever the reference raises is what is asked for
        return f"REFUSED {type(error).__name__}: {str(error).splitlines()[0][:150] if str(error) else ''}"
    bound, floor = 1e-9, 1e-12
    if "sophisticated" in meta:
        bound = floor = 1e-4
    for name in sorted(tensors):
        if not name.startswith("expect."):
            continue
        ours, theirs = tensors[name], answers[name.removeprefix("expect.")]
        if ours.shape != theirs.shape:
            return f"{name}: shape {ours.shape}, pymdp {theirs.shape}"
        if name == "expect.action":
            for t, (mine, its) in enumerate(zip(ours, theirs)):
                gap = worth(answers["q_pi"][t], policies, mode, its) - worth(answers["q_pi"][t], policies, mode, mine)
                if np.abs(gap).max() > (1e-4 if "sophisticated" in meta else 1e-6):
                    return f"{name}: {mine}, pymdp {its} at step {t}"
            continue
        error = np.abs(ours - theirs) - np.maximum(floor, bound * np.abs(theirs))
        if not (error <= 0).all():
            at = np.unravel_index(np.argmax(np.where(np.isnan(error), np.inf, error)), error.shape)
            return f"{name}{list(map(int, at))}: {ours[at]!r}, pymdp {theirs[at]!r}"
    return None


def main(paths):
    from importlib.metadata import version

    one = version("inferactively-pymdp").startswith("1.")
    if one:
        import jax

        jax.config.update("jax_enable_x64", True)
    dialect, run = ("pymdp-1", run_1) if one else ("pymdp-0", run_0)
    tally, failed = Counter(), False
    for path in paths:
        meta, _ = read(path)
        if meta.get("dialect", "pymdp-1") != dialect:
            continue
        wrong = compare(path, run)
        tally["agree" if wrong is None else wrong.split()[0] if wrong.startswith("REFUSED") else "DIFFER"] += 1
        if wrong is not None:
            failed = failed or not wrong.startswith("REFUSED")
            print(f"{path}: {wrong}\n    {json.dumps(meta.get('agent', {}))}", flush=True)
    print(f"{dialect}, inferactively-pymdp {version('inferactively-pymdp')}:", dict(tally))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
