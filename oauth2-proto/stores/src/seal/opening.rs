//! What is done to a record on its way from and to the store that keeps it.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use oauth2_proto::agent::Record;
use oauth2_proto::{Swapped, Unknown, Version};
use pin_project_lite::pin_project;

use super::Seal;

pin_project! {
    /// Loads a record, then opens it: what [`Sealed`](super::Sealed) gives.
    #[must_use = "futures do nothing unless polled"]
    pub struct Opening<F> {
        #[pin]
        loading: F,
        seal: Seal,
        key: String,
    }
}

impl<F> Opening<F> {
    pub(super) fn new(loading: F, seal: Seal, key: &str) -> Self {
        Self { loading, seal, key: key.to_owned() }
    }
}

impl<F> Future for Opening<F>
where
    F: Future<Output = Result<Option<(Version, Record)>, Unknown>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let loaded = ready!(this.loading.poll(context))?;
        let opened = loaded.map(|(version, record)| (version, this.seal.open(this.key, record)));
        Poll::Ready(Ok(opened))
    }
}

impl<F> fmt::Debug for Opening<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opening(..)")
    }
}

pin_project! {
    /// Stores a record that has been sealed: what [`Sealed`](super::Sealed) gives.
    #[must_use = "futures do nothing unless polled"]
    pub struct Sealing<F> {
        // None if it could not be sealed.
        #[pin]
        swapping: Option<F>,
    }
}

impl<F> Sealing<F> {
    pub(super) fn new(swapping: Result<F, Unknown>) -> Self {
        Self { swapping: swapping.ok() }
    }
}

impl<F> Future for Sealing<F>
where
    F: Future<Output = Result<Swapped, Unknown>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let swapping = self.project().swapping.as_pin_mut();
        swapping.map_or(Poll::Ready(Err(Unknown)), |swapping| swapping.poll(context))
    }
}

impl<F> fmt::Debug for Sealing<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealing(..)")
    }
}
