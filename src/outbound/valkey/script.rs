//! The scripts that run in Valkey, and what they are called with.

use crate::outbound::valkey::error::CallError;

/// Takes tokens of a bucket, or gives some back (`F2`, `F3`).
///
/// The bucket is one number, the moment in µs of the server's clock at which it is full again. The arguments are the
/// µs that a token takes, the tokens of a full bucket, how many are wanted (below 0: given back), and for tests the
/// time. It answers how many were taken, how many are left, and the µs until there is one where fewer were taken.
pub const TOKEN_BUCKET: &str = r"
local step, burst, want = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local now = tonumber(ARGV[4])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local full = burst * step
local tat = tonumber(redis.call('GET', KEYS[1]) or '') or now
if not (tat > now) then tat = now end
if tat > now + full then tat = now + full end
local free = math.floor((now + full - tat) / step + 0.000001)
local taken = math.max(math.min(want, free), 0)
if want < 0 then taken = -math.min(-want, math.max(burst - free, 0)) end
if taken ~= 0 then
  tat = math.max(tat + taken * step, now)
  local expiry = math.ceil((tat - now) / 1000) + 1000
  redis.call('SET', KEYS[1], string.format('%.3f', tat), 'PX', string.format('%.0f', expiry))
end
local wait = 0
if taken < want then wait = math.max(math.ceil(tat + step - full - now), 0) end
return {taken, math.max(free - taken, 0), wait}
";

/// Notes that a gateway lives, forgets those that are silent for 5 s, and answers how many there are (`F14`).
pub const PRESENCE: &str = r"
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
redis.call('ZADD', KEYS[1], string.format('%.3f', now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.3f', now - 5))
redis.call('EXPIRE', KEYS[1], 60)
return {redis.call('ZCARD', KEYS[1])}
";

/// One call of a script, or a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// Of [`TOKEN_BUCKET`].
    Tokens {
        /// The bucket's key.
        key: String,
        /// µs that a token takes.
        step: f64,
        /// Tokens of a full bucket.
        burst: u64,
        /// Tokens that are wanted; below 0 they are given back.
        want: i64,
    },
    /// Of [`PRESENCE`].
    Presence {
        /// The key of the sorted set.
        key: String,
        /// The gateway.
        id: String,
    },
    /// A gateway is gone.
    Leave {
        /// The key of the sorted set.
        key: String,
        /// The gateway.
        id: String,
    },
}

/// What the server answers to a call.
#[derive(Debug)]
pub enum Answer {
    /// The numbers that a script returns.
    Numbers(Vec<i64>),
    /// It refuses.
    Refused(CallError),
    /// It does not know the script.
    NoScript,
}

/// The names that the server gives the scripts.
#[derive(Debug, Default)]
pub(super) struct Hashes {
    pub(super) token_bucket: String,
    pub(super) presence: String,
}

impl Call {
    /// The bytes of the call.
    pub(super) fn packed(&self, hashes: &Hashes) -> Vec<u8> {
        match self {
            Call::Tokens { key, step, burst, want } => redis::cmd("EVALSHA")
                .arg(&hashes.token_bucket)
                .arg(1)
                .arg(key)
                // 17 digits tell one number from every other.
                .arg(format!("{step:.16e}"))
                .arg(burst)
                .arg(want)
                .get_packed_command(),
            Call::Presence { key, id } => redis::cmd("EVALSHA")
                .arg(&hashes.presence)
                .arg(1)
                .arg(key)
                .arg(id)
                .get_packed_command(),
            Call::Leave { key, id } => redis::cmd("ZREM").arg(key).arg(id).get_packed_command(),
        }
    }
}
