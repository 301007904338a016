//! Tables in Markdown.

use crate::rounds::{Row, Sample, Table};
use crate::scenario::Scenario;
use crate::statistics::{median, ratio};

/// A scenario's table, and a sentence for each thing that could not be measured.
pub fn table(scenario: &Scenario, table: &Table) -> (String, Vec<String>) {
    let mut text = format!("### {} (`{}`)\n\n", scenario.title, scenario.name);
    let mut failures = Vec::new();
    if !scenario.note.is_empty() {
        text.push_str(&format!("{}\n\n", scenario.note));
    }
    match table {
        Table::Skipped(reason) => text.push_str(&format!("Left out: {reason}.\n")),
        Table::Rows(rows) => {
            text.push_str(&heading(rows));
            for row in rows {
                text.push_str(&line(row, rows.first()));
                if let Some(failure) = failure(row) {
                    failures.push(format!("{}, {}: {failure}", scenario.name, row.label));
                }
            }
        }
    }
    (text, failures)
}

fn heading(rows: &[Row]) -> String {
    let reference = rows.first().map_or("", |row| row.label.as_str());
    format!(
        "| | requests/s | of {reference} | p50 ms | p99 ms | CPU µs/request | of {reference} | memory MiB |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|\n"
    )
}

fn line(row: &Row, reference: Option<&Row>) -> String {
    let samples = match (&row.samples, failure(row)) {
        (Ok(samples), None) => samples,
        (_, failure) => {
            return format!("| {} | **failed**: {} |\n", row.label, failure.unwrap_or_default());
        }
    };
    let reference = match reference {
        Some(reference) if failure(reference).is_none() => reference.samples.as_deref().unwrap_or_default(),
        _ => &[],
    };
    let value = |of: fn(&Sample) -> f64, digits: usize| {
        median(samples.iter().map(of)).map_or("–".to_owned(), |value| format!("{value:.digits$}"))
    };
    let ratio = |of: fn(&Sample) -> f64| {
        let (own, others): (Vec<f64>, Vec<f64>) =
            (samples.iter().map(of).collect(), reference.iter().map(of).collect());
        ratio(&own, &others).map_or("–".to_owned(), |ratio| format!("{ratio:.2}"))
    };
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} |\n",
        row.label,
        value(rate, 0),
        ratio(rate),
        value(|sample| sample.measured.p50, 2),
        value(|sample| sample.measured.p99, 2),
        value(|sample| sample.cpu, 1),
        ratio(|sample| sample.cpu),
        value(|sample| sample.memory, 0),
    )
}

fn rate(sample: &Sample) -> f64 {
    sample.measured.rate()
}

/// Why a row has no numbers that count.
fn failure(row: &Row) -> Option<String> {
    match &row.samples {
        Err(error) => Some(error.clone()),
        Ok(samples) => {
            let failures: u64 = samples.iter().map(|sample| sample.measured.failures).sum();
            (failures > 0).then(|| format!("{failures} requests were not answered as they should be"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario;
    use crate::wrk::Measured;

    fn row(label: &str, requests: u64, failures: u64) -> Row {
        let measured = Measured {
            requests,
            seconds: 2.0,
            p50: 0.5,
            p99: 1.25,
            failures,
        };
        let sample = Sample {
            measured,
            cpu: 20.0,
            memory: 12.4,
        };
        Row {
            label: label.to_owned(),
            samples: Ok(vec![sample]),
        }
    }

    #[test]
    fn failures_are_shown_and_told() {
        let scenario = scenario::named("small-8").unwrap().remove(0);
        let gone = Row {
            label: "caddy".to_owned(),
            samples: Err("it has ended".to_owned()),
        };
        let rows = vec![
            row("nginx", 2000, 0),
            row("gateway", 1500, 0),
            row("haproxy", 1, 3),
            gone,
        ];
        let (text, failures) = table(&scenario, &Table::Rows(rows));
        let expected = "### GET of 96 bytes, 8 connections (`small-8`)\n\n\
            | | requests/s | of nginx | p50 ms | p99 ms | CPU µs/request | of nginx | memory MiB |\n\
            |---|--:|--:|--:|--:|--:|--:|--:|\n\
            | nginx | 1000 | 1.00 | 0.50 | 1.25 | 20.0 | 1.00 | 12 |\n\
            | gateway | 750 | 0.75 | 0.50 | 1.25 | 20.0 | 1.00 | 12 |\n\
            | haproxy | **failed**: 3 requests were not answered as they should be |\n\
            | caddy | **failed**: it has ended |\n";
        assert_eq!(text, expected);
        let told = [
            "small-8, haproxy: 3 requests were not answered as they should be",
            "small-8, caddy: it has ended",
        ];
        assert_eq!(failures, told);
    }
}
