//! The span of a request, as traces get it.

use std::{
    collections::HashMap,
    fmt::Debug,
    sync::{Arc, Mutex},
};

use tracing::{
    Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::DefaultGuard,
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt},
};

/// What spans of this thread tell, from here on.
pub(crate) struct Spans {
    told: Told,
    _guard: DefaultGuard,
}

#[derive(Clone, Default)]
struct Told(Arc<Mutex<HashMap<String, String>>>);

impl Spans {
    pub(crate) fn start() -> Self {
        let told = Told::default();
        let subscriber = tracing_subscriber::registry().with(told.clone());
        Self {
            told,
            _guard: tracing::subscriber::set_default(subscriber),
        }
    }

    /// The fields of the span `request`.
    pub(crate) fn fields(&self) -> HashMap<String, String> {
        self.told.0.lock().unwrap().clone()
    }
}

impl<S: Subscriber> Layer<S> for Told {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        if attributes.metadata().name() == "request" {
            attributes.record(&mut self.clone());
        }
    }

    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        values.record(&mut self.clone());
    }
}

impl Visit for Told {
    fn record_str(&mut self, field: &Field, value: &str) {
        let mut fields = self.0.lock().unwrap();
        fields.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}
