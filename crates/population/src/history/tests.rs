//! Blocks come back as they went in, and damaged ones are refused.

use std::sync::Arc;

use populace_pool::{Pages, SharedResource};
use proptest::prelude::*;

use super::block::{HEADER_BYTES, Header};
use super::planes::{Planes, Spot, put_rows};
use super::{Block, Codec, Past, Reader, Row, Writer};

/// What agents did: by tick, agent, number.
type Rows = Vec<Vec<Vec<u32>>>;

fn memory() -> SharedResource {
    Arc::new(Pages)
}

fn row() -> Row {
    Row::new(&[400, 2, 1], &[3, 5], None).unwrap()
}

/// A block of the rows, by planes that have room for more.
fn block(codec: Codec, rows: &Rows, spare: usize) -> Vec<u8> {
    let (row, agents, room) = (row(), rows[0].len(), rows.len() + spare);
    let mut words = vec![0; (room * agents * row.bits()).div_ceil(64)];
    let mut column = vec![0; agents];
    for (tick, rows) in rows.iter().enumerate() {
        // In two parts, as two chunks would.
        for (agent, rows) in [(0, &rows[..agents / 3]), (agents / 3, &rows[agents / 3..])] {
            let spot = Spot { room, agents, tick, agent };
            put_rows(&row, &mut words, spot, &mut column[..rows.len()], |place, numbers| {
                numbers.iter_mut().zip(rows).for_each(|(number, row)| *number = row[place]);
            });
        }
    }
    let planes = Planes { words: &words, room, ticks: rows.len(), agents, differences: false };
    let most = (rows.len() * agents * row.bits()).div_ceil(8);
    let mut writer = Writer::new(&row, codec, agents, most, &memory()).unwrap();
    writer.block(&row, planes, 1000, 50).to_vec()
}

fn read(bytes: &[u8], agent: u64, ticks: std::ops::Range<u64>) -> crate::Result<Past> {
    let mut past = Past::default();
    let block = Block::parse(bytes)?;
    Reader::new(1 << 16, &memory())?.append(&block, &row(), agent, ticks, &mut past)?;
    Ok(past)
}

fn rows(agents: impl Strategy<Value = usize>) -> impl Strategy<Value = Rows> {
    let one =
        (0_u32..=400, 0_u32..=2, 0_u32..=1, 0_u32..=15).prop_map(|(a, b, c, d)| vec![a, b, c, d]);
    (agents, 1_usize..12).prop_flat_map(move |(agents, ticks)| {
        prop::collection::vec(prop::collection::vec(one.clone(), agents), ticks)
    })
}

proptest! {
    #[test]
    fn what_went_in_comes_out(
        rows in rows(1_usize..150),
        codec in prop::sample::select(Codec::ALL.to_vec()),
        spare in 0_usize..5,
        from in 995_u64..1015,
        length in 0_u64..15,
    ) {
        let agents = rows[0].len();
        let bytes = block(codec, &rows, spare);
        let raw = rows.len() * agents * row().raw_bytes();
        prop_assert!(bytes.len() <= raw + raw / 100 + HEADER_BYTES);
        for place in [0, agents / 2, agents - 1] {
            let agent = 50 + place as u64;
            let past = read(&bytes, agent, from..from + length).unwrap();
            let mut expected = Past::default();
            for (tick, rows) in (1000..).zip(&rows) {
                let numbers = &rows[place];
                if (from..from + length).contains(&tick) && numbers[3] > 0 {
                    expected.ticks.push(tick);
                    expected.observations.extend(numbers[..3].iter().map(|&n| n as i32 - 1));
                    let action = numbers[3] as i32 - 1;
                    expected.actions.extend([action / 5, action % 5]);
                }
            }
            prop_assert_eq!(past, expected);
        }
        prop_assert_eq!(read(&bytes, 49, 0..u64::MAX).unwrap(), Past::default());
    }

    #[test]
    fn bytes_that_are_sealed_but_senseless_are_no_panic(
        rows in rows(1_usize..40),
        codec in prop::sample::select(Codec::ALL.to_vec()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
        header in prop::option::of((0_u32..70, 0_u32..70, 0_u64..3000)),
    ) {
        let mut bytes = block(codec, &rows, 0);
        let body = bytes.len() - HEADER_BYTES;
        bytes.truncate(HEADER_BYTES + cut.index(body + 1));
        for (at, change) in changes {
            let len = bytes.len();
            bytes[at.index(len)] ^= change;
        }
        // What a damaged header would be refused for is said of the true one.
        if let Some(mut found) = Header::read(&bytes) {
            if let Some((ticks, agents, first_tick)) = header {
                found = Header { ticks, agents, first_tick, ..found };
            }
            found.seal(&mut bytes);
        }
        if let Ok(block) = Block::parse(&bytes) {
            let agents = u64::from(block.agents());
            for agent in [50, block.header.first_agent, 50 + agents] {
                if let Ok(past) = read(&bytes, agent, 0..u64::MAX) {
                    prop_assert!(past.ticks.len() as u64 <= block.ticks().end - block.ticks().start);
                }
            }
        }
    }
}

#[test]
fn every_flipped_bit_and_every_missing_byte_is_found() {
    for codec in Codec::ALL {
        let rows: Rows = (0..9_u32)
            .map(|tick| (0..40).map(|agent| vec![agent * 9 + tick, 1, 0, 1 + tick % 15]).collect())
            .collect();
        let mut bytes = block(codec, &rows, 0);
        Block::parse(&bytes).unwrap();
        for bit in 0..8 * bytes.len() {
            bytes[bit / 8] ^= 1 << (bit % 8);
            Block::parse(&bytes).expect_err("a flipped bit");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        for length in 0..bytes.len() {
            Block::parse(&bytes[..length]).expect_err("a missing byte");
        }
    }
}

#[test]
fn a_reader_says_what_is_wrong() {
    let rows = vec![vec![vec![7, 1, 0, 3]; 8]; 6];
    let bytes = block(Codec::Zstd, &rows, 0);
    let parsed = Block::parse(&bytes).unwrap();
    let mut reader = Reader::new(40, &memory()).unwrap();
    let mut append = |row: &Row| {
        let result = reader.append(&parsed, row, 50, 0..2000, &mut Past::default());
        result.unwrap_err().to_string()
    };
    assert_eq!(append(&row()), "history block: its body has 96 bytes, and there is room for 40");
    assert_eq!(
        append(&Row::new(&[2], &[2], None).unwrap()),
        "history block: its rows have 16 bits, and the model's 4"
    );
    let mut newer = bytes.clone();
    newer[0] = 2;
    let error = Block::parse(&newer).unwrap_err().to_string();
    assert_eq!(error, "history block: version 2, and this build reads 1");
}

/// What the fuzzer starts from; written to the directory `POPULACE_BLOCKS` where that is set.
#[test]
fn seeds_of_the_fuzzer_are_blocks() {
    let to = std::env::var_os("POPULACE_BLOCKS").map(std::path::PathBuf::from);
    let row = Row::new(&[400], &[5], None).unwrap();
    for codec in Codec::ALL {
        let mut words = vec![0; (40 * 3 * row.bits()).div_ceil(64)];
        for tick in 0..40 {
            let spot = Spot { room: 40, agents: 3, tick, agent: 0 };
            put_rows(&row, &mut words, spot, &mut [0; 3], |_, numbers| {
                numbers.iter_mut().zip(1..).for_each(|(number, n)| *number = n);
            });
        }
        let planes = Planes { words: &words, room: 40, ticks: 40, agents: 3, differences: false };
        let mut writer = Writer::new(&row, codec, 3, 1 << 10, &memory()).unwrap();
        let block = writer.block(&row, planes, 9, 20);
        let parsed = Block::parse(block).unwrap();
        assert_eq!(parsed.codec(), codec, "it is worth compressing");
        let mut past = Past::default();
        let mut reader = Reader::new(1 << 10, &memory()).unwrap();
        reader.append(&parsed, &row, 22, 0..11, &mut past).unwrap();
        assert_eq!((past.ticks, past.observations), (vec![9, 10], vec![2; 2]));
        if let Some(directory) = &to {
            std::fs::write(directory.join(format!("{codec:?}")), block).unwrap();
        }
    }
}
