//! What an agent has been through: the part of its record that follows its beliefs.
//!
//! ```text
//! mask      which arrays were updated, and which blocks of counts are the agent's own (its bits are
//!           the compiled model's), padded to whole numbers
//! counts    the blocks that are its own, one after another
//! ```
//!
//! Copy-on-write: a block that an agent never learnt from is not there, and read from the counts that
//! all share. So the part is as long as its own mask says, at most as long as all counts; a model
//! that learns nothing has none of it.

use populace_agent::CompiledModel;

use crate::record::Number;

/// How experience is laid out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Experience {
    mask_bytes: usize,
    /// Of the mask, padded.
    header_bytes: usize,
    block_bytes: Vec<usize>,
}

impl Experience {
    pub(crate) fn new<T: Number>(model: &CompiledModel<T>) -> Self {
        let (_, blocks) = model.shared_counts();
        let mask_bytes = model.mask_bytes();
        Self {
            mask_bytes,
            header_bytes: mask_bytes.next_multiple_of(size_of::<T>()),
            block_bytes: blocks.iter().map(|block| block.len() * size_of::<T>()).collect(),
        }
    }

    /// Whether agents have none.
    pub(crate) fn is_empty(&self) -> bool {
        self.header_bytes == 0
    }

    /// The most bytes that it takes.
    pub(crate) fn most_bytes(&self) -> usize {
        self.header_bytes + self.block_bytes.iter().sum::<usize>()
    }

    /// The bytes of the experience that starts with `part`.
    pub(crate) fn bytes<T: Number>(&self, part: &[u8]) -> usize {
        if self.is_empty() {
            return 0;
        }
        let mask = self.mask(part);
        let own = self.block_bytes.iter().enumerate();
        let own = own.filter(|&(block, _)| CompiledModel::<T>::owns(mask, block));
        self.header_bytes + own.map(|(_, &bytes)| bytes).sum::<usize>()
    }

    /// The mask of the experience that starts with `part`.
    pub(crate) fn mask<'a>(&self, part: &'a [u8]) -> &'a [u8] {
        &part[..self.mask_bytes]
    }

    /// Writes a mask; answers where the counts start.
    pub(crate) fn write_mask(&self, mask: &[u8], part: &mut [u8]) -> usize {
        part[..self.mask_bytes].copy_from_slice(mask);
        part[self.mask_bytes..self.header_bytes].fill(0);
        self.header_bytes
    }

    /// Where the counts start.
    pub(crate) fn counts_start(&self) -> usize {
        self.header_bytes
    }
}
