"""The recordings in `tests/golden`: models, what was observed and done, and what pymdp answered."""

import json
from pathlib import Path
from typing import Any

import numpy as np

GOLDEN = Path(__file__).resolve().parents[3] / "tests/golden"
_DTYPES = {"F64": np.float64, "F32": np.float32, "I32": np.int32, "U32": np.uint32, "U64": np.uint64}


class Recording:
    """One file."""

    def __init__(self, path: Path) -> None:
        raw = path.read_bytes()
        size = int.from_bytes(raw[:8], "little")
        header = json.loads(raw[8 : 8 + size])
        metadata = json.loads(header.pop("__metadata__")["populace"])
        self.tensors = {name: self._tensor(raw[8 + size :], part) for name, part in header.items()}
        for name, shape in metadata.pop("sparse", {}).items():
            starts, rows, values = (
                self.tensors.pop(f"{name}.{part}") for part in ("indptr", "indices", "values")
            )
            dense = np.zeros((shape[0], int(np.prod(shape[1:]))))
            dense[rows, np.repeat(np.arange(dense.shape[1]), np.diff(starts.astype(int)))] = values
            self.tensors[name] = dense.reshape(shape)
        self.path, self.metadata, self.arguments = path, metadata, metadata.pop("agent", {})
        actions = self.tensors.get("actions")
        self.actions = self.tensors["expect.action"] if actions is None else actions

    @staticmethod
    def _tensor(data: bytes, part: dict[str, Any]) -> np.ndarray:
        first, end = part["data_offsets"]
        return np.frombuffer(data[first:end], _DTYPES[part["dtype"]]).reshape(part["shape"])

    def family(self, name: str) -> list[np.ndarray] | None:
        """The tensors `name.0`, `name.1`, ...; None, where there are none."""
        count = sum(key.rpartition(".")[0] == name and key.rpartition(".")[2].isdigit() for key in self.tensors)
        return [self.tensors[f"{name}.{index}"] for index in range(count)] or None

    @property
    def steps(self) -> int:
        return len(self.actions)

    def observed(self, step: int) -> list[np.ndarray]:
        """What was observed at a step: outcomes (1,) a modality, or distributions (1, O)."""
        if "observations" in self.tensors:
            return [np.array([outcome]) for outcome in self.tensors["observations"][step]]
        soft = self.family("observations")
        assert soft is not None
        return [modality[step : step + 1] for modality in soft]


def recordings(dialect: str) -> list[Path]:
    """The files of a dialect."""
    return sorted((GOLDEN / dialect).glob("*.safetensors"))
