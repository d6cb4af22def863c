//! What can go wrong with memory.

use std::fmt;
use std::path::PathBuf;

/// The result of an operation on memory.
pub type Result<T> = std::result::Result<T, Error>;

/// Why memory was not given.
///
/// The message names the request, the limit and what remains of it.
#[derive(Clone)]
pub struct Error {
    /// Boxed, so that a result is no larger than what it gives on the fast path.
    kind: Box<ErrorKind>,
}

/// The kinds of [`Error`].
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorKind {
    /// A limit would be exceeded.
    OverLimit {
        /// What was asked for, in bytes.
        requested_bytes: u64,
        /// What was taken already, in bytes.
        used_bytes: u64,
        /// The limit, in bytes.
        limit_bytes: u64,
    },
    /// A budget would be exceeded.
    OverBudget {
        /// Which level of the tree refused.
        budget: String,
        /// What was asked for, in bytes.
        requested_bytes: u64,
        /// What was taken already, in bytes.
        used_bytes: u64,
        /// The level's limit, in bytes.
        limit_bytes: u64,
        /// The largest holders under that level and their bytes, largest first; five at most.
        holders: Vec<(String, u64)>,
    },
    /// The size cannot be represented or the alignment is not supported.
    BadLayout {
        /// What was asked for, in bytes.
        requested_bytes: u64,
        /// The alignment asked for, in bytes.
        align_bytes: u64,
    },
    /// The bytes of a shape cannot be counted.
    BadShape {
        /// The lengths of the axes.
        shape: Vec<usize>,
        /// Bytes of one element.
        item_bytes: usize,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// A spelling that names no element type.
    UnknownDtype {
        /// The spelling.
        dtype: String,
    },
    /// Elements were asked for as another type than theirs.
    WrongDtype {
        /// The type asked for.
        asked: &'static str,
        /// The type that they are.
        is: &'static str,
    },
    /// A handle was given to something that did not make it.
    Foreign {
        /// What was asked to take it back.
        by: &'static str,
        /// How many bytes the handle holds.
        held_bytes: u64,
    },
    /// The host cannot read this resource's memory.
    NotHostAccessible {
        /// What was asked for, in bytes.
        requested_bytes: u64,
    },
    /// A setting makes no sense.
    BadSetting {
        /// Which.
        name: &'static str,
        /// Its value.
        value: u64,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// A trace file is damaged, truncated or of a version that this build does not read.
    BadTrace {
        /// Where in the file, in bytes.
        offset_bytes: u64,
        /// What is wrong there.
        problem: String,
    },
    /// A file is not what it is opened as.
    BadFile {
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A slot that a file does not have.
    NoSlot {
        /// Which was asked for, from 0.
        slot: usize,
        /// How many there are.
        slots: usize,
        /// Bytes of each.
        slot_bytes: usize,
    },
    /// A failure that was asked for.
    Injected {
        /// What was asked for, in bytes.
        requested_bytes: u64,
        /// Which allocation it was, from 1.
        allocation: u64,
    },
    /// The operating system refused.
    System {
        /// What was asked for, in bytes.
        requested_bytes: u64,
        /// The operating system's error number.
        errno: i32,
    },
    /// No workload has this name.
    UnknownWorkload {
        /// The name.
        name: String,
        /// The names that there are.
        known: &'static [&'static str],
    },
    /// This platform cannot do it.
    Unsupported {
        /// What.
        what: &'static str,
    },
}

impl Error {
    /// Makes an error of a kind.
    #[cold]
    pub fn new(kind: ErrorKind) -> Self {
        Self { kind: Box::new(kind) }
    }

    /// What kind of error this is.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    #[cold]
    pub(crate) fn bad_layout(requested_bytes: usize, align_bytes: usize) -> Self {
        Self::new(ErrorKind::BadLayout {
            requested_bytes: requested_bytes as u64,
            align_bytes: align_bytes as u64,
        })
    }

    #[cold]
    pub(crate) fn system(requested_bytes: usize, errno: i32) -> Self {
        if errno == crate::prim::NOT_THERE {
            return Self::new(ErrorKind::Unsupported { what: "memory of this kind" });
        }
        Self::new(ErrorKind::System { requested_bytes: requested_bytes as u64, errno })
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.kind {
            ErrorKind::OverLimit { requested_bytes, used_bytes, limit_bytes } => {
                over(f, *requested_bytes, *used_bytes, *limit_bytes, "the limit")
            }
            ErrorKind::OverBudget { budget, requested_bytes, used_bytes, limit_bytes, holders } => {
                over(
                    f,
                    *requested_bytes,
                    *used_bytes,
                    *limit_bytes,
                    &format!("budget '{budget}'"),
                )?;
                for (index, (name, bytes)) in holders.iter().enumerate() {
                    let before = if index == 0 { "; largest holders: " } else { ", " };
                    write!(f, "{before}{name} {}", Bytes(*bytes))?;
                }
                Ok(())
            }
            ErrorKind::BadLayout { requested_bytes: 0, .. } => {
                write!(f, "a block of 0 bytes was requested; the least is 1")
            }
            ErrorKind::BadLayout { align_bytes, .. } if !align_bytes.is_power_of_two() => {
                write!(f, "an alignment of {align_bytes} was requested; it must be a power of two")
            }
            ErrorKind::BadLayout { requested_bytes, align_bytes }
                if requested_bytes.saturating_add(*align_bytes) > isize::MAX as u64 =>
            {
                let most = isize::MAX;
                write!(
                    f,
                    "a block of {requested_bytes} bytes aligned to {align_bytes} was requested; \
                     the address space has {most}"
                )
            }
            ErrorKind::BadLayout { requested_bytes, align_bytes } => write!(
                f,
                "a block of {requested_bytes} bytes was requested, but this resource aligns none to \
                 {align_bytes}"
            ),
            ErrorKind::BadShape { shape, item_bytes, rule } => {
                write!(f, "a matrix of shape {shape:?} with elements of {item_bytes} bytes: {rule}")
            }
            ErrorKind::UnknownDtype { dtype } => write!(
                f,
                "'{dtype}' names no element type; known are float64, float32, float16, bfloat16, \
                 int64, int32, int16, int8, uint64, uint32, uint16, uint8, bool and their short forms"
            ),
            ErrorKind::WrongDtype { asked, is } => {
                write!(f, "the matrix's elements are {is}, and were asked for as {asked}")
            }
            ErrorKind::Foreign { by, held_bytes } => write!(
                f,
                "this {by} was asked to take back {} that it did not give; they went home",
                Bytes(*held_bytes)
            ),
            ErrorKind::NotHostAccessible { requested_bytes } => write!(
                f,
                "{} were requested as a buffer, but the host cannot read this resource's memory; \
                 take a region instead",
                Bytes(*requested_bytes)
            ),
            ErrorKind::BadSetting { name, value, rule } => {
                write!(f, "{name} is {value}, but {rule}")
            }
            ErrorKind::BadTrace { offset_bytes, problem } => {
                write!(f, "the trace is not readable at byte {offset_bytes}: {problem}")
            }
            ErrorKind::BadFile { path, problem } => write!(f, "{}: {problem}", path.display()),
            ErrorKind::NoSlot { slot, slots, slot_bytes } => {
                write!(f, "slot {slot} is out of range, there are {slots} of {slot_bytes} bytes")
            }
            ErrorKind::Injected { requested_bytes, allocation } => write!(
                f,
                "allocation {allocation}, of {}, was made to fail",
                Bytes(*requested_bytes)
            ),
            ErrorKind::System { requested_bytes, errno } => write!(
                f,
                "the operating system refused {}: {}",
                Bytes(*requested_bytes),
                std::io::Error::from_raw_os_error(*errno)
            ),
            ErrorKind::UnknownWorkload { name, known } => {
                write!(f, "no workload is called '{name}'; there are {}", known.join(", "))
            }
            ErrorKind::Unsupported { what } => write!(f, "this platform has no {what}"),
        }
    }
}

fn over(
    f: &mut fmt::Formatter<'_>,
    requested: u64,
    used: u64,
    limit: u64,
    what: &str,
) -> fmt::Result {
    write!(
        f,
        "{} requested, but {} of {what} of {} is taken and {} remains",
        Bytes(requested),
        Bytes(used),
        Bytes(limit),
        Bytes(limit.saturating_sub(used)),
    )
}

impl std::error::Error for Error {}

/// A number of bytes, shown in binary units: `Bytes(1 << 20)` reads `1.0 MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        let mut value = self.0 as f64 / 1024.0;
        let mut unit = 0;
        while value >= 1023.95 && unit + 1 < UNITS.len() {
            value /= 1024.0;
            unit += 1;
        }
        write!(f, "{value:.1} {}", UNITS[unit])
    }
}
