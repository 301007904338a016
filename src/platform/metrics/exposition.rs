//! The text format of Prometheus, version 0.0.4.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>
//!
//! # Example
//! ```
//! use apigateway::platform::metrics::exposition::{Exposition, Kind};
//!
//! let mut exposition = Exposition::new();
//! exposition.family("pets_total", Kind::Counter, "Pets so far.");
//! exposition.sample("pets_total", &[("kind", "cat")], 3);
//! assert_eq!(
//!     exposition.text(),
//!     "# HELP pets_total Pets so far.\n# TYPE pets_total counter\npets_total{kind=\"cat\"} 3\n"
//! );
//! ```

use std::fmt::{Display, Write};

use crate::platform::metrics::{BOUNDS, Histogram};

/// The content type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a family's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows; its name ends in `_total`.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Counts by upper bounds.
    Histogram,
}

/// A text that is being written, family after family.
#[derive(Debug, Default)]
pub struct Exposition(String);

impl Exposition {
    /// Nothing yet.
    pub fn new() -> Exposition {
        Exposition::default()
    }

    /// Begins a family; its samples follow. `help` is one line without a backslash.
    pub fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    /// A number of the family that was begun last.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        if !labels.is_empty() {
            self.0.push('{');
            for (at, (label, text)) in labels.iter().enumerate() {
                if at > 0 {
                    self.0.push(',');
                }
                self.0.push_str(label);
                self.0.push_str("=\"");
                self.escaped(text);
                self.0.push('"');
            }
            self.0.push('}');
        }
        self.line(format_args!(" {value}"));
    }

    /// All numbers of a histogram, in seconds.
    pub fn histogram(&mut self, name: &str, labels: &[(&str, &str)], histogram: &Histogram) {
        let distribution = histogram.distribution();
        let bucket = format!("{name}_bucket");
        let infinity = std::iter::once(("+Inf".to_owned(), distribution.count));
        let bounds = BOUNDS.iter().map(|bound| seconds(*bound));
        for (bound, count) in bounds.zip(distribution.cumulative).chain(infinity) {
            let mut labels = labels.to_vec();
            labels.push(("le", &bound));
            self.sample(&bucket, &labels, count);
        }
        self.sample(&format!("{name}_sum"), labels, distribution.sum.as_secs_f64());
        self.sample(&format!("{name}_count"), labels, distribution.count);
    }

    /// The text.
    pub fn text(self) -> String {
        self.0
    }

    fn escaped(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '\\' => self.0.push_str("\\\\"),
                '"' => self.0.push_str("\\\""),
                '\n' => self.0.push_str("\\n"),
                other => self.0.push(other),
            }
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{line}");
    }
}

/// Microseconds as seconds, with the digits that it needs.
fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_label_cannot_end_its_quotes() {
        let mut exposition = Exposition::new();
        exposition.sample("x", &[("a", "1\"} 7\nx\\")], 1);
        assert_eq!(exposition.text(), "x{a=\"1\\\"} 7\\nx\\\\\"} 1\n");
    }

    #[test]
    fn a_histogram_ends_with_infinity_sum_and_count() {
        let histogram = Histogram::default();
        histogram.observe(Duration::from_millis(2));
        histogram.observe(Duration::from_secs(40));
        let mut exposition = Exposition::new();
        exposition.histogram("x", &[("a", "b")], &histogram);
        let text = exposition.text();
        assert!(
            text.starts_with("x_bucket{a=\"b\",le=\"0.001\"} 0\nx_bucket{a=\"b\",le=\"0.0025\"} 1\n"),
            "{text}"
        );
        let end = "x_bucket{a=\"b\",le=\"30\"} 1\nx_bucket{a=\"b\",le=\"+Inf\"} 2\nx_sum{a=\"b\"} 40.002\nx_count{a=\"b\"} 2\n";
        assert!(text.ends_with(end), "{text}");
    }
}
