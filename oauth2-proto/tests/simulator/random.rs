//! Random events in larger worlds: more processes, more logins, longer leases, worse clocks.

use super::dice::Dice;
use super::event::{Event, Fate, Luck};
use super::explore::Found;
use super::history::Memory;
use super::oracle::Violation;
use super::server::Manners;
use super::worker::Doing;
use super::world::{Setting, World, client};

/// What is different from a world that keeps its promises.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Breach {
    pub(crate) versions_come_back: bool,
    pub(crate) hosts_ignore_time_outs: bool,
}

/// One run. The seed decides everything.
pub(crate) fn run(seed: u64, breach: Breach) -> Result<(), Found> {
    let mut dice = Dice::new(seed);
    let (setting, lease) = setting(&mut dice, breach);
    let mut memory = Memory::new(client(lease), false);
    let mut world = World::new(&setting, &memory);
    world.trace = Some(vec![format!("seed {seed}: lease {lease} s, {setting:?}")]);
    let found = |violation: Violation, world: &mut World| {
        let trace = world.trace.take().unwrap_or_default();
        Found { violation, trace }
    };
    let turns = 40 + dice.below(200);
    for _ in 0..turns {
        let Some(event) = choose(&world, &mut dice) else { continue };
        if let Err(violation) = world.apply(event, &mut memory) {
            return Err(found(violation, &mut world));
        }
    }
    world.recover(&mut memory).map_err(|violation| found(violation, &mut world))
}

fn setting(dice: &mut Dice, breach: Breach) -> (Setting, u64) {
    let lease = *dice.pick(&[3, 6, 12, 30]);
    let keys = 1 + dice.below(3);
    let count = 2 + dice.below(7);
    let exact = dice.once_in(2);
    let workers = (0..count).map(|worker| {
        let key = usize::try_from(worker % keys).unwrap_or(0);
        // By less than the margin, which is a sixth of the lease.
        let rate = if exact { 1000 } else { *dice.pick(&[880, 930, 1000, 1060, 1120]) };
        let offset = *dice.pick(&[0, 0, 0, 2, -3, 40, -40, 3600, -86_400]);
        (key, rate, offset, 0)
    });
    let workers = workers.collect();
    let manners = Manners {
        lifetime: *dice.pick(&[15, 100, 100, 3600]),
        rotates: !dice.once_in(5),
        detects_reuse: !dice.once_in(4),
        grace: *dice.pick(&[0, 0, 0, 10_000]),
    };
    let patience = *dice.pick(&[1000, 5000, 20_000, 60_000]);
    let Breach { versions_come_back, hosts_ignore_time_outs } = breach;
    let seed = dice.next();
    let setting =
        Setting { manners, workers, patience, seed, versions_come_back, hosts_ignore_time_outs };
    (setting, lease)
}

/// What happens next. Faults are rare, so that something can go wrong that went well before.
fn choose(world: &World, dice: &mut Dice) -> Option<Event> {
    if dice.once_in(7) {
        return rare(world, dice);
    }
    let who = usize::try_from(dice.below(u64::try_from(world.workers.len()).ok()?)).ok()?;
    let worker = &world.workers[who];
    let stopped = world.workers.iter().position(|worker| worker.stopped);
    if worker.stopped {
        return dice.once_in(3).then(|| Event::Continue(who, dice.once_in(2)));
    }
    match worker.doing {
        Doing::Load | Doing::Swap { .. } => Some(Event::Store(who, Luck::Well)),
        Doing::Flight(flight) => match (&world.flights[flight].came, dice.below(3)) {
            (None, 0) => Some(Event::Exchange(flight, Fate::Served)),
            (None, 1) => Some(Event::Arrive(flight, Fate::Served)),
            (Some(_), 0 | 1) => Some(Event::Return(flight)),
            _ => advance(world, dice),
        },
        Doing::Nothing if worker.caller.is_none() => match dice.below(24) {
            0 => Some(Event::Refresh(who)),
            1 => Some(Event::Challenge(who)),
            2..=8 => Some(Event::Ask(who)),
            _ => advance(world, dice),
        },
        Doing::Nothing | Doing::Heard(_) => {
            if stopped.is_some() && dice.once_in(8) {
                return stopped.map(|who| Event::Continue(who, dice.once_in(2)));
            }
            advance(world, dice)
        }
    }
}

/// A store that works answers at once: then nothing else takes time.
fn advance(world: &World, dice: &mut Dice) -> Option<Event> {
    let calls = |doing: &Doing| matches!(doing, Doing::Load | Doing::Swap { .. });
    let call = world.workers.iter().position(|it| it.is_awake() && calls(&it.doing));
    if let Some(who) = call {
        return Some(Event::Store(who, Luck::Well));
    }
    match (world.next_moment(), dice.below(4)) {
        (Some(_), 0..=2) => Some(Event::Advance),
        (Some(most), _) => Some(Event::Pass(1 + dice.below(most))),
        (None, 0) => Some(Event::Pass(dice.below(40_000))),
        (None, _) => Some(Event::Pass(dice.below(2000))),
    }
}

fn rare(world: &World, dice: &mut Dice) -> Option<Event> {
    let who = usize::try_from(dice.below(u64::try_from(world.workers.len()).ok()?)).ok()?;
    let worker = &world.workers[who];
    let holds = worker.process.state.as_ref().is_some_and(|state| state.reason.is_none());
    let orphan = world.flights.iter().position(|flight| flight.came.is_none() && flight.is_over);
    match dice.below(26) {
        0 if !worker.stopped => Some(Event::Stop(who)),
        1 if !worker.stopped => Some(Event::Sleep(who)),
        2 | 3 if !worker.stopped => Some(Event::Crash(who)),
        4 => Some(Event::Jump(who, *dice.pick(&[40, -40, 2, -2, 3600, -3600]))),
        5 if holds && !worker.stopped && dice.once_in(3) => Some(Event::SignOut(who)),
        6 if dice.once_in(4) && !worker.stopped => Some(Event::LogIn(who)),
        7 if dice.once_in(4) => Some(Event::Delete(worker.key)),
        8 if dice.once_in(3) => Some(Event::End(worker.key)),
        9 if dice.once_in(2) => Some(Event::Outage(*dice.pick(&[500, 3000, 20_000, 60_000]))),
        10 if !world.ghosts.is_empty() => Some(Event::Ghost(0)),
        11 | 12 => orphan.map(|flight| Event::Arrive(flight, Fate::Served)),
        13..=18 if !worker.stopped => match worker.doing {
            Doing::Load => Some(Event::Store(who, Luck::Undone)),
            Doing::Swap { .. } => {
                let lucks = [
                    Luck::Undone,
                    Luck::Done,
                    Luck::Later,
                    Luck::DoneThenStopped,
                    Luck::DoneThenSlept,
                ];
                Some(Event::Store(who, *dice.pick(&lucks)))
            }
            _ => None,
        },
        19..=25 if !worker.stopped => match worker.doing {
            Doing::Flight(flight) if world.flights[flight].came.is_some() => {
                Some(Event::Break(flight))
            }
            Doing::Flight(flight) => {
                let fate = *dice.pick(&[Fate::Down, Fate::Gateway, Fate::Garbage]);
                let events = [
                    Event::Exchange(flight, fate),
                    Event::Break(flight),
                    Event::ServedThenBreak(flight),
                    Event::NeverLeft(flight),
                    Event::ServedThenStop(who),
                    Event::ServedThenCrash(who),
                ];
                Some(*dice.pick(&events))
            }
            _ => None,
        },
        _ => None,
    }
}
