//! Whenever a process is killed or a machine loses its power, writing a checkpoint or going on from what
//! that has left: the last commit is there, or the one that was being made.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use populace_agent::models::{GridOptions, grid};
use populace_agent::{Model, Reals};

use super::{Checkpoint, CheckpointWriter, Run, open_in};
use crate::fault::instants::{Dice, Disk, Left, Written, so_many};
use crate::{Belief, Crowd, Settings};

/// How many agents there are at the commits of a crowd: its file grows, and shrinks again.
const AGENTS: [usize; 7] = [20, 30, 1200, 40, 40, 200, 10];

/// A crowd that is committed again and again.
struct Story {
    folder: tempfile::TempDir,
    model: Model,
    settings: Settings,
    /// Who was there at each commit, and what they believed.
    told: Vec<(Vec<u64>, Vec<Reals>)>,
}

/// Goes on by a tick, to the agents of a commit.
fn advance(crowd: &mut Crowd, commit: usize) {
    let (ids, wanted) = (crowd.ids(), AGENTS[commit]);
    match wanted.checked_sub(ids.len()) {
        Some(more) => drop(crowd.spawn(more as u64).unwrap()),
        None => crowd.retire(&ids[wanted..]).unwrap(),
    }
    let observations: Vec<i32> = crowd.ids().iter().map(|id| (id % 16) as i32).collect();
    crowd.step(&observations, &mut vec![0; wanted]).unwrap();
}

fn seen(crowd: &mut Crowd) -> (Vec<u64>, Vec<Reals>) {
    let ids = crowd.ids();
    let beliefs = crowd.beliefs(&ids).unwrap();
    (ids, beliefs)
}

fn opener(disk: &Disk) -> super::writer::Open {
    let open = disk.opener();
    Box::new(move |_| Ok(open_in(open())?))
}

impl Story {
    fn path(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// All of it, to its end.
    fn tell() -> (Self, Written) {
        let model = grid(&GridOptions { side: 12, slip: 0.1, ..GridOptions::default() }).unwrap();
        let settings = Settings {
            agents: AGENTS[0] as u64,
            threads: 1,
            budget_bytes: 64 << 20,
            belief: Belief::Dense,
            checkpoint: true,
            ..Settings::default()
        };
        let folder = tempfile::tempdir().unwrap();
        let mut story = Self { folder, model, settings, told: Vec::new() };
        let mut crowd = Crowd::new(&story.model, &story.settings).unwrap();
        let mut disk = Disk::new(Vec::new());
        let run = Run::of_crowd("", &story.model, &story.settings);
        let mut writer = CheckpointWriter::create_with(&story.path(), &run, opener(&disk)).unwrap();
        for commit in 0..AGENTS.len() {
            advance(&mut crowd, commit);
            story.told.push(seen(&mut crowd));
            writer.commit_crowd(&mut crowd).unwrap();
            disk.committed();
        }
        drop(writer);
        (story, disk.written())
    }

    /// What is left is one of these commits, whole; answers which.
    fn check(&self, left: &[u8], commits: &RangeInclusive<usize>) -> (Checkpoint, Crowd, usize) {
        std::fs::write(self.path(), left).unwrap();
        let checkpoint = Checkpoint::open(self.path()).unwrap().unwrap();
        let mut crowd = checkpoint.resume_crowd(&self.settings).unwrap();
        let commit = crowd.ticks() as usize - 1;
        assert!(commits.contains(&commit), "{commit} is none of {commits:?}");
        assert!(seen(&mut crowd) == self.told[commit], "another crowd");
        (checkpoint, crowd, commit)
    }

    /// Goes on from what is left, to the next commit if there is one. The first commit of what is
    /// written is the one that was there, which is answered.
    fn go_on(&self, (left, commits): Left) -> (Written, usize) {
        let (checkpoint, mut crowd, commit) = self.check(&left, &commits);
        let mut disk = Disk::new(left);
        let header = checkpoint.header.clone();
        drop(checkpoint);
        let mut writer =
            CheckpointWriter::reopen_with(&self.path(), header, opener(&disk)).unwrap();
        disk.committed();
        if commit + 1 < AGENTS.len() {
            advance(&mut crowd, commit + 1);
            writer.commit_crowd(&mut crowd).unwrap();
            disk.committed();
        }
        drop(writer);
        (disk.written(), commit)
    }
}

fn after(commit: usize, commits: &RangeInclusive<usize>) -> RangeInclusive<usize> {
    commit + commits.start()..=commit + commits.end()
}

/// Whoever resumes a killed run has its file repaired first, and may be killed at that, too.
#[test]
fn killed_at_any_instant_or_when_it_is_resumed_a_run_is_there() {
    let (story, written) = Story::tell();
    let instants = (written.first_commit()..=written.changes()).step_by(so_many(13, 1));
    let (mut killed, mut twice) = (0, 0);
    for left in written.killed(instants) {
        let (again, commit) = story.go_on(left);
        for (left, commits) in again.killed(0..=again.first_commit()) {
            story.check(&left, &after(commit, &commits));
            twice += 1;
        }
        killed += 1;
    }
    eprintln!("killed at {killed} instants, and then at {twice} more");
}

#[test]
fn whatever_a_machine_without_power_leaves_a_run_is_there() {
    let (story, written) = Story::tell();
    let mut losses = 0;
    written.without_power(so_many(16, 1000), &mut Dice(0), |(left, commits)| {
        story.check(&left, &commits);
        losses += 1;
    });
    eprintln!("lost power {losses} times");
}

#[test]
fn killed_and_without_power_again_and_again_a_run_is_there() {
    let (story, told) = Story::tell();
    let mut dice = Dice(0);
    for _ in 0..so_many(20, 1000) {
        let instant = told.first_commit() + dice.roll(told.changes() - told.first_commit() + 1);
        let mut left = told.killed([instant]).next().unwrap();
        for _ in 0..8 {
            let (again, commit) = story.go_on(left);
            let (file, commits) = if dice.roll(2) == 0 {
                let mut any = Vec::new();
                again.without_power(1, &mut dice, |left| any.push(left));
                any.swap_remove(dice.roll(any.len()))
            } else {
                again.killed([dice.roll(again.changes() + 1)]).next().unwrap()
            };
            left = (file, after(commit, &commits));
        }
    }
}
