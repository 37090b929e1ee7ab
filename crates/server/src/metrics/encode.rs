//! The snapshot in OpenMetrics text.

use std::fmt;

use fanfare_protocol::ErrorCode;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::{Distribution, NodeMetrics};

const MS_PER_SECOND: f64 = 1e3;

impl NodeMetrics {
    /// The text that Prometheus reads.
    ///
    /// # Errors
    /// Never in practice: writing into a string does not fail.
    pub fn encode(self) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix("fanfare");
        registry.register_collector(Box::new(self));
        let mut out = String::new();
        text::encode(&mut out, &registry)?;
        Ok(out)
    }
}

impl Collector for NodeMetrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        page.version()?;
        page.connections(self)?;
        page.traffic(self)?;
        page.engine(self)?;
        page.process()
    }
}

struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn version(&mut self) -> fmt::Result {
        let mut metric =
            self.0.encode_descriptor("build", "The program's version", None, MetricType::Info)?;
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
        self.gauge("channels", "Channels with subscribers", node.channels)?;
        self.gauge("users", "Users online", node.users)
    }

    fn traffic(&mut self, node: &NodeMetrics) -> fmt::Result {
        self.counter("messages_in", "Messages from clients", node.messages_in)?;
        self.counter("messages_out", "Copies of messages put into outboxes", node.messages_out)?;
        self.counter("bytes_in", "Bytes read from sockets", node.bytes_in)?;
        self.counter("bytes_out", "Bytes written to sockets", node.bytes_out)?;
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
        self.distribution("outbox_depth_bytes", "Outboxes by waiting bytes", &node.outbox_depths, 1.0, None)?;
        self.distribution("room_size", "Channels by subscribers", &node.room_sizes, 1.0, None)?;
        let help = "From a publication's numbering to its fan-out";
        self.distribution("fanout_delay", help, &node.fanout_delay_ms, MS_PER_SECOND, Some(&Unit::Seconds))
    }

    fn process(&mut self) -> fmt::Result {
        match resident_bytes() {
            Some(bytes) => self.gauge("resident_memory_bytes", "Memory of the process", bytes),
            None => Ok(()),
        }
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
    }

    fn gauges<'v>(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        values: impl Iterator<Item = (&'v str, u64)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (value, count) in values {
            metric.encode_family(&[(label, value)])?.encode_gauge(&count)?;
        }
        Ok(())
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        metric.encode_counter::<NoLabelSet, _, f64>(&value, None)
    }

    fn counters<'v>(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        values: impl Iterator<Item = (&'v str, u64)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (value, count) in values {
            let labels = [(label, value)];
            metric.encode_family(&labels)?.encode_counter::<NoLabelSet, _, f64>(&count, None)?;
        }
        Ok(())
    }

    fn distribution(
        &mut self,
        name: &str,
        help: &str,
        values: &Distribution,
        divisor: f64,
        unit: Option<&Unit>,
    ) -> fmt::Result {
        let bound = |bound: Option<u64>| bound.map_or(f64::INFINITY, |bound| bound as f64 / divisor);
        let buckets: Vec<(f64, u64)> = values.steps().map(|(at, count)| (bound(at), count)).collect();
        let mut metric = self.0.encode_descriptor(name, help, unit, MetricType::Histogram)?;
        metric.encode_histogram::<NoLabelSet>(values.sum() as f64 / divisor, values.count(), &buckets, None)
    }
}

/// What the kernel says of this process; none where it does not say.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_written_as_prometheus_reads_it() {
        let mut node = NodeMetrics { opened: 3, messages_in: 7, ..NodeMetrics::default() };
        node.connections.insert("native", 2);
        node.closed.insert("message_timeout", 1);
        node.errors.insert(ErrorCode::InvalidJson, 5);
        node.authentications.insert("accepted", 4);
        node.fanout_delay_ms.record(2);
        node.fanout_delay_ms.record(90_000);
        node.room_sizes.record_many(3, 2);
        let text = NodeMetrics::encode(node).unwrap();
        let kept = |line: &&str| !line.contains("resident_memory");
        insta::assert_snapshot!(text.lines().filter(kept).collect::<Vec<_>>().join("\n"));
    }
}
