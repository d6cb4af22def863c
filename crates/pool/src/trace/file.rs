//! A trace as bytes.
//!
//! ```text
//! file      = "POPTRACE", version (u32, little-endian; 1), record*, end
//! record    = 1, size (varint), log2 of the alignment (u8)    an allocation
//!           | 2, number of the allocation (varint)             its end
//! end       = 0, number of records (varint), FNV-1a of all bytes before it (u64, little-endian)
//! ```
//!
//! A varint holds seven bits a byte, lowest first, the top bit set on all but the last. A file without
//! its end was cut off, and one whose sum differs is damaged: both are refused.

use std::alloc::Layout;
use std::io::{self, Read, Write};
use std::path::Path;

use super::{Trace, TraceOperation};
use crate::{Error, ErrorKind, Result};

const MAGIC: &[u8; 8] = b"POPTRACE";
const VERSION: u32 = 1;
const END: u8 = 0;
const ALLOCATE: u8 = 1;
const FREE: u8 = 2;

impl Trace {
    /// The trace as a file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(16 + self.operations.len() * 4);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        for operation in &self.operations {
            match operation {
                TraceOperation::Allocate { layout } => {
                    bytes.push(ALLOCATE);
                    push_varint(&mut bytes, layout.size() as u64);
                    bytes.push(layout.align().trailing_zeros() as u8);
                }
                TraceOperation::Free { number } => {
                    bytes.push(FREE);
                    push_varint(&mut bytes, *number);
                }
            }
        }
        bytes.push(END);
        push_varint(&mut bytes, self.operations.len() as u64);
        let sum = fnv(&bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Reads a file's bytes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BadTrace`] names the byte where it stops making sense.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader { bytes, offset: 0 };
        if reader.take(MAGIC.len()) != Some(MAGIC) {
            return Err(bad(0, "it does not begin with POPTRACE"));
        }
        match reader.u32() {
            Some(VERSION) => {}
            Some(version) => {
                let problem = format!("version {version}; this build reads version {VERSION}");
                return Err(bad(8, problem));
            }
            None => return Err(reader.cut()),
        }
        let mut trace = Self::default();
        let mut live = Vec::new();
        loop {
            let start = reader.offset;
            match reader.byte() {
                Some(ALLOCATE) => {
                    let size = reader.varint()?;
                    let log = reader.byte().ok_or_else(|| reader.cut())?;
                    let align = 1_usize.checked_shl(u32::from(log)).unwrap_or(0);
                    let layout = usize::try_from(size)
                        .ok()
                        .and_then(|size| Layout::from_size_align(size, align).ok())
                        .filter(|layout| layout.size() > 0)
                        .ok_or_else(|| {
                            bad(start, format!("no block has {size} bytes aligned to 2^{log}"))
                        })?;
                    trace.push_allocate(layout);
                    live.push(true);
                }
                Some(FREE) => {
                    let number = reader.varint()?;
                    let live = usize::try_from(number).ok().and_then(|at| live.get_mut(at));
                    if !live.is_some_and(std::mem::take) {
                        let problem = format!("allocation {number} is freed, but is not live");
                        return Err(bad(start, problem));
                    }
                    trace.push(TraceOperation::Free { number });
                }
                Some(END) => {
                    let count = reader.varint()?;
                    let sum = fnv(&bytes[..reader.offset]);
                    let stored = reader.take(8).ok_or_else(|| reader.cut())?;
                    if count != trace.operations.len() as u64 || stored != sum.to_le_bytes() {
                        return Err(bad(start, "its count or its checksum does not match"));
                    }
                    if reader.offset != bytes.len() {
                        return Err(bad(reader.offset, "something follows its end"));
                    }
                    return Ok(trace);
                }
                Some(tag) => return Err(bad(start, format!("{tag} is no kind of record"))),
                None => return Err(reader.cut()),
            }
        }
    }

    /// Writes the trace to a file.
    ///
    /// # Errors
    ///
    /// What the file system answers.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        std::fs::File::create(path)?.write_all(&self.to_bytes())
    }

    /// Reads a trace from a file.
    ///
    /// # Errors
    ///
    /// What the file system answers, or an [`Error`] as [`io::ErrorKind::InvalidData`].
    pub fn read(path: &Path) -> io::Result<Self> {
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.read_to_end(&mut bytes)?;
        Self::from_bytes(&bytes).map_err(|error| {
            let message = format!("{}: {error}", path.display());
            io::Error::new(io::ErrorKind::InvalidData, message)
        })
    }
}

fn bad(offset: usize, problem: impl Into<String>) -> Error {
    Error::new(ErrorKind::BadTrace { offset_bytes: offset as u64, problem: problem.into() })
}

fn push_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, &byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    fn cut(&self) -> Error {
        bad(self.offset, "it was cut off here")
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let bytes = self.bytes.get(self.offset..)?.get(..count)?;
        self.offset += count;
        Some(bytes)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    fn varint(&mut self) -> Result<u64> {
        let start = self.offset;
        let mut value = 0_u64;
        for shift in (0..).step_by(7) {
            let byte = self.byte().ok_or_else(|| self.cut())?;
            let bits = u64::from(byte & 0x7f);
            if shift > 63 || (shift == 63 && bits > 1) {
                return Err(bad(start, "a number has more than 64 bits"));
            }
            value |= bits << shift;
            if byte < 0x80 {
                break;
            }
        }
        Ok(value)
    }
}
