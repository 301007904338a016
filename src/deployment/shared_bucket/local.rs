//! The bucket of one gateway alone, for the time when the others cannot be asked.

use std::time::Instant;

use crate::deployment::token_bucket::Limits;

/// A bucket of this gateway alone, with its part of the tokens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Local {
    tokens: f64,
    at: Instant,
    /// One of so many parts.
    gateways: u64,
    /// Tokens that were taken since the last answer.
    spent: u64,
}

impl Local {
    /// A full one, before the first answer.
    pub(super) fn full(limits: Limits, gateways: u64, now: Instant) -> Local {
        Local::holding(f64::INFINITY, limits, gateways, now)
    }

    /// One with so many tokens, as far as it takes them.
    pub(super) fn holding(tokens: f64, limits: Limits, gateways: u64, now: Instant) -> Local {
        Local {
            tokens: tokens.min(local_limits(limits, gateways).1),
            at: now,
            gateways,
            spent: 0,
        }
    }

    /// Takes a token, if there is one.
    pub(super) fn take(&mut self, limits: Limits, gateways: u64, now: Instant) -> bool {
        self.gateways = gateways;
        self.tokens = self.tokens_at(limits, now);
        self.at = now.max(self.at);
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        self.spent = self.spent.saturating_add(1);
        true
    }

    /// What it holds at a moment.
    fn tokens_at(self, limits: Limits, now: Instant) -> f64 {
        let (rate, burst) = local_limits(limits, self.gateways);
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        (self.tokens + rate * since).min(burst)
    }

    /// How many tokens of the others' bucket, which has that many left, were spent here while it could not be asked: it
    /// went on filling.
    pub(super) fn owes(self, limits: Limits, free: f64, now: Instant) -> u64 {
        let more = free / parts(self.gateways) - self.tokens_at(limits, now);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is positive, and the cast stops at the largest number"
        )]
        let more = more.max(0.0) as u64;
        more.min(self.spent)
    }
}

/// Tokens a second and at once of one of so many gateways.
fn local_limits(limits: Limits, gateways: u64) -> (f64, f64) {
    #[expect(clippy::cast_precision_loss, reason = "what is lost is far below a token")]
    let burst = limits.burst() as f64;
    (limits.rate() / parts(gateways), (burst / parts(gateways)).max(1.0))
}

pub(super) fn parts(gateways: u64) -> f64 {
    f64::from(u32::try_from(gateways.max(1)).unwrap_or(u32::MAX))
}
