//! Nothing is told, and nothing is done for it.

use http::{Request, Response, Uri};
use oauth2_proto::{Error, Generation, Lost};

pub(crate) struct Http;

impl Http {
    pub(crate) const fn begins<B>(_: &Request<B>) -> Self {
        Self
    }

    pub(crate) fn within<T>(
        self,
        exchange: impl Future<Output = Result<Response<T>, Lost>>,
    ) -> impl Future<Output = Result<Response<T>, Lost>> {
        exchange
    }
}

pub(crate) fn failed(_: &dyn core::error::Error) {}

pub(crate) const fn timed_out() {}

pub(crate) struct Call;

impl Call {
    pub(crate) const fn of(_: &Uri) -> Self {
        Self
    }

    pub(crate) const fn attached(&self, _: Generation) {}

    pub(crate) const fn passes(&self) {}

    pub(crate) const fn has_no_token(&self, _: &Error) {}

    pub(crate) const fn repeated(&self, _: Generation) {}

    pub(crate) const fn not_repeated(&self, _: Generation) {}
}
