//! One suite for every resource, adaptor and pool: what `Resource` promises, checked.
//!
//! A new resource joins with one line; one that the host cannot read also says how its bytes are copied.

#![allow(clippy::unwrap_used)] // The lint's exception covers test functions, not what they call.

mod device;
mod suite;

use std::sync::Arc;

use device::FakeDevice;
use populace_pool::{
    Budget, Budgeted, Charge, Class, Contents, Fail, HostHeap, HugePages, Ledger, Limit,
    MappedFile, NullResource, Pages, Pool, Record, SharedMemory, SizeClasses, Statistics, Tracking,
};
use suite::{Host, Nothing, check};

const GIB: usize = 1 << 30;

macro_rules! contract {
    ($($(#[$attribute:meta])? $name:ident: $access:expr => $resource:expr;)*) => {$(
        #[test]
        $(#[$attribute])?
        fn $name() {
            check(Arc::new($resource), &$access);
        }
    )*};
}

contract! {
    host_heap: Host => HostHeap;
    pages: Host => Pages;
    huge_pages: Host => HugePages;
    #[cfg(target_os = "linux")]
    shared_memory: Host => SharedMemory::new(GIB).unwrap();
    #[cfg(target_os = "linux")]
    unnamed_file: Host => MappedFile::unnamed(&std::env::temp_dir(), GIB).unwrap();
    null: Nothing => NullResource::new();
    limit: Host => Limit::new(Pages, u64::MAX, 4096);
    charge: Host => Charge::new(Arc::new(HostHeap), Arc::new(Ledger::default()), Class(1));
    statistics: Host => Statistics::new(HostHeap);
    tracking: Host => Tracking::new(HostHeap);
    record: Host => Record::new(HostHeap);
    fail: Host => Fail::nth(HostHeap, u64::MAX);
    budgeted: Host => Budgeted::new(Pages, Budget::new("all", u64::MAX), 4096);
    pool: Host => Pool::new(HostHeap);
    pool_of_pages: Host => Pool::new(Pages);
    pool_of_a_pool: Host => Pool::new(Pool::new(HostHeap));
    #[cfg(target_os = "linux")]
    pool_of_shared_memory: Host => Pool::new(SharedMemory::new(GIB).unwrap());
    pool_by_powers_of_four: Host => Pool::builder(Arc::new(HostHeap))
        .classes(SizeClasses::powers_of_four()).build().unwrap();
    pool_without_cache: Host => Pool::builder(Arc::new(HostHeap))
        .max_idle_bytes(0).build().unwrap();
    pool_with_few_slots: Host => Pool::builder(Arc::new(HostHeap))
        .threads(1).max_idle_count(3).contents(Contents::Wiped).build().unwrap();
    tracked_pool_of_a_limit: Host => Tracking::new(Pool::new(Limit::new(HostHeap, 1 << 40, 64)));
}

#[test]
fn device() {
    let device = FakeDevice::default();
    check(Arc::new(device.clone()), &device);
}

#[test]
fn pool_of_a_device() {
    let device = FakeDevice::default();
    check(Arc::new(Pool::new(device.clone())), &device);
    assert_eq!(device.live(), 0, "the pool gave everything back when it went");
}

#[test]
fn every_adaptor_over_a_device() {
    let device = FakeDevice::default();
    let limit = Limit::new(Statistics::new(device.clone()), 1 << 40, 1);
    check(Arc::new(Tracking::new(Record::new(Fail::nth(limit, u64::MAX)))), &device);
    assert_eq!(device.live(), 0);
}
