//! The one thread that writes: it takes up what is queued and commits it as a group.
//!
//! Separate because no task of a runtime may ever wait for an `fsync`.

use std::error::Error;

use bytes::Bytes;
use mainstay_keys::PublicKey;
use tokio::sync::{mpsc, oneshot};

use super::engine::{Engine, Epoch, Unwritten};
use super::error::CacheFault;
use super::status::Writing;
use super::{Durability, Shared, apply};
use crate::cache::{Cached, Put};

/// How many commands one commit carries at most.
const GROUP: usize = 256;

/// How often a group is tried when the engine says that it has mended the cause.
const TRIES: usize = 8;

/// What the writer is asked for.
#[derive(Debug)]
pub(super) enum Command {
    Put {
        incoming: Cached,
        answer: Option<oneshot::Sender<Result<Put, CacheFault>>>,
    },
    /// Removes a record, if it still is this one.
    Forget {
        key: PublicKey,
        record: Bytes,
    },
}

impl Command {
    fn answer(&mut self, result: Result<Put, CacheFault>) {
        if let Self::Put { answer, .. } = self
            && let Some(answer) = answer.take()
        {
            // Whoever asked may have gone; the packet is stored all the same.
            let _ = answer.send(result);
        }
    }
}

/// Writes until the cache is dropped and its queue is empty.
pub(super) fn run<E: Engine>(shared: &Shared<E>, mut commands: mpsc::Receiver<Command>) {
    let mut group = Vec::with_capacity(GROUP);
    while commands.blocking_recv_many(&mut group, GROUP) > 0 {
        if shared.counters.writing() == Writing::Stopped {
            fail(shared, &mut group, None);
        } else {
            write(shared, &mut group);
        }
        group.clear();
    }
}

fn write<E: Engine>(shared: &Shared<E>, group: &mut [Command]) {
    let mut tries = 0;
    loop {
        let (lost, failure) = match commit(shared, group) {
            Ok(()) => return,
            Err(Unwritten::Before(failure)) => (false, failure),
            Err(Unwritten::Commit(failure)) => (true, failure),
        };
        tries += 1;
        if tries < TRIES && shared.engine.mend(&failure) {
            continue;
        }
        let fault = failure.into_fault();
        // A write that the disk lost may look written when it is read back.
        let is_fatal = lost && !matches!(fault, CacheFault::DiskFull(_));
        let writing = if is_fatal { Writing::Stopped } else { Writing::Failing };
        shared.counters.set_writing(writing);
        tracing::warn!(error = &fault as &dyn Error, ?writing, "the cache did not take packets");
        return fail(shared, group, Some(fault));
    }
}

/// Tells everybody in the group that nothing was written.
fn fail<E>(shared: &Shared<E>, group: &mut [Command], mut first: Option<CacheFault>) {
    for command in group {
        if let Command::Put { .. } = command {
            shared.counters.failed_writes.add(1);
        }
        let again = first.as_ref().map_or(CacheFault::Stopped, CacheFault::again);
        let fault = first.replace(again);
        command.answer(Err(fault.unwrap_or(CacheFault::Stopped)));
    }
}

/// Writes a group, and answers it.
fn commit<E: Engine>(shared: &Shared<E>, group: &mut [Command]) -> Result<(), Unwritten> {
    let ((done, puts), epoch) = shared.engine.write(|batch| {
        let mut done = Done::default();
        let mut puts = Vec::with_capacity(group.len());
        for command in &*group {
            puts.push(match command {
                Command::Put { incoming, .. } => {
                    Some(apply::put(shared, batch, incoming, &mut done)?)
                }
                Command::Forget { key, record } => {
                    apply::forget(batch, key, record, &mut done)?;
                    None
                }
            });
        }
        if shared.options.durability == Durability::Soon {
            done.show(shared, Epoch::NONE);
            answer(group, &puts);
        }
        Ok((done, puts))
    })?;
    done.show(shared, epoch);
    if done.damaged > 0 {
        shared.engine.doubt();
    }
    shared.counters.commits.add(1);
    shared.counters.evicted.add(done.evicted);
    shared.counters.damaged.add(done.damaged);
    shared.counters.set_writing(Writing::Works);
    answer(group, &puts);
    Ok(())
}

fn answer(group: &mut [Command], puts: &[Option<Put>]) {
    for (command, put) in group.iter_mut().zip(puts) {
        if let Some(put) = put {
            command.answer(Ok(put.clone()));
        }
    }
}

/// What a batch has done so far; true once it is committed.
#[derive(Default)]
pub(super) struct Done {
    pub(super) stored: Vec<Cached>,
    pub(super) evicted: u64,
    pub(super) damaged: u64,
}

impl Done {
    /// What stands on disk in this epoch is at hand from now on.
    fn show<E>(&self, shared: &Shared<E>, epoch: Epoch) {
        for cached in &self.stored {
            shared.known.note(&cached.packet);
            shared.front.note(&cached.packet.public_key(), cached.clone(), epoch);
        }
    }
}
