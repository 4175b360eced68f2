//! Who hears why a database failed.

use std::sync::Arc;

use oauth2_proto::Unknown;

/// Hears the errors of an engine, of which the caller of a store learns nothing: to it, the outcome
/// is unknown.
pub(crate) struct Observer<E>(Arc<dyn Fn(&E) + Send + Sync>);

impl<E> Observer<E> {
    pub(crate) fn new(observer: impl Fn(&E) + Send + Sync + 'static) -> Self {
        Self(Arc::new(observer))
    }

    pub(crate) fn hear(&self, error: &E) -> Unknown {
        (self.0)(error);
        Unknown
    }
}

impl<E> Default for Observer<E> {
    fn default() -> Self {
        Self::new(|_| ())
    }
}

impl<E> Clone for Observer<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
