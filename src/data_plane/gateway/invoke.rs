//! Invokes a function for a route or for a Lambda authorizer: at its URL, at `--lambda-endpoint`, or in a process.

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::data_plane::gateway::Gateway;
use crate::data_plane::lambda::concurrency::Refusal;
use crate::data_plane::lambda::invocation::{self, InvocationError, Invoked};
use crate::definition::notation::arn::FunctionArn;
use crate::deployment::function::{Function, default_concurrency};
use crate::http1::message::{Client, Headers};
use crate::outbound::function::{self, Answer, Definition, FunctionError};
use crate::outbound::upstream::UpstreamError;

impl Gateway {
    /// Gives an event to a function, and takes what it gives back, for a client.
    pub(super) fn invoke(
        &self,
        function: &Function,
        arn: &FunctionArn,
        event: Vec<u8>,
        trace_id: &[u8],
        timeout: Duration,
        client: Option<Client>,
    ) -> Result<Invoked, InvocationError> {
        let (uri, most) = match (function, &self.settings.lambda_endpoint) {
            (Function::Local(definition), _) => {
                return self.run(definition, arn, event, trace_id, timeout, client);
            }
            (Function::At(endpoint), _) => (Cow::Borrowed(&endpoint.uri), endpoint.concurrency),
            (Function::AtEndpoint, Some(endpoint)) => {
                let uri = invocation::at_endpoint(endpoint, arn);
                let most = default_concurrency(&uri);
                (Cow::Owned(uri), most)
            }
            (Function::AtEndpoint, None) => {
                let name = arn.name();
                let reason = format!("there is neither a file functions/{name}.json nor a --lambda-endpoint");
                return Err(InvocationError::Failed(reason));
            }
        };
        let Some(most) = most else {
            let request = invocation::request(&uri, event, trace_id, timeout, client);
            return invocation::read(self.upstream.send(request)?);
        };
        // Whoever waits holds a worker, so it counts among those that wait for the destination.
        let slot = self.upstream.take_slot(uri.scheme, &uri.authority)?;
        let until = Instant::now() + timeout;
        let turn = self.endpoints.wait_for_turn(&uri, most, until, client.as_ref());
        let turn = turn.map_err(|refusal| match refusal {
            Refusal::TooMany(waiting) => InvocationError::Throttled(format!(
                "{}; {waiting} more events wait already",
                it_works_on(most, arn.name())
            )),
            Refusal::TimedOut => InvocationError::TimedOut(it_works_on(most, arn.name())),
            Refusal::ClientGone => InvocationError::ClientGone,
        })?;
        let left = until.saturating_duration_since(Instant::now());
        let request = invocation::request(&uri, event, trace_id, left, client);
        let answer = self.upstream.send_within(&slot, request);
        let outcome = answer.map_err(InvocationError::from).and_then(invocation::read);
        outcome.map_err(|error| match (error, turn.waited) {
            (InvocationError::TimedOut(_), Some(waited)) => {
                InvocationError::TimedOut(after_a_wait(timeout, waited, &it_works_on(most, arn.name())))
            }
            (error, _) => error,
        })
    }

    /// Gives an event to a function that runs here.
    fn run(
        &self,
        definition: &Arc<Definition>,
        arn: &FunctionArn,
        event: Vec<u8>,
        trace_id: &[u8],
        timeout: Duration,
        client: Option<Client>,
    ) -> Result<Invoked, InvocationError> {
        let invocation = function::Invocation {
            event,
            timeout,
            client,
            trace_id: str::from_utf8(trace_id).unwrap_or_default(),
            function_arn: &arn.to_string(),
        };
        match self.functions.invoke(definition, invocation) {
            Ok(Answer::Payload(payload)) => Ok(Invoked {
                payload,
                status: 200,
                headers: Headers::new(),
            }),
            Ok(Answer::Failed { message, report }) => Err(InvocationError::Function(report, message)),
            Err(FunctionError::TimedOut) => Err(UpstreamError::TimedOut(timeout).into()),
            Err(error @ FunctionError::NotReady) => Err(InvocationError::TimedOut(format!(
                "{error} within {} ms",
                timeout.as_millis()
            ))),
            Err(FunctionError::Busy { processes, begun_after }) => {
                let busy = all_were_busy(processes, &definition.name);
                Err(InvocationError::TimedOut(match begun_after {
                    Some(waited) => after_a_wait(timeout, waited, &busy),
                    None => busy,
                }))
            }
            Err(FunctionError::Throttled { processes, waiting }) => Err(InvocationError::Throttled(format!(
                "{}; {waiting} more events wait already",
                all_were_busy(processes, &definition.name)
            ))),
            Err(FunctionError::ClientGone) => Err(InvocationError::ClientGone),
            Err(error @ FunctionError::Overloaded(_)) => Err(InvocationError::Overloaded(error.to_string())),
            Err(error) => Err(InvocationError::Failed(error.to_string())),
        }
    }
}

/// Why an event for a function that runs here was not taken.
fn all_were_busy(processes: NonZeroUsize, name: &str) -> String {
    let cure = format!("raise Concurrency in functions/{name}.json");
    match processes.get() {
        1 => format!("the only process was busy: {cure}"),
        processes => format!("all {processes} processes were busy: {cure}"),
    }
}

/// Why an event for a function that runs elsewhere was not sent.
fn it_works_on(most: NonZeroUsize, name: &str) -> String {
    match most.get() {
        1 => format!("it was busy with one event, and gets one at once: Concurrency in functions/{name}.json"),
        most => {
            format!("it was busy with {most} events, and gets {most} at once: Concurrency in functions/{name}.json")
        }
    }
}

/// Why an event that was begun late has no answer.
fn after_a_wait(timeout: Duration, waited: Duration, why: &str) -> String {
    let (timeout, waited) = (timeout.as_millis(), waited.as_millis());
    format!("no whole answer within {timeout} ms, {waited} ms of which it waited, since {why}")
}
