"""Writes corpus.json: expressions over small arrays, with NumPy's answers.

    python crates/tensor/tests/make_corpus.py          (needs numpy; written with 2.4.6)

The operands are not stored: both sides make them from a seed by the rule in `base`. An answer is
calculated in f64 from the operands' values (u8: by NumPy in u8, which wraps), and the shape and
type are those of NumPy's own call with the operands' types. `k` is the number of terms of a sum,
`scale` the largest sum of their absolute values. NumPy's own call is made with optimize=False.
"""

import json
import math
import pathlib

import numpy as np

DTYPES = {"f64": np.float64, "f32": np.float32, "f16": np.float16, "u8": np.uint8}
NAMES = {np.dtype(dtype): name for name, dtype in DTYPES.items()}


def base(shape, seed, dtype, special=()):
    """Element i is h/2^15 - 1 for h = the upper 16 bits of a hash of i; u8: h mod 256.

    Sixteen bits are exact in f32; f16 keeps the upper 8 of them, exact there.
    """
    i = np.arange(math.prod(shape), dtype=np.uint64)
    h = ((i + np.uint64(seed)) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(48)
    if dtype == "u8":
        values = (h % np.uint64(256)).astype(np.uint8)
    else:
        if dtype == "f16":
            h = (h >> np.uint64(8)) << np.uint64(8)
        values = (h.astype(np.float64) / 32768.0 - 1.0).astype(DTYPES[dtype])
        for at, value in special:
            values[at] = float(value)
    return values.reshape(shape)


def operand(rng, shape, dtype, plain=False, special=False):
    """A view of `shape`, and how to make it: slices of a base, permuted, broadcast."""
    axes = len(shape)
    order = list(range(axes))
    slices, parent, repeated = [], [], []
    rng.shuffle(order)
    if plain or rng.random() < 0.3:
        order = list(range(axes))
    for position in np.argsort(order):
        size = shape[position]
        if plain or rng.random() < 0.5:
            slices.append([0, size, 1])
            parent.append(size)
            continue
        step = int(rng.choice([-2, -1, 1, 2]))
        before, after = int(rng.integers(0, 2)), int(rng.integers(0, 2))
        extent = (size - 1) * abs(step) + 1 if size else 0
        start = before if step > 0 else before + max(extent - 1, 0)
        slices.append([start, size, step])
        parent.append(before + extent + after)
    spec = {"dtype": dtype, "seed": int(rng.integers(1, 1 << 20)), "base": parent}
    if special and dtype != "u8" and math.prod(parent) > 0:
        count = math.prod(parent)
        spec["special"] = [
            [int(rng.integers(count)), str(rng.choice(["nan", "inf", "-inf"]))]
            for _ in range(int(rng.integers(1, 4)))
        ]
    if any(s != [0, n, 1] for s, n in zip(slices, parent)):
        spec["slices"] = slices
    if order != list(range(axes)):
        spec["order"] = order
    if not plain and axes and shape[0] > 1 and rng.random() < 0.05:
        # The first axis is repeated instead: stride zero.
        spec = {"dtype": dtype, "seed": spec["seed"], "base": list(shape[1:]), "broadcast": list(shape)}
    return spec


def realise(spec):
    array = base(spec["base"], spec["seed"], spec["dtype"], spec.get("special", ()))
    for axis, (start, count, step) in enumerate(spec.get("slices", ())):
        index = [start + i * step for i in range(count)]
        array = np.take(array, np.array(index, dtype=np.intp), axis=axis)
    if "order" in spec:
        array = array.transpose(spec["order"])
    if "broadcast" in spec:
        array = np.broadcast_to(array, spec["broadcast"])
    return array


def number(value):
    value = float(value)
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return int(value) if value == int(value) and value != 0 else value


def case(operation, specs, call, terms, expression=None):
    arrays = [realise(spec) for spec in specs]
    with np.errstate(all="ignore"):
        native = np.asarray(call(*arrays))
        wide = [array.astype(np.float64) for array in arrays]
        exact = native if native.dtype == np.uint8 else np.asarray(call(*wide))
        finite = [np.nan_to_num(np.abs(array), nan=1, posinf=1) for array in wide]
        scale = np.max(np.asarray(call(*finite)), initial=0)
    entry = {"operation": operation}
    if expression is not None:
        entry["expression"] = expression
    return entry | {
        "operands": specs,
        "dtype": NAMES[native.dtype],
        "shape": list(native.shape),
        "k": terms,
        "scale": number(scale),
        "values": [number(value) for value in exact.ravel()],
    }


def random_einsum(rng, kind):
    labels = list(rng.permutation(list("abcdefXYZ")))[: int(rng.integers(1, 7))]
    size = {label: int(rng.integers(1, 6)) for label in labels}
    if kind == "empty":
        size[labels[0]] = 0
    ellipsis = [int(rng.integers(1, 4)) for _ in range(int(rng.integers(0, 3)))]
    count = int(rng.choice([1, 2, 2, 2, 3, 3, 4]))
    terms, specs = [], []
    dtype = str(rng.choice(["f64", "f32"]))
    for _ in range(count):
        own = [str(label) for label in rng.permutation(labels)[: int(rng.integers(0, 5))]]
        if own and rng.random() < 0.15:
            own.insert(int(rng.integers(len(own) + 1)), own[0])  # a diagonal
        once = {label: own.count(label) == 1 for label in own}
        shape = [
            1 if once[label] and kind == "broadcast" and rng.random() < 0.3 else size[label]
            for label in own
        ]
        term = "".join(own)
        if kind == "ellipsis" or (kind == "mixed" and rng.random() < 0.3):
            at = int(rng.integers(len(own) + 1))
            axes = ellipsis[int(rng.integers(len(ellipsis) + 1)) :]
            axes = [1 if rng.random() < 0.2 else axis for axis in axes]
            term = term[:at] + "..." + term[at:]
            shape[at:at] = axes
        if kind == "mixed":
            dtype = str(rng.choice(["f64", "f32", "f16", "u8"]))
        if kind == "bytes":
            dtype = "u8"
        terms.append(term)
        specs.append(operand(rng, shape, dtype, special=kind == "special"))
    expression = ",".join(terms)
    used = sorted({c for c in expression if c.isalpha()})
    if rng.random() < 0.75:
        kept = [label for label in rng.permutation(used) if rng.random() < 0.6] if used else []
        out = "".join(kept)
        if "..." in expression:
            at = int(rng.integers(len(out) + 1))
            out = out[:at] + "..." + out[at:]
        expression += "->" + out
    if rng.random() < 0.1:
        expression = expression.replace(",", " , ").replace("->", " -> ")
    return expression, specs


def lone_sums(expression):
    """Whether a label is summed over in one operand alone (we factor such sums out)."""
    inputs, _, out = expression.replace(" ", "").partition("->")
    terms = inputs.split(",")
    return len(terms) > 2 or any(
        sum(label in term for term in terms) == 1 for label in set(inputs) - set(out) if label.isalpha()
    )


def einsums(rng):
    wanted = {"plain": 200, "broadcast": 90, "ellipsis": 110, "mixed": 110, "empty": 40, "special": 60, "bytes": 40}
    seen = set()
    for kind, count in wanted.items():
        made = 0
        while made < count:
            expression, specs = random_einsum(rng, kind)
            shape_key = (expression, str(specs))
            if shape_key in seen or expression.replace(" ", "") == "":
                continue
            # With infinities a factored sum may differ (inf - inf), in NumPy's optimised path as
            # well: compare where the terms are the same.
            if kind == "special" and lone_sums(expression):
                continue
            arrays = [realise(spec) for spec in specs]
            try:
                shape = np.einsum(expression, *arrays).shape
            except ValueError:
                continue
            if math.prod(shape) > 150:
                continue
            labels = {}
            for term, array in zip(expression.replace(" ", "").split("->")[0].split(","), arrays):
                head, dots, tail = term.partition("...")
                for at, label in enumerate(head):
                    labels[label] = max(labels.get(label, 1), array.shape[at])
                for at, label in enumerate(reversed(tail)):
                    labels[label] = max(labels.get(label, 1), array.shape[array.ndim - 1 - at])
            k = max(1, math.prod(labels.values()) // max(1, math.prod(shape)))
            seen.add(shape_key)
            made += 1
            call = lambda *a, e=expression: np.einsum(e, *a)
            yield case("einsum", specs, call, k, expression)


def products(rng):
    for operation, function in {"matmul": np.matmul, "dot": np.dot}.items():
        made = 0
        while made < 60:
            special = made % 6 == 5
            dtypes = ["f64", "f64", "f32", "f32", "f16", "u8"]
            dtype = [str(rng.choice(dtypes)) for _ in range(2)]
            if special or rng.random() < 0.5:
                dtype[1] = dtype[0]
            m, n = (int(rng.integers(0, 7)) for _ in range(2))
            k = int(rng.choice([0, 1, 2, 3, 5, 8]))
            left = [k] if rng.random() < 0.3 else [m, k]
            right = [k] if rng.random() < 0.3 else [k, n]
            batch = [int(rng.integers(1, 4)) for _ in range(int(rng.integers(0, 3)))]
            if len(left) == 2 and rng.random() < 0.5:
                left = [1 if rng.random() < 0.3 else b for b in batch] + left
            if len(right) == 2 and rng.random() < 0.5:
                right = [1 if rng.random() < 0.3 else b for b in batch[int(rng.integers(2)) :]] + right
            if operation == "dot" and rng.random() < 0.1:
                left = []
            specs = [operand(rng, left, dtype[0], special=special), operand(rng, right, dtype[1], special=special)]
            try:
                shape = function(*[realise(spec) for spec in specs]).shape
            except ValueError:
                continue
            if math.prod(shape) > 150:
                continue
            made += 1
            yield case(operation, specs, function, max(1, k))


def main():
    rng = np.random.default_rng(20261120)
    cases = [*einsums(rng), *products(rng)]
    for operands, expression in [
        (1, "->"), (2, ","), (2, "ij,jk"), (3, "ij,jk,kl->il"), (3, "osr,as,ar->ao"), (1, "ii"), (1, "ii->i"),
        (2, "bij,bjk->bik"), (2, "i,j->ij"), (5, "ab,bc,cd,de,ef->af"), (8, "ab,bc,cd,de,ef,fX,XY,YZ->aZ"),
    ]:
        terms = expression.split("->")[0].split(",")
        assert len(terms) == operands
        specs = [operand(rng, [3] * len(term), "f64", plain=True) for term in terms]
        call = lambda *a, e=expression: np.einsum(e, *a)
        cases.append(case("einsum", specs, call, 3 ** max(0, operands - 1), expression))
    path = pathlib.Path(__file__).with_name("corpus.json")
    lines = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in cases)
    path.write_text('{"version":1,"numpy":"%s","cases":[\n%s\n]}\n' % (np.__version__, lines))
    print(f"{len(cases)} cases, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
