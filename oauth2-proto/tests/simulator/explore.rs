//! Every order of events within a budget of faults, each state once.

use core::hash::{Hash, Hasher};
use std::collections::HashSet;
use std::hash::DefaultHasher;
use std::rc::Rc;

use super::event::{Event, Fate, Luck};
use super::history::Memory;
use super::oracle::Violation;
use super::worker::{Doing, Flight};
use super::world::{Setting, World, client};

/// How far it goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) faults: u32,
    pub(crate) leases: u32,
    /// Things that people do, each at most once: sign out, log in anew, delete, refuse a token.
    pub(crate) deeds: Deeds,
    /// Seconds.
    pub(crate) lease: u64,
    /// Machines neither stop nor sleep, and nobody sets their clocks.
    pub(crate) few_kinds: bool,
    /// Instead of all other faults, the store answers nobody for one of these times, in milliseconds.
    pub(crate) outages: &'static [u64],
}

#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Deeds {
    pub(crate) signs_out: bool,
    pub(crate) logs_in: bool,
    pub(crate) deletes: bool,
    pub(crate) challenges: bool,
    pub(crate) refreshes: bool,
}

impl Deeds {
    pub(crate) const fn none() -> Self {
        Self {
            signs_out: false,
            logs_in: false,
            deletes: false,
            challenges: false,
            refreshes: false,
        }
    }
}

/// What it has seen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) states: usize,
    pub(crate) events: usize,
    pub(crate) ends: usize,
}

/// How a state was reached.
enum Path {
    Start,
    After(Rc<Self>, Event),
}

struct Node {
    world: World,
    path: Rc<Path>,
    faults: u32,
    deeds: Deeds,
}

/// A violation, and what had happened.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) violation: Violation,
    pub(crate) trace: Vec<String>,
}

pub(crate) fn explore(setting: &Setting, budget: Budget) -> Result<Seen, (Found, Seen)> {
    let mut memory = Memory::new(client(budget.lease), true);
    let mut start = World::new(setting, &memory);
    let mut seen = Seen::default();
    let mut known = HashSet::new();
    for who in 0..start.workers.len() {
        if let Err(violation) = start.apply(Event::Ask(who), &mut memory) {
            return Err((Found { violation, trace: Vec::new() }, seen));
        }
    }
    let mut nodes = vec![Node {
        world: start,
        path: Rc::new(Path::Start),
        faults: budget.faults,
        deeds: budget.deeds,
    }];

    while let Some(node) = nodes.pop() {
        let mut events = events(&node, budget);
        events.retain(|event| !(budget.few_kinds && event.is_of_the_machine()));
        if !budget.outages.is_empty() {
            events.retain(|event| !event.is_fault());
            if node.faults > 0 && is_news(&node.world) {
                let outages = budget.outages.iter();
                events.splice(..0, outages.map(|outage| Event::Outage(*outage)));
            }
        }
        let mut node = Some(node);
        let Some((last, others)) = events.split_last() else {
            let Some(mut node) = node.take() else { continue };
            seen.ends += 1;
            if let Err(violation) = node.world.recover(&mut memory) {
                let trace = retrace(setting, budget, &node.path);
                return Err((Found { violation, trace }, seen));
            }
            continue;
        };
        for event in others.iter().chain([last]) {
            // The last branch goes on with the coordinators that there are.
            let is_last = core::ptr::eq(event, last);
            let Some(mut next) = (if is_last { node.take() } else { node.as_ref().map(copy) })
            else {
                continue;
            };
            seen.events += 1;
            next.path = Rc::new(Path::After(Rc::clone(&next.path), *event));
            next.faults -= u32::from(event.is_fault());
            spend(&mut next.deeds, *event);
            if let Err(violation) = next.world.apply(*event, &mut memory) {
                let trace = retrace(setting, budget, &next.path);
                return Err((Found { violation, trace }, seen));
            }
            let mut hasher = DefaultHasher::new();
            (&next.world, next.faults, next.deeds).hash(&mut hasher);
            if known.insert(hasher.finish()) {
                seen.states += 1;
                nodes.push(next);
            }
        }
    }
    Ok(seen)
}

fn copy(node: &Node) -> Node {
    let (world, path) = (node.world.clone(), Rc::clone(&node.path));
    Node { world, path, faults: node.faults, deeds: node.deeds }
}

const fn spend(deeds: &mut Deeds, event: Event) {
    match event {
        Event::SignOut(_) => deeds.signs_out = false,
        Event::LogIn(_) => deeds.logs_in = false,
        Event::Delete(_) => deeds.deletes = false,
        Event::Challenge(_) => deeds.challenges = false,
        Event::Refresh(_) => deeds.refreshes = false,
        _ => {}
    }
}

/// What can happen next. What commutes with everything else is not tried in every order.
fn events(node: &Node, budget: Budget) -> Vec<Event> {
    let world = &node.world;
    let mut events = Vec::new();
    if world.leases > budget.leases {
        return events;
    }
    let faulty = node.faults > 0;
    if let Some(who) = lonely_reader(node) {
        events.push(Event::Store(who, Luck::Well));
        if faulty {
            events.push(Event::Store(who, Luck::Undone));
        }
        return events;
    }
    for (who, worker) in world.workers.iter().enumerate() {
        if worker.stopped {
            if is_turning_point(world, who) {
                events.push(Event::Continue(who, true));
                if let Doing::Flight(flight) = worker.doing
                    && world.flights[flight].came.is_some()
                {
                    events.push(Event::Continue(who, false));
                }
            }
            continue;
        }
        people(&mut events, who, node);
        match worker.doing {
            Doing::Load => {
                events.push(Event::Store(who, Luck::Well));
                if faulty {
                    events.push(Event::Store(who, Luck::Undone));
                }
            }
            Doing::Swap { .. } => {
                events.push(Event::Store(who, Luck::Well));
                if faulty {
                    let lucks = [
                        Luck::Undone,
                        Luck::Done,
                        Luck::Later,
                        Luck::DoneThenStopped,
                        Luck::DoneThenSlept,
                    ];
                    events.extend(lucks.map(|luck| Event::Store(who, luck)));
                    events.extend([Event::Stop(who), Event::Crash(who)]);
                }
            }
            Doing::Flight(flight) if is_edge(world, flight) => {
                on_its_way(&mut events, world, flight, faulty);
            }
            Doing::Nothing if faulty && worker.caller.is_some() && is_watching(world, who) => {
                events.extend([Event::Jump(who, 40), Event::Jump(who, -40), Event::Sleep(who)]);
            }
            Doing::Nothing | Doing::Heard(_) | Doing::Flight(_) => {}
        }
    }
    // What a server does with a request that nobody waits for matters to those that come after.
    let live = |flight: &Flight| flight.came.is_none() && flight.revokes.is_none();
    if world.flights.iter().any(|flight| live(flight) && !flight.is_over) {
        for (index, flight) in world.flights.iter().enumerate() {
            let stopped = world.workers[flight.worker].stopped;
            if live(flight) && (flight.is_over || stopped) {
                events.push(Event::Arrive(index, Fate::Served));
            }
        }
    }
    events.extend((0..world.ghosts.len()).map(Event::Ghost));
    match may_pass(world) {
        Some(true) => events.push(Event::Advance),
        Some(false) if faulty => events.push(Event::TooLate),
        Some(false) | None => {}
    }
    events
}

/// A worker that reads while nobody can write: when it does makes no difference to anybody.
fn lonely_reader(node: &Node) -> Option<usize> {
    let Node { world, deeds, .. } = node;
    let writes = |doing: &Doing| matches!(doing, Doing::Swap { .. });
    let quiet = world.ghosts.is_empty()
        && !deeds.deletes
        && !world.workers.iter().any(|worker| worker.is_awake() && writes(&worker.doing));
    let reads = |who: &usize| {
        let worker = &world.workers[*who];
        worker.is_awake() && matches!(worker.doing, Doing::Load)
    };
    (0..world.workers.len()).find(|who| quiet && reads(who))
}

/// A request has just left, or its time-out is next.
fn is_edge(world: &World, flight: usize) -> bool {
    let flight = &world.flights[flight];
    let clock = &world.workers[flight.worker].clock;
    let left = clock.until(flight.sent.elapsed + flight.time_out);
    flight.sent.elapsed == clock.elapsed || world.next_moment().is_none_or(|moment| moment >= left)
}

/// Another worker's request has just left.
fn is_watching(world: &World, who: usize) -> bool {
    world.workers.iter().enumerate().any(|(other, worker)| match worker.doing {
        Doing::Flight(flight) if other != who => {
            worker.clock.elapsed < world.flights[flight].sent.elapsed + 400_000
        }
        _ => false,
    })
}

/// A worker that was stopped goes on when another one is about something, or nobody is, or when its
/// own time has just run out.
fn is_turning_point(world: &World, who: usize) -> bool {
    let since = world.now - world.workers[who].stopped_at;
    let mut others = world.workers.iter().enumerate().filter(|(other, _)| *other != who);
    let acts = |doing: &Doing| matches!(doing, Doing::Swap { .. } | Doing::Flight(_));
    let waits = others.clone().any(|(_, worker)| worker.is_awake() && worker.caller.is_some());
    !waits
        || ((2000..3000).contains(&since))
        || others.any(|(_, worker)| worker.is_awake() && acts(&worker.doing))
}

fn on_its_way(events: &mut Vec<Event>, world: &World, flight: usize, faulty: bool) {
    let who = world.flights[flight].worker;
    if world.flights[flight].came.is_some() {
        events.push(Event::Return(flight));
        if faulty {
            events.extend([Event::Break(flight), Event::Stop(who), Event::Crash(who)]);
        }
        return;
    }
    events.push(Event::Exchange(flight, Fate::Served));
    if faulty && world.flights[flight].revokes.is_none() {
        events.extend([Fate::Down, Fate::Gateway].map(|fate| Event::Exchange(flight, fate)));
        events.extend([
            Event::Break(flight),
            Event::ServedThenBreak(flight),
            Event::NeverLeft(flight),
            Event::Stop(who),
            Event::ServedThenStop(who),
            Event::Sleep(who),
            Event::Crash(who),
            Event::ServedThenCrash(who),
            Event::Jump(who, 40),
            Event::Jump(who, -40),
            Event::End(0),
        ]);
    }
}

fn people(events: &mut Vec<Event>, who: usize, node: &Node) {
    let (worker, deeds) = (&node.world.workers[who], node.deeds);
    if worker.caller.is_none() && worker.callers > 0 && is_news(&node.world) {
        events.push(Event::Ask(who));
    }
    // The two are alike, and while they only wait it makes no difference when somebody comes.
    if who != 1 || !is_news(&node.world) {
        return;
    }
    let holds = worker.process.state.as_ref().is_some_and(|state| state.reason.is_none());
    if deeds.signs_out && holds {
        events.push(Event::SignOut(who));
    }
    if deeds.logs_in {
        events.push(Event::LogIn(who));
    }
    if deeds.deletes {
        events.push(Event::Delete(0));
    }
    if worker.caller.is_none() && deeds.challenges && worker.gave.is_some() {
        events.push(Event::Challenge(who));
    }
    if worker.caller.is_none() && deeds.refreshes && holds {
        events.push(Event::Refresh(who));
    }
}

/// Somebody is about to write, or a request has just left or is about to be given up, or everybody
/// is served.
fn is_news(world: &World) -> bool {
    let mut awake = world.workers.iter().filter(|worker| worker.is_awake());
    awake.clone().all(|worker| worker.caller.is_none())
        || awake.any(|worker| match worker.doing {
            Doing::Swap { .. } => true,
            Doing::Flight(flight) => is_edge(world, flight),
            Doing::Nothing | Doing::Load | Doing::Heard(_) => false,
        })
}

/// Whether time may go on without a fault: a store that works answers at once, and a server that
/// works within the time-out.
fn may_pass(world: &World) -> Option<bool> {
    let moment = world.next_moment()?;
    let awake = || world.workers.iter().filter(|worker| worker.is_awake());
    if awake().any(|worker| matches!(worker.doing, Doing::Load | Doing::Swap { .. })) {
        return None;
    }
    Some(awake().all(|worker| match worker.doing {
        Doing::Flight(flight) => {
            let flight = &world.flights[flight];
            moment < worker.clock.until(flight.sent.elapsed + flight.time_out)
        }
        _ => true,
    }))
}

/// The same events again, written down.
fn retrace(setting: &Setting, budget: Budget, path: &Rc<Path>) -> Vec<String> {
    let (mut events, mut path) = (Vec::new(), path);
    while let Path::After(before, event) = &**path {
        events.push(*event);
        path = before;
    }
    let mut memory = Memory::new(client(budget.lease), false);
    let mut world = World::new(setting, &memory);
    world.trace = Some(Vec::new());
    let asks = (0..world.workers.len()).map(Event::Ask).collect::<Vec<_>>();
    for event in asks.into_iter().chain(events.into_iter().rev()) {
        world.note(|_| format!("                    {event:?}"));
        if world.apply(event, &mut memory).is_err() {
            return world.trace.unwrap_or_default();
        }
    }
    // It was broken while everybody recovered.
    drop(world.recover(&mut memory));
    world.trace.unwrap_or_default()
}
