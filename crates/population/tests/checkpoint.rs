//! A resumed run is the uninterrupted one, and what is not a whole checkpoint is refused.
#![allow(clippy::unwrap_used)] // tests' helpers

mod scripted;

use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use populace_agent::models::{Builtin, GridOptions, grid};
use populace_agent::{Model, Precision};
use populace_population::{
    Belief, Checkpoint, CheckpointWriter, ErrorKind, Run, Settings, Simulation,
};

use scripted::{Dice, learning};

const STEPS: u64 = 9;

fn models() -> Vec<(&'static str, Model)> {
    let options = GridOptions { side: 12, ..GridOptions::default() };
    let slip = grid(&GridOptions { slip: 0.1, ..options.clone() }).unwrap();
    vec![
        ("grid", grid(&options).unwrap()),
        ("slip", slip),
        ("tmaze", Builtin::Tmaze.model().unwrap()),
        ("learning", learning()),
    ]
}

fn small(agents: u64) -> Settings {
    let budget_bytes = 32 << 20;
    Settings { agents, threads: 2, budget_bytes, checkpoint: true, ..Settings::default() }
}

fn begin(path: &Path, model: &Model, settings: &Settings) -> (Simulation, CheckpointWriter) {
    let simulation = Simulation::new(model, None, settings, STEPS, false).unwrap();
    let run = Run::new("a run", model, settings, STEPS);
    (simulation, CheckpointWriter::create(path, &run).unwrap())
}

fn open(path: &Path) -> Checkpoint {
    Checkpoint::open(path).unwrap().unwrap()
}

fn run_to_end(simulation: &mut Simulation) -> u64 {
    while simulation.ticks() < STEPS {
        simulation.tick().unwrap();
        assert_eq!(simulation.memory().total(), simulation.engine_bytes());
    }
    simulation.trajectory_hash()
}

#[test]
fn a_resumed_run_is_the_uninterrupted_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run");
    for (name, model) in models() {
        for belief in [Belief::Auto, Belief::Dense, Belief::Sparse] {
            for precision in [Precision::F32, Precision::F64] {
                let settings = Settings { belief, precision, ..small(150) };
                let (mut whole, mut writer) = begin(&path, &model, &settings);
                let expected = run_to_end(&mut whole);
                let mut first = Simulation::new(&model, None, &settings, STEPS, false).unwrap();
                let other = Settings { threads: 1, budget_bytes: 48 << 20, ..small(1) };
                for tick in 0..=STEPS {
                    writer.commit(&mut first).unwrap();
                    drop(writer);
                    let checkpoint = open(&path);
                    assert_eq!(checkpoint.ticks(), tick);
                    let mut again = checkpoint.resume(&other).unwrap();
                    let case = format!("{name} {belief:?} {precision:?} from tick {tick}");
                    assert_eq!(again.trajectory_hash(), first.trajectory_hash(), "{case}");
                    assert_eq!(run_to_end(&mut again), expected, "{case}");
                    assert_eq!(again.tiers(), whole.tiers(), "{case}");
                    writer = checkpoint.into_writer().unwrap();
                    if tick < STEPS {
                        first.tick().unwrap();
                    }
                }
            }
        }
    }
}

#[test]
fn a_checkpoint_says_what_it_is_of() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run");
    let model = Builtin::Tmaze.model().unwrap();
    let settings = Settings { seed: 7, precision: Precision::F64, ..small(20) };
    let (mut simulation, mut writer) = begin(&path, &model, &settings);
    // At once: a run that is killed before its first commit starts anew from its file.
    assert_eq!(
        Checkpoint::open(&path).map_err(|error| error.to_string()).err().unwrap_or_default(),
        format!("{}: is being written by another process", path.display())
    );
    simulation.tick().unwrap();
    writer.commit(&mut simulation).unwrap();
    drop(writer);
    let checkpoint = open(&path);
    assert_eq!((checkpoint.title(), checkpoint.agents(), checkpoint.seed()), ("a run", 20, 7));
    assert_eq!((checkpoint.steps(), checkpoint.ticks()), (STEPS, 1));
    assert_eq!((checkpoint.belief(), checkpoint.precision()), (Belief::Auto, Precision::F64));
    assert!(checkpoint.process().is_none());
    let bytes = |model: &Model| {
        let mut bytes = Vec::new();
        model.write(&mut bytes).unwrap();
        bytes
    };
    assert_eq!(bytes(checkpoint.model()), bytes(&model));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing beside it");
}

/// What opening answers for these bytes, which must stay as they are.
fn refusal(path: &Path, bytes: &[u8]) -> String {
    std::fs::write(path, bytes).unwrap();
    let error = Checkpoint::open(path).err().map(|error| {
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        error.to_string()
    });
    assert!(std::fs::read(path).unwrap() == bytes, "the file was touched");
    error.unwrap_or_default()
}

/// A run of one tick, committed in this directory and closed.
fn closed_in(directory: &Path) -> PathBuf {
    let path = directory.join("run");
    let (mut simulation, mut writer) = begin(&path, &models()[0].1, &small(50));
    simulation.tick().unwrap();
    writer.commit(&mut simulation).unwrap();
    path
}

#[test]
fn what_is_no_whole_checkpoint_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = closed_in(directory.path());
    let whole = std::fs::read(&path).unwrap();
    assert_eq!(refusal(&path, &whole), "");
    assert_eq!(refusal(&path, b""), "");
    assert!(Checkpoint::open(&path).unwrap().is_none(), "nothing was committed");
    assert!(refusal(&path, b"agents").ends_with("is not a checkpoint"));
    assert!(refusal(&path, &[0; 5000]).ends_with("is not a checkpoint"));
    for cut in [9, 100, 4096, whole.len() / 2, whole.len() - 4096, whole.len() - 1] {
        let message = refusal(&path, &whole[..cut]);
        let says = ["is damaged: it ends too early", "is damaged: its length is not what it was"];
        assert!(says.iter().any(|end| message.ends_with(end)), "cut to {cut}: {message}");
    }
    let database = redb::Database::create(directory.path().join("other")).unwrap();
    let write = database.begin_write().unwrap();
    write
        .open_table(redb::TableDefinition::<u64, u64>::new("squares"))
        .unwrap()
        .insert(2, 4)
        .unwrap();
    write.commit().unwrap();
    drop(database);
    let other = std::fs::read(directory.path().join("other")).unwrap();
    assert!(refusal(&path, &other).ends_with("is a redb store, but not a checkpoint"));
    let missing = Checkpoint::open(directory.path().join("missing")).err().unwrap();
    assert_eq!(missing.kind(), ErrorKind::Invalid);
    let nameless = Checkpoint::open("").err().unwrap().to_string();
    assert_eq!(nameless, "the path of a checkpoint is empty");
}

/// Any bit of a file may flip: then it is refused, or the bit meant nothing. Of a file that was not
/// closed, the last commit may be gone, as a killed process may have left a half of it.
#[test]
fn a_flipped_bit_is_found_or_means_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (path, left) = (directory.path().join("run"), directory.path().join("left"));
    let model = Builtin::Tmaze.model().unwrap();
    let (mut simulation, mut writer) = begin(&path, &model, &small(40));
    let mut hashes = vec![simulation.trajectory_hash()];
    for _ in 0..3 {
        simulation.tick().unwrap();
        hashes.push(simulation.trajectory_hash());
        writer.commit(&mut simulation).unwrap();
    }
    std::fs::copy(&path, &left).unwrap();
    drop(writer);
    let long = std::env::var_os("POPULACE_LONG").is_some();
    let trials = if long { 50_000 } else { 200 };
    for (path, first) in [(path, 3), (left, 2)] {
        let whole = std::fs::read(&path).unwrap();
        let mut dice = Dice(0);
        // Half of them where there is something at all, some of these in the header.
        let full: Vec<usize> = (0..whole.len()).filter(|&byte| whole[byte] != 0).collect();
        let (mut found, mut back) = (0, 0);
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        for trial in 0..trials {
            let byte = match trial % 4 {
                0 => dice.roll(320) as usize,
                1 => full[dice.roll(full.len() as u64) as usize],
                _ => dice.roll(whole.len() as u64) as usize,
            };
            let bit = 1 << dice.roll(8);
            put(&file, byte, whole[byte] ^ bit);
            let opened = Checkpoint::open(&path);
            put(&file, byte, whole[byte]);
            let resumed = opened.and_then(|opened| {
                let checkpoint = opened.expect("the run is there");
                assert_eq!((checkpoint.agents(), checkpoint.seed()), (40, 1));
                checkpoint.resume(&small(40))
            });
            match resumed {
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
                    found += 1;
                }
                Ok(again) => {
                    let tick = again.ticks() as usize;
                    assert!((first..=3).contains(&tick), "byte {byte}, bit {bit}: at {tick}");
                    assert_eq!(again.trajectory_hash(), hashes[tick], "byte {byte}, bit {bit}");
                    back += usize::from(tick < 3);
                }
            }
        }
        eprintln!("of {trials} flips {found} were refused and {back} cost the last commit");
        assert!((found + back) * 20 > trials, "{found} and {back} of {trials}");
        assert!(std::fs::read(&path).unwrap() == whole);
    }
}

fn put(mut file: &std::fs::File, at: usize, byte: u8) {
    file.seek(SeekFrom::Start(at as u64)).unwrap();
    file.write_all(&[byte]).unwrap();
}

#[test]
fn a_resumed_run_that_commits_is_nobody_elses() {
    let directory = tempfile::tempdir().unwrap();
    let path = closed_in(directory.path());
    let (one, other) = (open(&path), open(&path));
    let read = one.into_writer().err().unwrap().to_string();
    assert!(read.ends_with("another process is using it"), "{read}");
    let writer = other.into_writer().unwrap();
    let written = Checkpoint::open(&path).err().unwrap().to_string();
    assert!(written.ends_with("is being written by another process"), "{written}");
    drop(writer);
    open(&path);
}

#[test]
fn a_new_run_takes_the_place_of_an_old_one_with_its_first_commit() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run");
    let model = Builtin::Tmaze.model().unwrap();
    let (mut simulation, mut writer) = begin(&path, &model, &small(20));
    simulation.tick().unwrap();
    writer.commit(&mut simulation).unwrap();
    drop(writer);
    // A run that never commits leaves the old one.
    drop(begin(&path, &model, &small(30)));
    assert_eq!((open(&path).agents(), open(&path).ticks()), (20, 1));
    let (mut simulation, mut writer) = begin(&path, &model, &small(30));
    (0..2).for_each(|_| simulation.tick().unwrap());
    writer.commit(&mut simulation).unwrap();
    drop(writer);
    assert_eq!((open(&path).agents(), open(&path).ticks()), (30, 2));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing beside it");
    // What is no checkpoint is nobody's to replace.
    std::fs::write(&path, "a letter").unwrap();
    let settings = small(30);
    let run = Run::new("", &model, &settings, STEPS);
    let error = CheckpointWriter::create(&path, &run).err().unwrap();
    assert!(error.to_string().ends_with("is not a checkpoint"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"a letter");
}
