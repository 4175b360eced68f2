//! Nothing is told, and nothing is done for it.

use core::time::Duration;

use crate::agent::Change;
use crate::agent::running::Outcome;
use crate::coordinator::{Coordinator, Purpose};
use crate::machine::State;
use crate::session::Challenged;
use crate::value::{Generation, LoginId, Timestamp};

pub(in crate::agent) struct Trace;

impl Trace {
    pub(in crate::agent) const fn load(_: &Coordinator) -> Self {
        Self
    }

    pub(in crate::agent) const fn swap(_: &State, _: Purpose) -> Self {
        Self
    }

    pub(in crate::agent) const fn send(_: &Coordinator) -> Self {
        Self
    }

    pub(in crate::agent) fn within<T>(&self, act: impl FnOnce() -> T) -> T {
        act()
    }
}

pub(in crate::agent) struct Watch;

impl Watch {
    pub(in crate::agent) const fn new() -> Self {
        Self
    }

    pub(in crate::agent) const fn hears(
        &self,
        _: &Trace,
        _: &Outcome,
        _: &Coordinator,
        _: Duration,
    ) {
    }

    pub(in crate::agent) const fn has_heard(&self, _: &Coordinator) {}

    pub(in crate::agent) const fn news(
        &self,
        _: LoginId,
        _: &Change,
        _: Option<&State>,
        _: Timestamp,
    ) {
    }

    pub(in crate::agent) const fn failures(&self, _: &Coordinator) {}
}

pub(in crate::agent) const fn challenged(_: Generation, _: Challenged) {}

pub(in crate::agent) const fn effect_panics(_: &Coordinator) {}

pub(in crate::agent) const fn hook_panics() {}
