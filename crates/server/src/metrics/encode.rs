//! The snapshot as the text that Prometheus reads.

use std::fmt;

use bytes::Bytes;
use fanfare_protocol::ErrorCode;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::format::to_text;
use super::{Distribution, Format, NodeMetrics, ProcessMetrics};

const MS_PER_SECOND: f64 = 1e3;
const US_PER_SECOND: f64 = 1e6;

/// One snapshot in each format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pages {
    text: Bytes,
    open_metrics: Bytes,
}

impl Pages {
    /// The page in this format.
    pub fn get(&self, format: Format) -> Bytes {
        match format {
            Format::Text => self.text.clone(),
            Format::OpenMetrics => self.open_metrics.clone(),
        }
    }
}

impl NodeMetrics {
    /// The texts that Prometheus reads.
    ///
    /// # Errors
    /// Never in practice: writing into a string does not fail.
    pub fn encode(self, process: Option<ProcessMetrics>) -> Result<Pages, fmt::Error> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Snapshot { node: self, process }));
        let mut page = String::new();
        text::encode(&mut page, &registry)?;
        Ok(Pages { text: to_text(&page).into(), open_metrics: page.into() })
    }
}

#[derive(Debug)]
struct Snapshot {
    node: NodeMetrics,
    process: Option<ProcessMetrics>,
}

impl Collector for Snapshot {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        page.version()?;
        page.connections(&self.node)?;
        page.traffic(&self.node)?;
        page.engine(&self.node)?;
        page.calls(&self.node)?;
        self.process.iter().try_for_each(|process| page.process(process))
    }
}

struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn version(&mut self) -> fmt::Result {
        let mut metric =
            self.0.encode_descriptor("fanfare_build", "The program's version", None, MetricType::Info)?;
        metric.encode_info(&[("version", env!("CARGO_PKG_VERSION"))])
    }

    fn connections(&mut self, node: &NodeMetrics) -> fmt::Result {
        let by_dialect = node.connections.iter().map(|(dialect, count)| (*dialect, *count));
        self.gauges("connections", "Open connections", "dialect", by_dialect)?;
        self.counter("connections_opened", "Connections opened", node.opened)?;
        let closed = node.closed.iter().map(|(code, count)| (*code, *count));
        self.counters("connections_closed", "Connections closed", "code", closed)?;
        let refused = node.refused.iter().map(|(code, count)| (code.as_str(), *count));
        self.counters("handshakes_refused", "Handshakes refused", "code", refused)?;
        let outcomes = node.authentications.iter().map(|(outcome, count)| (*outcome, *count));
        self.counters("authentications", "Tokens looked at", "outcome", outcomes)?;
        self.gauge("subscriptions", "Subscriptions", node.subscriptions)?;
        self.gauge("channels", "Channels with subscribers or history", node.channels)?;
        self.gauge("channels_subscribed", "Channels with subscribers", node.channels_subscribed)?;
        self.gauge("users", "Users online", node.users)
    }

    fn traffic(&mut self, node: &NodeMetrics) -> fmt::Result {
        self.counter("messages_in", "Messages from clients", node.messages_in)?;
        self.counter("messages_out", "Copies of messages put into outboxes", node.messages_out)?;
        self.counter("received_bytes", "Bytes read from clients' sockets", node.bytes_in)?;
        self.counter("sent_bytes", "Bytes written to clients' sockets", node.bytes_out)?;
        self.counter("writes", "Writes to sockets", node.writes)?;
        let errors = node.errors.iter().map(|(code, count)| (ErrorCode::as_str(*code), *count));
        self.counters("errors", "Errors told to clients", "code", errors)
    }

    fn engine(&mut self, node: &NodeMetrics) -> fmt::Result {
        self.counter("publications", "Publications that reached a shard", node.publications)?;
        self.counter("messages_dropped", "Messages that slow subscribers did not get", node.dropped)?;
        self.gauge("history_bytes", "Bytes of history held", node.history_bytes)?;
        self.gauge("inbox_waiting", "Deliveries that wait in front of the shards", node.inbox_waiting)?;
        self.gauge("outbox_bytes", "Bytes that wait in outboxes", node.outbox_bytes)?;
        let help = "Connections with an outbox that is not empty, by the bytes that wait in it at most";
        self.levels("outboxes_by_bytes", help, &node.outbox_depths)?;
        let help = "Channels with subscribers, by the number of subscribers at most";
        self.levels("channels_by_subscribers", help, &node.room_sizes)?;
        let help = "Time from a publication's numbering to its fan-out";
        let mut metric = self.histogram("fanfare_fanout_delay", help)?;
        let (sum, count, buckets) = steps(&node.fanout_delay_ms, MS_PER_SECOND);
        metric.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn calls(&mut self, node: &NodeMetrics) -> fmt::Result {
        let help = "Calls of the HTTP API";
        let mut metric = self.0.encode_descriptor("fanfare_api_calls", help, None, MetricType::Counter)?;
        for (operation, calls) in &node.calls {
            for (outcome, count) in &calls.outcomes {
                let labels = [("operation", *operation), ("outcome", *outcome)];
                metric.encode_family(&labels)?.encode_counter::<NoLabelSet, _, f64>(count, None)?;
            }
        }
        let help = "Time from the head of an HTTP API call to its answer";
        let mut metric = self.histogram("fanfare_api_call_duration", help)?;
        for (operation, calls) in &node.calls {
            let labels = [("operation", *operation)];
            let (sum, count, buckets) = steps(&calls.micros, US_PER_SECOND);
            metric.encode_family(&labels)?.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
        }
        Ok(())
    }

    fn process(&mut self, process: &ProcessMetrics) -> fmt::Result {
        let mut cpu = self.0.encode_descriptor(
            "process_cpu",
            "Time on the CPUs",
            Some(&Unit::Seconds),
            MetricType::Counter,
        )?;
        cpu.encode_counter::<NoLabelSet, _, f64>(&process.cpu_seconds, None)?;
        let start = "Start of the process in Unix time";
        let mut started =
            self.0.encode_descriptor("process_start_time", start, Some(&Unit::Seconds), MetricType::Gauge)?;
        started.encode_gauge(&process.start_seconds)?;
        for (name, help, value) in [
            ("process_open_fds", "Open file descriptors", process.open_fds),
            ("process_max_fds", "The limit on file descriptors", process.max_fds),
            ("process_resident_memory_bytes", "Resident memory", process.resident_bytes),
            ("process_virtual_memory_bytes", "Virtual memory", process.virtual_bytes),
            ("process_threads", "Threads", process.threads),
        ] {
            self.0.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.0
            .encode_descriptor(&format!("fanfare_{name}"), help, None, MetricType::Gauge)?
            .encode_gauge(&value)
    }

    fn gauges<'v>(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        values: impl Iterator<Item = (&'v str, u64)>,
    ) -> fmt::Result {
        let name = format!("fanfare_{name}");
        let mut metric = self.0.encode_descriptor(&name, help, None, MetricType::Gauge)?;
        for (value, count) in values {
            metric.encode_family(&[(label, value)])?.encode_gauge(&count)?;
        }
        Ok(())
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let name = format!("fanfare_{name}");
        let mut metric = self.0.encode_descriptor(&name, help, None, MetricType::Counter)?;
        metric.encode_counter::<NoLabelSet, _, f64>(&value, None)
    }

    fn counters<'v>(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        values: impl Iterator<Item = (&'v str, u64)>,
    ) -> fmt::Result {
        let name = format!("fanfare_{name}");
        let mut metric = self.0.encode_descriptor(&name, help, None, MetricType::Counter)?;
        for (value, count) in values {
            let labels = [(label, value)];
            metric.encode_family(&labels)?.encode_counter::<NoLabelSet, _, f64>(&count, None)?;
        }
        Ok(())
    }

    /// How a number is spread now. It is no histogram: the counts of one only ever grow, and a spread that shrinks
    /// would look as if the process had started anew.
    fn levels(&mut self, name: &str, help: &str, values: &Distribution) -> fmt::Result {
        let name = format!("fanfare_{name}");
        let mut metric = self.0.encode_descriptor(&name, help, None, MetricType::Gauge)?;
        let mut total = 0;
        for (bound, count) in values.steps() {
            total += count;
            let bound = bound.map_or_else(|| "+Inf".to_owned(), |bound| bound.to_string());
            metric.encode_family(&[("at_most", bound)])?.encode_gauge(&total)?;
        }
        Ok(())
    }

    /// A distribution of seconds that only ever grows.
    fn histogram<'s>(&'s mut self, name: &'s str, help: &'s str) -> Result<MetricEncoder<'s>, fmt::Error> {
        self.0.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Histogram)
    }
}

/// Sum, count and buckets.
fn steps(values: &Distribution, divisor: f64) -> (f64, u64, Vec<(f64, u64)>) {
    let bound = |bound: Option<u64>| bound.map_or(f64::INFINITY, |bound| bound as f64 / divisor);
    let buckets = values.steps().map(|(at, count)| (bound(at), count)).collect();
    (values.sum() as f64 / divisor, values.count(), buckets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Calls;

    fn pages() -> Pages {
        let mut node = NodeMetrics { opened: 3, messages_in: 7, ..NodeMetrics::default() };
        node.connections.insert("native", 2);
        node.closed.insert("message_timeout", 1);
        node.errors.insert(ErrorCode::InvalidJson, 5);
        node.authentications.insert("accepted", 4);
        node.fanout_delay_ms.record(2);
        node.fanout_delay_ms.record(90_000);
        node.room_sizes.record_many(3, 2);
        let mut calls = Calls::default();
        calls.outcomes.insert("ok", 2);
        calls.micros.record_many(700, 2);
        node.calls.insert("publish", calls);
        let process = ProcessMetrics {
            cpu_seconds: 1.5,
            open_fds: 9,
            max_fds: 1024,
            resident_bytes: 4096,
            virtual_bytes: 8192,
            start_seconds: 1.7e9,
            threads: 4,
        };
        node.encode(Some(process)).unwrap()
    }

    fn page(format: Format) -> String {
        String::from_utf8(pages().get(format).to_vec()).unwrap()
    }

    #[test]
    fn a_snapshot_is_written_as_prometheus_reads_it() {
        insta::assert_snapshot!(page(Format::Text));
    }

    #[test]
    fn a_snapshot_is_written_as_open_metrics() {
        let page = page(Format::OpenMetrics);
        assert!(page.ends_with("# EOF\n"));
        for line in [
            "# TYPE fanfare_connections_opened counter",
            "fanfare_connections_opened_total 3",
            "# TYPE fanfare_build info",
            "# UNIT fanfare_api_call_duration_seconds seconds",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
        }
    }

    /// The spread of channels over sizes was written as a histogram, and a channel that lost its subscribers looked as
    /// if the server had started anew: `rate()` made thousands of it.
    #[test]
    fn only_what_never_shrinks_is_a_histogram() {
        let page = page(Format::Text);
        let histograms: Vec<_> = page.lines().filter(|line| line.ends_with(" histogram")).collect();
        let expected = [
            "# TYPE fanfare_fanout_delay_seconds histogram",
            "# TYPE fanfare_api_call_duration_seconds histogram",
        ];
        assert_eq!(histograms, expected);
        assert!(page.contains("fanfare_channels_by_subscribers{at_most=\"5\"} 2"), "{page}");
    }
}
