//! What the operating system knows of this process and its machine.
//!
//! Linux answers; elsewhere the answer is None, and the summary leaves the line out.

use std::fmt;

use populace_pool::Bytes;
use serde::Serialize;

/// The most memory that was resident so far, in bytes: what `/usr/bin/time -v` calls "maximum
/// resident set size".
pub(crate) fn resident_bytes_peak() -> Option<u64> {
    field("/proc/self/status", "VmHWM:")
}

/// The machine's memory, in bytes.
pub(crate) fn machine_bytes() -> Option<u64> {
    field("/proc/meminfo", "MemTotal:")
}

/// The machine, as benchmarks state it.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) os: &'static str,
    pub(crate) arch: &'static str,
}

impl Machine {
    /// The one that this runs on.
    pub(crate) fn this() -> Self {
        Self {
            cpu: cpu().unwrap_or_else(|| "unknown".to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: machine_bytes(),
            os: std::env::consts::OS,
            arch: std::env::consts::ARCH,
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} cores, {} {}", self.cpu, self.cores, self.os, self.arch)?;
        self.memory_bytes.map_or(Ok(()), |bytes| write!(f, ", {}", Bytes(bytes)))
    }
}

/// The processor's name.
fn cpu() -> Option<String> {
    let table = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let name = table.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'))?;
    Some(name.1.trim().to_owned())
}

/// A field in KiB of one of the kernel's tables, in bytes.
#[cfg(target_os = "linux")]
fn field(table: &str, name: &str) -> Option<u64> {
    let table = std::fs::read_to_string(table).ok()?;
    let line = table.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(not(target_os = "linux"))]
fn field(_: &str, _: &str) -> Option<u64> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::{machine_bytes, resident_bytes_peak};

    #[test]
    fn the_process_fits_into_its_machine() {
        let (resident, machine) = (resident_bytes_peak().unwrap(), machine_bytes().unwrap());
        assert!(0 < resident && resident < machine, "{resident} of {machine}");
    }
}
