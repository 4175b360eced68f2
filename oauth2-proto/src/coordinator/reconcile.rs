//! What is stored is not what is held: which of the two goes on?

use alloc::boxed::Box;
use alloc::sync::Arc;

use super::Coordinator;
use super::stored::Unsaved;
use crate::machine::{Authorized, Failed, State};
use crate::session::Session;
use crate::value::Timestamp;

/// Which of two states goes on.
pub(super) enum Verdict {
    /// What is held, and it has to be saved.
    Mine,
    /// They are the same: what is held is saved.
    Same,
    /// What is stored.
    Theirs,
}

impl Coordinator {
    /// Whether what this coordinator holds, or what is stored, goes on.
    pub(super) fn reconcile(&mut self, theirs: Option<&State>, now: Timestamp) -> Verdict {
        let Some(mine) = self.session.as_ref().map(Session::state) else { return Verdict::Theirs };
        if theirs.is_some_and(|theirs| theirs.is_same_record(mine)) {
            return Verdict::Same;
        }
        if self.stored.unsaved.forced {
            return self.overrule_with(theirs, now);
        }
        if theirs.is_some_and(|theirs| is_behind(theirs, mine)) {
            // Who goes on from there uses a refresh token that is spent.
            self.stored.unsaved = Unsaved::NEW_TOKENS;
        }
        if !self.stored.unsaved.state {
            return Verdict::Theirs;
        }
        let attempt = theirs.and_then(State::attempt);
        let holder = self.holder.map(|count| self.seed.holder_of(count.get()));
        let my_lease = holder.is_some() && attempt.is_some_and(|attempt| attempt.holder == holder);
        if my_lease {
            return Verdict::Mine;
        }
        let Some(tokens) = mine.tokens().filter(|_| self.stored.unsaved.tokens) else {
            return Verdict::Theirs;
        };
        match theirs {
            // A late success wins over whoever refreshes now, and over giving up in doubt.
            Some(theirs) if theirs.identity().id == mine.identity().id => {
                if theirs.was_ended() {
                    let requests = tokens.revocations(&self.client, now);
                    self.revoke(requests);
                    Verdict::Theirs
                } else if theirs.identity().number >= mine.identity().number {
                    Verdict::Theirs
                } else {
                    Verdict::Mine
                }
            }
            // The login was deleted or replaced.
            Some(_) | None => {
                let requests = tokens.revocations(&self.client, now);
                self.revoke(requests);
                Verdict::Theirs
            }
        }
    }

    /// Whether a new login or a sign-out still has to replace what is stored. Login ids are random:
    /// the same id there means that an earlier swap of unknown outcome was done after all.
    fn overrule_with(&mut self, theirs: Option<&State>, now: Timestamp) -> Verdict {
        let Some((mine, theirs)) = self.session.as_ref().map(Session::state).zip(theirs) else {
            return Verdict::Mine;
        };
        let same_login = theirs.identity().id == mine.identity().id;
        let newer = theirs.identity().number > mine.identity().number;
        if mine.was_ended() {
            // Signed out while somebody refreshed: the newer tokens are to be revoked, too.
            if same_login && newer {
                let tokens = theirs.tokens().into_iter();
                let requests = tokens.flat_map(|it| it.revocations(&self.client, now)).collect();
                self.revoke(requests);
            }
            // Another login is not the one that was signed out.
            return if same_login { Verdict::Mine } else { Verdict::Theirs };
        }
        // An earlier state of the same login (before its callback or its answer, or before a refresh
        // by hand) is what the new one replaces.
        let arrived = same_login && theirs.identity().number >= mine.identity().number;
        if arrived && theirs.was_ended() {
            let tokens = mine.tokens().into_iter();
            let requests = tokens.flat_map(|it| it.revocations(&self.client, now)).collect();
            self.revoke(requests);
        }
        // The new login has arrived, and has moved on since.
        if arrived { Verdict::Theirs } else { Verdict::Mine }
    }

    /// What goes on is what is held; but tokens that others know to be rejected are so here, too.
    pub(super) fn heed(&mut self, theirs: Option<&State>) {
        let Some(session) = &mut self.session else { return };
        let rejected = theirs.and_then(State::tokens).into_iter().flat_map(Authorized::rejected);
        rejected.for_each(|generation| session.reject(generation));
    }

    /// Goes on with what is stored.
    pub(super) fn adopt(&mut self, theirs: Option<State>) {
        self.leased = None;
        self.stored.unsaved = Unsaved::default();
        self.refused = None;
        // What went wrong here has been overtaken by what others have stored.
        self.last_error = None;
        let mine = self.session.take();
        let Some(mut theirs) = theirs else { return };
        if let Some(tokens) = theirs.tokens_mut() {
            let mine = mine.as_ref().and_then(|session| session.state().tokens());
            let known = mine.into_iter().flat_map(Authorized::rejected);
            for generation in known.chain(self.rejected.as_deref().copied()) {
                if let Some(rejected) = tokens.held_of(generation) {
                    rejected.rejected = true;
                }
            }
        }
        match Session::new(Arc::clone(&self.client), theirs) {
            Ok(session) => self.session = Some(session),
            Err(Failed { error, .. }) => self.refused = Some(Box::new(error)),
        }
    }
}

/// Whether the store has forgotten tokens of this login that it had acknowledged: after a failover, say,
/// or when a backup was restored.
fn is_behind(theirs: &State, mine: &State) -> bool {
    let (theirs, held) = (theirs.identity(), mine.identity());
    mine.tokens().is_some() && theirs.id == held.id && theirs.number < held.number
}
