//! Brings spans to the collector, on a thread of its own: a queue that is bounded, from which a batch is taken now and then.

use super::counts::Counts;
use opentelemetry::Context;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanExporter, SpanProcessor},
};
use std::{
    env, io, mem,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};
use tokio::{
    runtime,
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until, timeout},
};

/// What the specification has where the environment says nothing.
const QUEUE: usize = 2_048;
const BATCH: usize = 512;
const DELAY_MS: usize = 5_000;

/// What the thread is told.
enum Order {
    Span(Box<SpanData>),
    /// All that came before is to be exported; told when that is done.
    Flush(oneshot::Sender<()>),
}

#[derive(Debug, Default)]
struct Counters {
    exported: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
}

/// The near end of the queue. The thread ends with the last of them.
#[derive(Debug, Clone)]
pub(super) struct Exporting {
    orders: mpsc::Sender<Order>,
    counters: Arc<Counters>,
}

impl Exporting {
    /// Starts the thread.
    pub(super) fn start(exporter: impl SpanExporter + 'static) -> io::Result<Self> {
        let number = |name, default| {
            let set = env::var(name).ok().and_then(|value| value.parse().ok());
            set.filter(|value| (1..=1_000_000).contains(value)).unwrap_or(default)
        };
        let (orders, ordered) = mpsc::channel(number("OTEL_BSP_MAX_QUEUE_SIZE", QUEUE));
        let most = number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", BATCH);
        let delay = Duration::from_millis(number("OTEL_BSP_SCHEDULE_DELAY", DELAY_MS) as u64);
        let counters = Arc::<Counters>::default();
        let worker = Worker { exporter, ordered, most, delay, counters: Arc::clone(&counters), has_failed: false };
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name("traces".into()).spawn(move || runtime.block_on(worker.run()))?;
        Ok(Self { orders, counters })
    }

    pub(super) fn counts(&self) -> Counts {
        let Counters { exported, dropped, failed } = &*self.counters;
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts { exported: of(exported), dropped: of(dropped), failed: of(failed) }
    }

    /// Has what is in the queue exported, as far as that can be done in so long.
    pub(super) async fn flush(&self, time_limit: Duration) {
        let flush = async {
            let (done, is_done) = oneshot::channel();
            // Fails only where the thread has panicked.
            if self.orders.send(Order::Flush(done)).await.is_ok() {
                drop(is_done.await);
            }
        };
        if timeout(time_limit, flush).await.is_err() {
            tracing::warn!("the last spans could not be exported in time");
        }
    }
}

impl SpanProcessor for Exporting {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.orders.try_send(Order::Span(Box::new(span))).is_err() {
            self.counters.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// The far end.
struct Worker<E> {
    exporter: E,
    ordered: mpsc::Receiver<Order>,
    most: usize,
    delay: Duration,
    counters: Arc<Counters>,
    /// Said once for as long as it is so.
    has_failed: bool,
}

impl<E: SpanExporter> Worker<E> {
    async fn run(mut self) {
        let mut batch = Vec::new();
        let mut due = None;
        loop {
            let order = tokio::select! {
                biased;
                order = self.ordered.recv() => order,
                () = at(due) => {
                    self.export(mem::take(&mut batch)).await;
                    due = None;
                    continue;
                }
            };
            match order {
                Some(Order::Span(span)) => {
                    batch.push(*span);
                    due.get_or_insert_with(|| Instant::now() + self.delay);
                    if batch.len() < self.most {
                        continue;
                    }
                    self.export(mem::take(&mut batch)).await;
                }
                Some(Order::Flush(done)) => {
                    self.export(mem::take(&mut batch)).await;
                    // Whoever waited may have given up.
                    let _ = done.send(());
                }
                None => return self.export(batch).await,
            }
            due = None;
        }
    }

    async fn export(&mut self, batch: Vec<SpanData>) {
        if batch.is_empty() {
            return;
        }
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let result = self.exporter.export(batch).await;
        let counter = if result.is_ok() { &self.counters.exported } else { &self.counters.failed };
        counter.fetch_add(count, Ordering::Relaxed);
        let had_failed = mem::replace(&mut self.has_failed, result.is_err());
        match result {
            Ok(()) if had_failed => tracing::info!("spans are exported again"),
            Err(error) if !had_failed => tracing::warn!(%error, "spans cannot be exported, and are lost"),
            Ok(()) | Err(_) => {}
        }
    }
}

/// Resolves then, or never.
async fn at(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::{error::OTelSdkError, trace::SdkTracerProvider};
    use tokio::sync::Semaphore;

    /// A collector that answers as often as it is let.
    #[derive(Debug, Clone)]
    struct Collector {
        answers: Arc<Semaphore>,
        refuses: bool,
    }

    impl Collector {
        fn new(refuses: bool) -> Self {
            Self { answers: Arc::new(Semaphore::new(0)), refuses }
        }
    }

    impl SpanExporter for Collector {
        async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
            self.answers.acquire().await.unwrap().forget();
            if self.refuses { Err(OTelSdkError::InternalFailure("refused".into())) } else { Ok(()) }
        }
    }

    fn end_spans(exporting: &Exporting, count: usize) {
        let provider = SdkTracerProvider::builder().with_span_processor(exporting.clone()).build();
        let tracer = provider.tracer("test");
        for _ in 0..count {
            tracer.start("a span").end();
        }
    }

    #[tokio::test]
    async fn a_slow_collector_costs_spans_which_are_counted_and_nothing_else() {
        const SPANS: usize = 2 * QUEUE;
        let collector = Collector::new(false);
        let exporting = Exporting::start(collector.clone()).unwrap();
        end_spans(&exporting, SPANS);
        let Counts { exported, dropped, failed } = exporting.counts();
        assert_eq!((exported, failed), (0, 0));
        assert!((SPANS - QUEUE - BATCH..=SPANS - QUEUE).contains(&usize::try_from(dropped).unwrap()), "{dropped}");
        exporting.flush(Duration::from_millis(1)).await;
        collector.answers.add_permits(SPANS);
        exporting.flush(Duration::from_secs(60)).await;
        let exported = u64::try_from(SPANS).unwrap() - dropped;
        assert_eq!(exporting.counts(), Counts { exported, dropped, failed: 0 });
    }

    #[tokio::test]
    async fn what_is_refused_is_counted() {
        let collector = Collector::new(true);
        collector.answers.add_permits(1);
        let exporting = Exporting::start(collector).unwrap();
        end_spans(&exporting, 7);
        exporting.flush(Duration::from_secs(60)).await;
        assert_eq!(exporting.counts(), Counts { exported: 0, dropped: 0, failed: 7 });
    }
}
