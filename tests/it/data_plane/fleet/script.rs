//! The script alone: the same decisions as a bucket of ten lines, by a table of times and by chance.

use apigateway::outbound::valkey::script::TOKEN_BUCKET;

use crate::support::valkey::{Valkey, valkey};

/// 2026 in µs: sixteen digits.
const BASE: f64 = 1_790_000_000_000_000.0;

/// What the script answers at a time: taken, left, µs until a token.
fn run(valkey: &Valkey, key: &str, (step, burst): (f64, u64), want: i64, now: f64) -> Vec<i64> {
    let (step, burst) = (format!("{step:.16e}"), burst.to_string());
    let (want, now) = (want.to_string(), format!("{now:.0}"));
    let words = ["EVAL", TOKEN_BUCKET, "1", key, &step, &burst, &want, &now];
    let answer = valkey.command(&words);
    answer
        .lines()
        .map(|line| line.parse().unwrap_or_else(|_| panic!("{answer}")))
        .collect()
}

#[test]
fn tokens_by_a_table_of_times() {
    let Some(valkey) = valkey(&[]) else { return };
    let second = 1e6;
    for (at, (limits, calls)) in [
        // Rate 1, burst 2.
        (
            (second, 2),
            &[
                (0.0, 1, [1, 1, 0]),
                (0.0, 3, [1, 0, 1_000_000]),
                (999_998.0, 1, [0, 0, 2]),
                (1_000_000.0, 1, [1, 0, 0]),
                (9_000_000.0, 0, [0, 2, 0]),
                (9_000_000.0, 5, [2, 0, 1_000_000]),
                // Given back, and never more than a full bucket.
                (9_000_000.0, -1, [-1, 1, 0]),
                (9_000_000.0, -9, [-1, 2, 0]),
                (9_000_000.0, 2, [2, 0, 0]),
                // A clock that goes back gives nothing.
                (8_000_000.0, 1, [0, 0, 1_000_000]),
            ][..],
        ),
        // A third of a second has no end in decimals.
        (
            (second / 3.0, 3),
            &[
                (0.0, 3, [3, 0, 0]),
                (333_332.0, 1, [0, 0, 2]),
                (333_334.0, 1, [1, 0, 0]),
            ],
        ),
        // A key that is new is a full bucket; giving back to it changes nothing.
        ((second, 5), &[(0.0, -3, [0, 5, 0]), (0.0, 6, [5, 0, 1_000_000])]),
    ]
    .into_iter()
    .enumerate()
    {
        for (time, want, expected) in calls {
            let answer = run(&valkey, &format!("k{at}"), limits, *want, BASE + time);
            assert_eq!(answer, expected, "case {at}: {want} at {time}");
        }
    }
    // What stands there and is no number is a full bucket.
    valkey.command(&["SET", "odd", "nan"]);
    assert_eq!(run(&valkey, "odd", (second, 2), 1, BASE), [1, 1, 0]);
    valkey.command(&["SET", "odd", "word"]);
    assert_eq!(run(&valkey, "odd", (second, 2), 1, BASE), [1, 1, 0]);
    // Far in the future it is an empty one, and no emptier.
    valkey.command(&["SET", "odd", "9e99"]);
    assert_eq!(run(&valkey, "odd", (second, 2), 1, BASE), [0, 0, 1_000_000]);
}

#[test]
fn the_same_as_a_bucket_of_ten_lines_whatever_comes() {
    let Some(valkey) = valkey(&[]) else { return };
    let mut seed: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut random = |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    for round in 0..20 {
        // Steps of whole µs, so that the bucket here is exact.
        let (step, burst) = (1 + random(50_000), 1 + random(300));
        let (mut tokens, mut last, mut now) = (burst * step, 0, 0);
        for _ in 0..40 {
            now += random(step * burst / 4 + 2);
            let want = random(burst + 3);
            // In parts of a token, each of which is a µs.
            tokens = (tokens + now - last).min(burst * step);
            last = now;
            let taken = want.min(tokens / step);
            tokens -= taken * step;
            let answer = run(
                &valkey,
                &format!("random{round}"),
                (step as f64, burst),
                want as i64,
                BASE + now as f64,
            );
            let expected = [taken as i64, (tokens / step) as i64];
            assert_eq!(
                answer[..2],
                expected,
                "step {step}, burst {burst}, want {want} at {now}"
            );
        }
    }
}
