//! Traces: written in pieces, ended early, read by the format's own library.
#![allow(clippy::unwrap_used)]

use populace_agent::{ErrorKind, TraceWriter};
use safetensors::SafeTensors;

const AGENTS: usize = 5;

fn observed(tick: usize, agent: usize) -> [i32; 2] {
    [(tick * 100 + agent) as i32, -1]
}

fn acted(tick: usize, agent: usize) -> [i32; 1] {
    [(tick * 7 + agent * 3) as i32]
}

fn write(path: &std::path::Path, planned: usize, ticks: usize) {
    let mut trace = TraceWriter::create(path, planned, AGENTS, 2, 1).unwrap();
    for tick in 0..ticks {
        // Two ranges, the later one first.
        for agents in [3..AGENTS, 0..3] {
            let first = agents.start;
            let observations: Vec<i32> =
                agents.clone().flat_map(|agent| observed(tick, agent)).collect();
            let actions: Vec<i32> = agents.flat_map(|agent| acted(tick, agent)).collect();
            trace.put(tick, first, &observations, &actions).unwrap();
        }
    }
    assert!(!path.exists(), "the file appears only when it is finished");
    trace.finish(ticks).unwrap();
}

fn numbers(bytes: &[u8]) -> Vec<i32> {
    bytes.chunks_exact(4).map(|four| i32::from_le_bytes(four.try_into().unwrap())).collect()
}

#[test]
fn whole_and_short_runs_are_valid_files() {
    let folder = tempfile::tempdir().unwrap();
    for (planned, ticks) in [(4, 4), (1000, 3), (12, 11), (2, 0), (0, 0), (30_000, 20_000)] {
        let path = folder.path().join(format!("{planned}-{ticks}.safetensors"));
        write(&path, planned, ticks);
        let bytes = std::fs::read(&path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let (seen, done) = (file.tensor("observations").unwrap(), file.tensor("actions").unwrap());
        assert_eq!(seen.shape(), [ticks, AGENTS, 2]);
        assert_eq!(done.shape(), [ticks, AGENTS, 1]);
        let every = || (0..ticks).flat_map(|tick| (0..AGENTS).map(move |agent| (tick, agent)));
        let expected: Vec<i32> = every().flat_map(|(tick, agent)| observed(tick, agent)).collect();
        assert_eq!(numbers(seen.data()), expected);
        let expected: Vec<i32> = every().flat_map(|(tick, agent)| acted(tick, agent)).collect();
        assert_eq!(numbers(done.data()), expected);
    }
}

#[test]
fn an_unfinished_trace_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.safetensors");
    std::fs::write(&path, "before").unwrap();
    let mut trace = TraceWriter::create(&path, 3, 1, 1, 1).unwrap();
    trace.put(0, 0, &[1], &[2]).unwrap();
    drop(trace);
    assert_eq!(std::fs::read(&path).unwrap(), b"before");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn what_cannot_be_traced_is_refused() {
    let error = TraceWriter::create("/none/t.safetensors", 1, 1, 1, 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert_eq!(
        error.to_string(),
        "/none/t.safetensors: cannot be written: No such file or directory (os error 2)"
    );
    let error = TraceWriter::create("t", usize::MAX, usize::MAX, 1, 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}
