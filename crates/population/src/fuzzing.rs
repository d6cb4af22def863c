//! Readers that are nobody's but the crate's, for the fuzzer.

use std::io::Cursor;
use std::sync::{Arc, LazyLock};

use populace_agent::models::{GridOptions, grid};
use populace_agent::{Answers, CompiledModel};
use populace_pool::{Limit, Pages, SharedResource};

use crate::chunk::{Chunk, ChunkLayout};
use crate::image::ImageHeader;
use crate::record::RecordLayout;
use crate::{Result, Settings};

/// The most agents of the images that are read.
const AGENTS: usize = 64;

/// The layout of a small grid's agents.
static LAYOUT: LazyLock<ChunkLayout> = LazyLock::new(|| {
    let memory: SharedResource = Arc::new(Pages);
    let options = GridOptions { side: 5, slip: 0.1, ..GridOptions::default() };
    let layout = grid(&options).map_err(crate::Error::from).and_then(|model| {
        let model = CompiledModel::<f32>::compile(&model, Answers::Actions, &memory)?;
        let record = RecordLayout::new(&model, &Settings::default(), None, false)?;
        Ok(ChunkLayout::new(record, model.num_actions(), 1, true))
    });
    match layout {
        Ok(Some(layout)) => layout,
        _ => unreachable!("a small grid has a layout"),
    }
});

/// Reads the image of a chunk of a small grid's agents, in twice its memory and a page an array.
///
/// # Errors
///
/// It is none.
pub fn read_image(bytes: &[u8]) -> Result<()> {
    let page_bytes = Pages::page_bytes() as u64;
    let most = (2 * bytes.len() as u64).next_multiple_of(page_bytes) + 3 * page_bytes;
    let memory: SharedResource = Arc::new(Limit::new(Pages, most, page_bytes));
    let mut from = Cursor::new(bytes);
    let mut header = ImageHeader::read(&LAYOUT, AGENTS, Some(bytes.len()), &mut from)?;
    let members = header.members(&memory, &mut from)?;
    let mut chunk = Chunk::unfilled(&LAYOUT, members, header.stream, &memory)?;
    header.fill(&LAYOUT, &mut chunk, &mut from)
}
