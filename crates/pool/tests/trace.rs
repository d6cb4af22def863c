//! Traces: kept, replayed, learned from, and refused when damaged.

#![allow(clippy::unwrap_used)] // The lint's exception covers test functions, not what they call.

use std::sync::Arc;

use populace_pool::{
    Buffer, ErrorKind, HostHeap, NullResource, Pool, Record, SharedResource, SizeClasses,
    Statistics, Trace, workload,
};
use proptest::prelude::*;

fn recorded(sizes: &[usize]) -> Trace {
    let record = Arc::new(Record::new(NullResource::new()));
    let resource: SharedResource = record.clone();
    let mut held = Vec::new();
    for (round, &size) in sizes.iter().enumerate() {
        held.push(populace_pool::Region::new(&resource, size, 64).unwrap());
        if round % 3 == 2 {
            held.swap_remove(round % held.len());
        }
    }
    record.trace()
}

#[test]
fn a_trace_survives_its_file_and_every_cut_or_change_of_it_is_refused() {
    let trace = recorded(&[1, 100, 5000, 70_000, 1 << 40]);
    let bytes = trace.to_bytes();
    assert_eq!(Trace::from_bytes(&bytes).unwrap(), trace);
    for end in 0..bytes.len() {
        let error = Trace::from_bytes(&bytes[..end]).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::BadTrace { .. }), "{error}");
    }
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x41;
        Trace::from_bytes(&changed).unwrap_err();
    }
    Trace::from_bytes(&[&bytes[..], b"x"].concat()).unwrap_err();
    let mut newer = bytes;
    newer[8] = 2;
    let error = Trace::from_bytes(&newer).unwrap_err().to_string();
    assert_eq!(error, "the trace is not readable at byte 8: version 2; this build reads version 1");
}

#[test]
fn a_trace_file_is_read_back() {
    let path = std::env::temp_dir().join(format!("populace-{}.trace", std::process::id()));
    let trace = recorded(&[10, 20, 30]);
    trace.write(&path).unwrap();
    assert_eq!(Trace::read(&path).unwrap(), trace);
    std::fs::write(&path, b"POPTRACE").unwrap();
    let message = Trace::read(&path).unwrap_err().to_string();
    assert!(message.contains(path.to_str().unwrap()), "{message}");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_replay_asks_for_the_same_and_leaves_nothing() {
    let trace = recorded(&[100, 3000, 9000, 500, 700, 100, 100]);
    let upstream = Statistics::new(HostHeap);
    let replay = trace.replay(&upstream).unwrap();
    assert_eq!(replay.operations, trace.operations().len() as u64);
    assert_eq!(replay.peak_requested_bytes, trace.peak_requested_bytes());
    assert_eq!(replay.peak_taken_bytes, upstream.totals().peak_bytes);
    assert_eq!((upstream.totals().live(), upstream.totals().allocations), (0, 7));
    let rows = workload::replayed("recorded", &trace, Pool::new(HostHeap), 3).unwrap();
    assert!(rows.iter().all(|row| row.checked && row.name == "recorded"), "{rows:?}");
}

#[test]
fn a_pool_records_what_its_users_ask() {
    let record = Arc::new(Record::new(Pool::new(HostHeap)));
    let resource: SharedResource = record.clone();
    for _ in 0..3 {
        drop(Buffer::new(&resource, 100, 64).unwrap());
    }
    assert_eq!(record.trace().allocations(), 3);
}

fn row(name: &str) -> workload::Row {
    let workload = name.split('/').next().unwrap();
    let rows = workload::run(workload).unwrap();
    assert!(rows.iter().all(|row| row.checked), "{rows:?}");
    rows.into_iter().find(|row| row.name == name && row.resource == "pool").unwrap()
}

/// Counts that do not depend on the machine. What is not here takes long or much memory, and is checked where
/// the program runs it.
#[test]
fn workloads_count_what_they_must() {
    assert!(row("sequential").hit_rate.unwrap() >= 0.99);
    // Both check that no more than a quarter of the peak lay idle.
    assert!(row("interleaved").hit_rate.unwrap() >= 0.99);
    let random = row("random");
    assert!(random.hit_rate.unwrap() >= 0.85, "{random:?}");
    assert!(random.internal_waste.unwrap() < 0.09, "{random:?}");
    assert!(row("cross-thread").hit_rate.unwrap() >= 0.99);
}

/// What a run asks for is what learned classes are for.
#[test]
fn little_is_reserved_that_agents_did_not_ask_for() {
    let trace = Trace::from_bytes(include_bytes!("../traces/agents.trace")).unwrap();
    let learned = trace.learn(0.05).unwrap();
    assert!(learned.learned_waste < 0.25 * learned.geometric_waste, "{learned:?}");
    assert!(learned.geometric_waste < 0.09, "{learned:?}");
    for name in ["agents", "agents/geometric"] {
        let row = row(name);
        assert!(row.peak_reserved_over_requested.unwrap() <= 1.1, "{row:?}");
    }
}

#[test]
fn unknown_workloads_are_named() {
    let error = workload::run("fast").unwrap_err().to_string();
    assert!(error.starts_with("no workload is called 'fast'; there are touch, "), "{error}");
}

proptest! {
    /// The bound holds for every size of the trace, and the waste is never above the geometric classes'.
    #[test]
    fn learned_classes_keep_their_bound(
        sizes in prop::collection::vec((0_u32..20, 1_usize..1000), 1..60),
        percent in 1_usize..50,
    ) {
        let sizes: Vec<_> = sizes.into_iter().map(|(log, more)| more << log).collect();
        let trace = recorded(&sizes);
        let bound = percent as f64 / 100.0;
        let learned = trace.learn(bound).unwrap();
        for size in sizes {
            // None above the largest: kept by the page.
            let Some(class) = learned.classes.class_bytes(size) else { continue };
            let class = class as f64;
            let lines = size.next_multiple_of(64) as f64;
            prop_assert!((class - lines) / class <= bound + 1e-12, "{} in {}", size, class);
        }
        prop_assert!(learned.learned_waste <= learned.geometric_waste + 1e-12);
        prop_assert_eq!(learned.geometric_waste, trace.waste(&SizeClasses::geometric()));
    }

    #[test]
    fn no_bytes_crash_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let framed = [&b"POPTRACE\x01\0\0\0"[..], &bytes].concat();
        prop_assert!(Trace::from_bytes(&framed).is_err() && Trace::from_bytes(&bytes).is_err());
    }
}
