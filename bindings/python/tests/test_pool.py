"""The pool: whose memory it is, what operations answer, what holds."""

import gc
import subprocess
import sys
import threading

import numpy as np
import pytest

from populace import BudgetError, pool


def in_use() -> int:
    gc.collect()
    return sum(one["in_use"] for one in pool.get_statistics()["pools"].values())


def test_a_loop_hits() -> None:
    for _ in range(1000):
        with pool.pooled_matrix((37, 11), np.float32) as m:
            m[0, 0] = 1
    numbers = pool.get_statistics()["pools"][(37, 11), "float32"]
    assert numbers["hit_rate"] >= 0.99
    del m
    assert pool.get_statistics()["pools"][(37, 11), "float32"]["in_use"] == 0


def test_a_matrix_returns_when_its_last_array_dies() -> None:
    before = in_use()
    with pool.pooled_matrix((5, 7)) as m:
        assert m.dtype == np.float32 and m.shape == (5, 7) and m.flags.writeable
        assert in_use() == before + 1
        row = m[2]
    del m
    assert in_use() == before + 1
    row[:] = 4
    with pool.pooled_matrix((5, 7)) as other:
        other[:] = 9
        assert not np.shares_memory(row, other)
    assert (row == 4).all()
    del row, other
    assert in_use() == before


def test_zeroed_and_spellings_and_shapes() -> None:
    with pool.pooled_matrix((4, 4), "f8") as m:
        m[:] = 3
    address = m.ctypes.data
    del m
    with pool.pooled_matrix((4, 4), np.float64, zeroed=True) as m:
        assert (m == 0).all()
    assert address % 64 == 0
    with pool.pooled_matrix(6, "<i4") as m:
        assert m.shape == (6,) and m.dtype == np.int32
    with pytest.raises(ValueError, match="no elements"), pool.pooled_matrix((0, 3)):
        pass
    with pytest.raises(NotImplementedError, match="complex128"):
        pool.pooled_matrix((2, 2), complex)


def test_all_operands_or_none() -> None:
    before = in_use()
    a, b = pool.allocate_many([((2, 3), np.float32), ((3, 4), np.float64)])
    assert (a.shape, b.dtype) == ((2, 3), np.float64)
    del a, b
    with pytest.raises(ValueError, match="overflows"):
        pool.allocate_many([((2, 3), np.float32), ((2**40, 2**40), np.float64)])
    assert in_use() == before


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_operations_answer_numpys(dtype) -> None:
    rng = np.random.default_rng(0)
    close = {"rtol": 1e-4 if dtype == np.float32 else 1e-10}
    for n in (1, 3, 10, 100):
        a, b = rng.random((n, n)).astype(dtype), rng.random((n, n)).astype(dtype)
        for x, y in ((a, b), (a.T, b), (a[::-1], b[:, ::2]), (a[0], b), (a, b[0])):
            assert np.allclose(pool.pooled_dot(x, y), np.dot(x, y), **close)
            assert np.allclose(pool.pooled_matmul(x, y), x @ y, **close)
        out = np.empty((n, n), dtype)
        assert pool.pooled_dot(a, b, out=out) is out
        assert np.allclose(out, a @ b, **close)
        for text in ("ij,jk->ik", "ij,ij->", "ij->ji", "ij,kj->ik", "ii->i"):
            operands = [a, b][: text.count(",") + 1]
            assert np.allclose(
                pool.pooled_einsum(text, *operands), np.einsum(text, *operands), **close
            )
    assert isinstance(pool.pooled_dot(a[0], b[0]), np.generic)
    assert pool.pooled_dot([1.0, 2.0], [3.0, 4.0]) == 11.0


def test_operations_refuse() -> None:
    a = np.ones((2, 3))
    with pytest.raises(ValueError, match="3"):
        pool.pooled_dot(a, a)
    with pytest.raises(ValueError, match="label"):
        pool.pooled_einsum("ij,ij->k", a, a)
    with pytest.raises(NotImplementedError, match="int64"):
        pool.pooled_dot(np.ones((2, 2), np.int64), np.ones((2, 2), np.int64))
    frozen = np.empty((2, 2))
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        pool.pooled_dot(a, a.T, out=frozen)
    square = np.ones((2, 2))
    with pytest.raises(ValueError):
        pool.pooled_dot(square, square, out=square)


def test_buffers_are_counted() -> None:
    own = pool.Pool()
    buffer = own.create_buffer(b"abc")
    assert bytes(memoryview(buffer)) == b"abc" and len(buffer) == 3
    assert buffer.increment() == 2 and buffer.decrement() == 1
    array = buffer.array
    assert buffer.decrement() == 0
    assert own.get_statistics()["in_use"] == 1
    assert array.tobytes() == b"abc"
    for gone in (buffer.increment, buffer.decrement, lambda: buffer.array):
        with pytest.raises(ValueError, match="count is 0"):
            gone()
    del array
    assert own.get_statistics()["in_use"] == 0


def test_scopes_let_go_however_they_end() -> None:
    own = pool.Pool()
    with pytest.raises(KeyError), pool.autorelease() as outer:
        outer.add(own.get_buffer(10))
        with pool.autorelease() as inner:
            inner.add(own.get_buffer(10))
            raise KeyError
    assert own.get_statistics()["in_use"] == 0


def test_limits_classes_and_contents() -> None:
    own = pool.Pool(max_bytes="64KiB", size_classes="powers_of_four", clear=True)
    with pytest.raises(BudgetError):
        own.get_buffer(1 << 20)
    with own.get_buffer(300) as buffer:
        buffer.array[:] = 1
    with own.get_buffer(300) as buffer:
        assert not buffer.array.any()
    assert list(own.get_statistics()["classes"]) == [1024]
    assert own.clear() > 0 and own.get_statistics()["available"] == 0
    with pytest.raises(ValueError, match="size_classes"):
        pool.Pool(size_classes="odd")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="ttl"):
        pool.Pool(ttl=-1)


def test_dlpack_and_the_buffer_protocol() -> None:
    with pool.pooled_matrix((3, 4), np.float64) as m:
        m[:] = np.arange(12).reshape(3, 4)
    assert np.array_equal(np.from_dlpack(m), m)
    assert memoryview(m).shape == (3, 4)
    buffer = pool.Pool().create_buffer(b"\1\2")
    assert np.from_dlpack(buffer).tolist() == [1, 2]
    view = memoryview(buffer)
    buffer.decrement()
    assert bytes(view) == b"\1\2"


def test_another_process_reads_what_lies_in_shared_memory() -> None:
    own = pool.Pool(shared="64KiB")
    numbers = np.arange(1000, dtype=np.float64)
    with own.get_buffer(numbers.nbytes) as buffer:
        buffer.array.view(np.float64)[:] = numbers
        script = """
import sys
import numpy as np
from populace import pool
path, offset, size = sys.argv[1:]
seen = pool.open_shared((path, int(offset), int(size)))
assert not seen.flags.writeable
print(seen.view(np.float64).sum())
"""
        assert buffer.place is not None
        place = [str(part) for part in buffer.place]
        done = subprocess.run(
            [sys.executable, "-c", script, *place], capture_output=True, text=True, timeout=60
        )
        assert done.stdout.strip() == str(numbers.sum()), done.stderr
    assert pool.Pool().get_buffer(1).place is None
    with pytest.raises(MemoryError, match="64.0 KiB"):
        own.get_buffer(1 << 20)


def test_a_child_writes_into_a_shared_buffer() -> None:
    script = """
import os, sys
from populace import pool
buffer = pool.Pool(shared="4KiB").create_buffer(b"parent")
child = os.fork()
if child == 0:
    buffer.array[:] = list(b"child!")
    os._exit(0)
os.waitpid(child, 0)
sys.exit(bytes(buffer.array) != b"child!")
"""
    assert subprocess.run([sys.executable, "-c", script], timeout=60).returncode == 0


def test_eight_threads_keep_their_contents_apart() -> None:
    own = pool.Pool(max_bytes="4MiB")
    failures: list[object] = []

    def work(mark: int) -> None:
        for turn in range(300):
            with pool.pooled_matrix((16, 16), np.int32) as m, own.get_buffer(64) as buffer:
                m[:] = mark
                buffer.array[:] = mark
                if turn % 50 == 0:
                    threading.Event().wait(0.0005)
                if not ((m == mark).all() and (buffer.array == mark).all()):
                    failures.append((mark, turn))

    threads = [threading.Thread(target=work, args=(mark,)) for mark in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert own.get_statistics()["in_use"] == 0


def test_exit_and_fork_with_live_buffers() -> None:
    script = """
import os, sys
import numpy as np
from populace import pool
keep = [pool.pooled_matrix((100, 100)).__enter__() for _ in range(5)]
buffer = pool.Pool().get_buffer(100)
child = os.fork()
if child == 0:
    with pool.pooled_matrix((100, 100)) as m:
        m[:] = 1
    del keep
    os._exit(0)
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status))
"""
    assert subprocess.run([sys.executable, "-c", script], timeout=60).returncode == 0
