//! What a bucket asks for, and what becomes of the answer.

use super::*;

/// Ten seconds, of which no test comes near the end.
const LONG: Duration = Duration::from_secs(10);

fn wait(bucket: &SharedBucket, limits: Limits, now: Instant) -> Arc<Waiter> {
    match bucket.begin(limits, now, true, || true) {
        Step::Wait(waiter) => waiter,
        Step::Decided(decision) => panic!("{decision:?}"),
    }
}

fn decided(bucket: &SharedBucket, limits: Limits, now: Instant, is_shared: bool) -> Decision {
    match bucket.begin(limits, now, is_shared, || true) {
        Step::Decided(decision) => decision,
        Step::Wait(_) => panic!("it waits"),
    }
}

fn taken(taken: u64, free: u64, wait: f64) -> Taken {
    Taken { taken, free, wait }
}

#[test]
fn the_first_pass_and_a_no_is_remembered() {
    // F6.
    let (bucket, limits, now) = (SharedBucket::new(), Limits::new(10.0, 5), Instant::now());
    let waiters: Vec<_> = (0..4).map(|_| wait(&bucket, limits, now)).collect();
    let demand = bucket.gather(now, false);
    assert_eq!(demand.want, 4);
    let late = wait(&bucket, limits, now);
    bucket.settle(demand, taken(3, 0, 80_000.0), 1, now, 0.0);
    let decisions: Vec<_> = waiters.iter().map(|waiter| waiter.wait(now + LONG).unwrap()).collect();
    let passed = Decision::Passed;
    assert_eq!(decisions, [passed, passed, passed, Decision::Denied]);
    assert_eq!(
        late.wait(now + LONG),
        Some(Decision::DeniedHere),
        "it would be told the same"
    );
    // For 50 ms at most.
    let at = |millis| now + Duration::from_millis(millis);
    assert_eq!(decided(&bucket, limits, at(49), true), Decision::DeniedHere);
    wait(&bucket, limits, at(51));
}

#[test]
fn a_no_is_remembered_no_longer_than_half_the_burst_takes() {
    for (limits, answered, remembered) in [
        // 1000 a second and 4 at once: 2 ms. A large burst: 5 ms. A slow one: what is answered.
        (Limits::new(1000.0, 4), 0.0, 2_000),
        (Limits::new(1000.0, 1000), 0.0, 5_000),
        (Limits::new(10.0, 10), 30_000.0, 30_000),
        (Limits::new(0.1, 1), 9e6, 50_000),
    ] {
        for chance in [0.0, 1.0] {
            let (bucket, now) = (SharedBucket::new(), Instant::now());
            wait(&bucket, limits, now);
            bucket.settle(bucket.gather(now, false), taken(0, 0, answered), 1, now, chance);
            let micros = if chance > 0.5 { remembered * 6 / 5 } else { remembered };
            let before = now + Duration::from_micros(micros - 10);
            assert_eq!(decided(&bucket, limits, before, true), Decision::DeniedHere);
            wait(&bucket, limits, now + Duration::from_micros(micros + 10));
        }
    }
}

#[test]
fn tokens_are_held_for_10_ms_of_the_demand_and_a_200th_of_the_burst() {
    // F4, F6.
    for (limits, requests, held) in [
        (Limits::new(1.0, 199), 1000, 0),
        (Limits::new(1.0, 200), 1000, 1),
        (Limits::new(1.0, 2000), 1000, 5),
        (Limits::new(1.0, 2000), 10_000, 10),
        (Limits::new(1.0, 2000), 100, 0),
    ] {
        let (bucket, began) = (SharedBucket::new(), Instant::now());
        let now = began + Duration::from_secs(1);
        let waiters: Vec<_> = (0..requests).map(|_| wait(&bucket, limits, now)).collect();
        let demand = bucket.gather(now, false);
        // The demand is the mean of this second's and none before it, less a little for the bucket's making.
        let ahead = u64::try_from(demand.want).unwrap() - waiters.len() as u64;
        assert!(
            (held - held.min(1)..=held).contains(&ahead),
            "{limits:?}: {ahead} of {held}"
        );
    }
}

#[test]
fn what_is_held_is_spent_without_a_wait_and_given_back_unused() {
    let (bucket, limits, now) = (SharedBucket::new(), Limits::new(1.0, 1000), Instant::now());
    let waiter = wait(&bucket, limits, now);
    let mut demand = bucket.gather(now, false);
    // As if there were a demand.
    demand.want = 6;
    bucket.settle(demand, taken(6, 900, 0.0), 1, now, 0.0);
    assert_eq!(waiter.wait(now + LONG), Some(Decision::Passed));
    assert_eq!(bucket.held(), 5);
    assert_eq!(decided(&bucket, limits, now, true), Decision::Held);
    assert_eq!(decided(&bucket, limits, now, false), Decision::Held, "also alone");
    assert_eq!(bucket.gather(now + HELD_FOR - Duration::from_millis(1), false).want, 0);
    assert_eq!(bucket.gather(now + HELD_FOR, false).want, -3);
    assert_eq!(bucket.held(), 0);
}

#[test]
fn tokens_of_those_that_are_gone_serve_others_or_are_given_back() {
    let (bucket, limits, now) = (SharedBucket::new(), Limits::new(1.0, 100), Instant::now());
    let waiters: Vec<_> = (0..3).map(|_| wait(&bucket, limits, now)).collect();
    let demand = bucket.gather(now, false);
    for waiter in &waiters[1..] {
        assert_eq!(waiter.wait(now), None, "time is up");
    }
    let next = wait(&bucket, limits, now);
    bucket.settle(demand, taken(3, 90, 0.0), 1, now, 0.0);
    assert_eq!(waiters[0].wait(now + LONG), Some(Decision::Passed));
    assert!(bucket.is_unsettled());
    let demand = bucket.gather(now, false);
    assert_eq!(next.wait(now + LONG), Some(Decision::Held));
    assert_eq!((demand.want, bucket.held()), (-1, 0));
    bucket.settle(demand, taken(0, 91, 0.0), 1, now, 0.0);
    assert!(!bucket.is_unsettled());
}

#[test]
fn alone_a_gateway_has_its_part_and_failures_do_not_fill_it() {
    // F8.
    let (bucket, limits, now) = (SharedBucket::new(), Limits::new(3.0, 30), Instant::now());
    let passed = |gateways, at| (0..50).filter(|_| bucket.take_local(limits, gateways, at)).count();
    assert_eq!(passed(3, now), 10, "full before the first answer");
    wait(&bucket, limits, now);
    bucket.settle(bucket.gather(now, false), taken(1, 0, 0.0), 3, now, 0.0);
    assert_eq!(passed(3, now), 0, "the last answer said that nothing is left");
    for _ in 0..5 {
        let waiter = wait(&bucket, limits, now);
        bucket.release(Some(bucket.gather(now, false)));
        assert_eq!(waiter.wait(now + LONG), Some(Decision::Local));
        assert_eq!(passed(3, now), 0);
    }
    assert_eq!(passed(3, now + Duration::from_secs(2)), 2, "a third of the rate");
    assert_eq!(passed(3, now + Duration::from_secs(60)), 10, "a third of the burst");
    // A burst of less than one for each is one.
    let small = SharedBucket::new();
    assert!(small.take_local(Limits::new(1.0, 2), 5, now));
    assert!(!small.take_local(Limits::new(1.0, 2), 5, now));
}

#[test]
fn what_was_spent_alone_is_made_good() {
    let (bucket, limits, now) = (SharedBucket::new(), Limits::new(30.0, 60), Instant::now());
    let answer = |want, free, at| {
        let waiter = wait(&bucket, limits, at);
        let demand = bucket.gather(at, false);
        assert_eq!(demand.want, want);
        bucket.settle(demand, taken(1, free, 0.0), 3, at, 0.0);
        assert_eq!(waiter.wait(at + LONG), Some(Decision::Passed));
    };
    answer(1, 0, now);
    // A second alone, with as many requests as may be. Meanwhile the bucket of all fills by 30, a third of it of this one's.
    let later = now + Duration::from_secs(1);
    assert_eq!((0..50).filter(|_| bucket.take_local(limits, 3, later)).count(), 10);
    answer(1, 29, later);
    assert!(bucket.is_unsettled());
    let demand = bucket.gather(later, false);
    assert_eq!(demand.want, 9, "of the 29 a third");
    bucket.settle(demand, taken(9, 20, 0.0), 3, later, 0.0);
    assert_eq!(bucket.held(), 0);
    assert!(!bucket.is_unsettled());
    // Below the limit nothing is owed: the bucket here is as full as the other one.
    let later = later + Duration::from_secs(60);
    assert!(bucket.take_local(limits, 3, later));
    let much_later = later + Duration::from_secs(60);
    answer(1, 59, much_later);
    assert!(!bucket.is_unsettled());
}

#[test]
fn where_nothing_is_shared_no_request_waits() {
    let (bucket, limits, now) = (SharedBucket::new(), Limits::new(1.0, 1), Instant::now());
    assert_eq!(decided(&bucket, limits, now, false), Decision::Local);
    let refused = bucket.begin(limits, now, true, || false);
    assert!(matches!(refused, Step::Decided(Decision::Local)));
    assert_eq!(bucket.gather(now, false).want, 0);
}
