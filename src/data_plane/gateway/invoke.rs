//! How a function is reached, whoever wants it invoked.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::data_plane::gateway::Gateway;
use crate::data_plane::lambda::invocation::{self, InvocationError, Invoked};
use crate::definition::notation::arn::FunctionArn;
use crate::deployment::function::Function;
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
        let uri = match (function, &self.settings.lambda_endpoint) {
            (Function::Local(definition), _) => {
                return self.run(definition, arn, &event, trace_id, timeout, client);
            }
            (Function::At(uri), _) => Cow::Borrowed(uri),
            (Function::AtEndpoint, Some(endpoint)) => Cow::Owned(invocation::at_endpoint(endpoint, arn)),
            (Function::AtEndpoint, None) => {
                let name = arn.name();
                let reason = format!("there is neither a file functions/{name}.json nor a --lambda-endpoint");
                return Err(InvocationError::Failed(reason));
            }
        };
        let request = invocation::request(&uri, event, trace_id, timeout, client);
        invocation::read(self.upstream.send(request)?)
    }

    /// Gives an event to a function that runs here.
    fn run(
        &self,
        definition: &Arc<Definition>,
        arn: &FunctionArn,
        event: &[u8],
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
            Err(FunctionError::Throttled) => Err(InvocationError::Throttled),
            Err(FunctionError::ClientGone) => Err(InvocationError::ClientGone),
            Err(error @ FunctionError::Overloaded(_)) => Err(InvocationError::Overloaded(error.to_string())),
            Err(error) => Err(InvocationError::Failed(error.to_string())),
        }
    }
}
