//! What the environment says about traces, and what they go through.

use super::{
    client::Client, counts::Counts, environment::is_asked_for, export::Exporting, request_spans::RequestSpans,
};
use crate::steps::Observer;
use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{SdkTracer, SdkTracerProvider, SpanExporter as _},
};
use std::{env, fmt, io, sync::Arc, time::Duration};
use thiserror::Error;
use tokio_rustls::rustls;

/// Where traces go, if anywhere.
#[derive(Clone, Default)]
pub struct Traces(Option<Arc<Inner>>);

struct Inner {
    tracer: SdkTracer,
    requests: Arc<RequestSpans>,
    exporting: Exporting,
}

/// Why traces cannot go where the environment says.
#[derive(Debug, Error)]
pub enum TracesError {
    /// A setting of the environment that makes no sense.
    #[error("the environment's settings for traces (OTEL_EXPORTER_OTLP_…): {0}")]
    Settings(#[from] ExporterBuildError),
    /// TLS cannot be set up.
    #[error("TLS for traces cannot be set up")]
    Tls(#[from] rustls::Error),
    /// The system has no thread for it.
    #[error("the thread that exports traces cannot be started")]
    Thread(#[from] io::Error),
}

impl Traces {
    /// As the environment says, by the variables of OpenTelemetry's specification; nowhere where that names no collector. Blocks for as long as it
    /// takes to read the system's certificates.
    ///
    /// # Errors
    /// [`TracesError`], which says what is wrong with them.
    pub fn from_environment() -> Result<Self, TracesError> {
        if !is_asked_for() {
            return Ok(Self::default());
        }
        let resource = resource();
        let mut exporter = SpanExporter::builder().with_http().with_http_client(Client::new()?).build()?;
        exporter.set_resource(&resource);
        let exporting = Exporting::start(exporter)?;
        // The sampler and the limits of spans are the environment's.
        let provider =
            SdkTracerProvider::builder().with_resource(resource).with_span_processor(exporting.clone()).build();
        let tracer = provider.tracer("countersign");
        let requests = Arc::new(RequestSpans::new(tracer.clone()));
        Ok(Self(Some(Arc::new(Inner { tracer, requests, exporting }))))
    }

    /// Who has to be told what happens.
    pub(in crate::http) fn observer(&self) -> Option<Arc<dyn Observer>> {
        self.0.as_ref().map(|inner| Arc::clone(&inner.requests) as Arc<dyn Observer>)
    }

    pub(super) fn tracer(&self) -> Option<&SdkTracer> {
        self.0.as_ref().map(|inner| &inner.tracer)
    }

    /// Spans by what became of them.
    pub(in crate::http) fn counts(&self) -> Counts {
        self.0.as_ref().map(|inner| inner.exporting.counts()).unwrap_or_default()
    }

    /// Has the last spans exported, as far as that can be done in so long.
    pub(in crate::http) async fn flush(&self, time_limit: Duration) {
        if let Some(inner) = &self.0 {
            inner.exporting.flush(time_limit).await;
        }
    }
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Traces")
    }
}

/// What the spans are of. The environment may name it otherwise.
fn resource() -> Resource {
    let builder = Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    let attributes = env::var("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
    let has_name = attributes.split(',').any(|attribute| attribute.trim_start().starts_with("service.name="));
    if has_name || env::var_os("OTEL_SERVICE_NAME").is_some() {
        builder.build()
    } else {
        builder.with_service_name("countersign").build()
    }
}
