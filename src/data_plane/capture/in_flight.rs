//! A request on its way, as far as it is captured.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::data_plane::capture::copied_stream::{CopiedStream, Side};
use crate::data_plane::capture::entry::{Authorization, Detail, Fields, MAX_TARGET, Outcome, SentHead, Why};
use crate::data_plane::capture::ring::Entry;
use crate::data_plane::capture::{Capture, State, copies};
use crate::data_plane::context_variables::RequestContext;
use crate::data_plane::error::GatewayError;
use crate::deployment::authorizer::Authorization as Asked;
use crate::deployment::configuration::Configuration;
use crate::deployment::route_state::{NONE, RouteState};
use crate::http1::framing::Framing;
use crate::http1::message::{Body, Request, Response};
use crate::identity::caller::Caller;
use crate::outbound::upstream::{IntegrationRequest, framing_of_unknown};

/// Nothing where nothing is captured.
#[derive(Debug, Default)]
pub struct InFlight(Option<Captured>);

#[derive(Debug)]
struct Captured {
    capture: Arc<Capture>,
    place: Place,
    /// From when steps are timed.
    first_byte: Instant,
    began: Instant,
    time: SystemTime,
    /// What is noted for the detail, where somebody watches.
    notes: Option<Box<Outcome>>,
}

/// Where its entry is.
#[derive(Debug)]
enum Place {
    /// Still here: what it begins with, and its target where that is not the path.
    Prepared(Option<Box<Detail>>, Option<String>),
    /// In the ring, under this number.
    Entered(u64),
}

/// A step that is over.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Its route is found.
    Routed,
    /// It has its token.
    Throttled,
    /// The head of the integration's answer is here.
    IntegrationHead,
    /// The integration gives no answer.
    IntegrationFailed,
}

/// What is known of a request that has its answer.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    /// Where it is counted.
    pub state: &'a Arc<RouteState>,
    /// How long its integration took, if it was asked.
    pub integration_latency: Option<Duration>,
    /// Bytes of its content.
    pub received: u64,
    /// What failed.
    pub error: Option<&'a str>,
}

impl InFlight {
    /// A request that has just come. Nobody sees it before it is entered.
    pub fn prepare(
        capture: Option<&Arc<Capture>>,
        context: &RequestContext,
        request: &Request,
        configuration: &Arc<Configuration>,
    ) -> InFlight {
        let Some(capture) = capture else {
            return InFlight(None);
        };
        let takes_details = capture.takes_details.load(Ordering::Relaxed);
        let detail = takes_details.then(|| copies::detail(request, configuration, capture.keeps_secrets));
        // Most requests have no query, and cost no allocation.
        let target = copies::target(request, capture.keeps_secrets);
        let first_byte = request.first_byte.unwrap_or(context.began);
        let mut notes = takes_details.then(Box::<Outcome>::default);
        if let Some(notes) = &mut notes {
            notes.timing.received = Some(first_byte.elapsed());
        }
        InFlight(Some(Captured {
            capture: Arc::clone(capture),
            place: Place::Prepared(detail, target),
            first_byte,
            began: context.began,
            time: context.time,
            notes,
        }))
    }

    /// From now on it is seen, with the route that was found; once is enough.
    pub fn enter(&mut self, context: &RequestContext, request: &Request, route: Option<&Arc<RouteState>>) {
        let Some(captured) = &mut self.0 else { return };
        let Place::Prepared(detail, target) = &mut captured.place else {
            return;
        };
        let (detail, target) = (detail.take(), target.take());
        let capture = &captured.capture;
        let is_watched = capture.is_watched.load(Ordering::Relaxed);
        let mut locked = capture.state();
        let state = &mut *locked;
        let replay_of = match state.replays.is_empty() {
            true => None,
            false => state.replays.remove(&request.peer),
        };
        let is_current = |detail: &Detail| matches!(&detail.why, Why::Ask(of) if of.ptr_eq(&state.current));
        let is_outdated = detail.as_deref().is_some_and(|detail| !is_current(detail));
        let (number, before) = state.ring.begin(detail, |summary| {
            summary.request_id.push_str(&context.request_id);
            summary.time = context.time;
            summary.method.push_str(&request.method);
            let path = target.as_deref().unwrap_or_else(|| context.sent_path(request));
            summary.path.push_str(path);
            summary.source_ip = context.client.address;
            summary.state = route.cloned();
            summary.replay_of = replay_of;
        });
        captured.place = Place::Entered(number);
        if is_outdated && let Some(entry) = state.ring.get_mut(number) {
            capture.tell_why(entry);
        }
        if is_watched
            && let Some(entry) = state.ring.get_mut(number)
            && state.events.request(&entry.summary, context.began)
        {
            capture.told.notify_all();
        }
        drop(locked);
        // Others need not wait until its memory is given back.
        drop(before);
    }

    /// Copies the content of the request, where that is still on its way.
    pub fn copy_content(&self, request: &mut Request) {
        if let Some(captured) = self.0.as_ref().filter(|captured| captured.notes.is_some())
            && let (Place::Entered(number), Body::Stream(stream)) = (&captured.place, &mut request.body)
        {
            CopiedStream::insert(stream, &captured.capture, *number, Side::Request, captured.first_byte);
        }
    }

    fn notes(&mut self) -> Option<(&mut Outcome, Duration)> {
        let captured = self.0.as_mut()?;
        let at = captured.first_byte;
        captured.notes.as_deref_mut().map(|notes| (notes, at.elapsed()))
    }

    /// A step is over.
    pub fn note(&mut self, step: Step) {
        if let Some((Outcome { timing, .. }, now)) = self.notes() {
            let place = match step {
                Step::Routed => &mut timing.routed,
                Step::Throttled => &mut timing.throttled,
                Step::IntegrationHead => &mut timing.integration_head,
                Step::IntegrationFailed => &mut timing.integration_end,
            };
            *place = Some(now);
        }
    }

    /// It is known who asks, or that they may not pass, where the route wants to know.
    pub fn note_authorization(&mut self, asked: &Asked, caller: Result<&Caller, &GatewayError>) {
        if matches!(asked, Asked::None) {
            return;
        }
        if let Some((notes, now)) = self.notes() {
            notes.timing.authorized = Some(now);
            notes.authorization = Some(Authorization {
                authorizer: match asked {
                    Asked::None => "NONE".to_owned(),
                    Asked::Jwt { authorizer, .. } => format!("JWT {}", authorizer.id),
                    Asked::Lambda(authorizer) => format!("CUSTOM {}", authorizer.id),
                    Asked::Iam => "AWS_IAM".to_owned(),
                },
                is_allowed: caller.is_ok(),
                cause: caller.err().and_then(GatewayError::cause).map(str::to_owned),
                principal: match caller {
                    Ok(Caller::Jwt(token)) => token.claims.get("sub").cloned(),
                    Ok(Caller::Lambda { principal_id, .. }) => principal_id.clone(),
                    Ok(Caller::Iam(identity)) => Some(identity.user_arn.clone()),
                    Ok(Caller::Anybody) | Err(_) => None,
                },
            });
        }
    }

    /// This request goes to the integration.
    pub fn note_request(&mut self, request: &IntegrationRequest) {
        let keeps_secrets = self.0.as_ref().is_some_and(|captured| captured.capture.keeps_secrets);
        if let Some((notes, now)) = self.notes() {
            notes.timing.integration_start = Some(now);
            let parts = &request.parts;
            let (scheme, query) = (request.scheme.as_str(), parts.query.as_deref());
            let length = scheme.len() + "://?".len() + request.authority.len() + parts.path.len();
            let mut target = String::with_capacity(length + query.map_or(0, str::len));
            for part in [scheme, "://", &request.authority, &parts.path] {
                target.push_str(part);
            }
            if let Some(query) = query {
                target.push('?');
                copies::push_query(&mut target, query, keeps_secrets);
            }
            copies::truncate(&mut target, MAX_TARGET);
            let mut fields = Fields::of(&parts.headers, keeps_secrets, 1);
            let length = request.body.length();
            if let Some(length) = length {
                fields.add_framing(Framing::Length(length));
            }
            notes.sent = Some(SentHead {
                method: request.method.as_str(),
                target,
                fields,
                is_framed: length.is_some(),
            });
        }
    }

    /// A function is invoked, or a service called, which has no head to show.
    pub fn note_call(&mut self, method: &'static str, target: impl FnOnce() -> String) {
        if let Some((notes, now)) = self.notes() {
            notes.timing.integration_start = Some(now);
            notes.sent = Some(SentHead {
                method,
                target: target(),
                fields: Fields::default(),
                is_framed: true,
            });
        }
    }

    /// Its answer is here, and its content is still on its way.
    pub fn answered(&mut self, answered: &Answered<'_>, response: &mut Response) {
        let Some(captured) = &mut self.0 else { return };
        let Place::Entered(number) = captured.place else {
            return;
        };
        let outcome = captured.outcome(Some((answered, response)));
        let is_detailed = outcome.is_some();
        let status = response.status;
        captured.capture.state().ring.change(number, |entry| {
            fill(entry, answered, status, outcome);
        });
        if is_detailed && let Body::Stream(stream) = &mut response.body {
            CopiedStream::insert(stream, &captured.capture, number, Side::Response, captured.first_byte);
        }
    }

    /// Its answer is sent, or as much of it as can be: so many bytes of content. Where its content was here whole, the
    /// answer is told as well.
    pub fn end(
        mut self,
        status: u16,
        latency: Duration,
        sent: u64,
        whole: Option<(&Answered<'_>, &Response)>,
        failure: Option<&str>,
    ) {
        let Some(mut captured) = self.0.take() else { return };
        let outcome = captured.outcome(whole);
        let Captured {
            capture,
            place: Place::Entered(number),
            ..
        } = &captured
        else {
            return;
        };
        let waited = captured.began.saturating_duration_since(captured.first_byte);
        let is_watched = capture.is_watched.load(Ordering::Relaxed);
        let second = captured.time.duration_since(UNIX_EPOCH).unwrap_or_default() + latency;
        let second = second.as_secs();
        let mut state = capture.state();
        let State {
            ring, rates, events, ..
        } = &mut *state;
        let Some(entry) = ring.get_mut(*number) else {
            // It is forgotten, but counts.
            let api = whole.map_or(NONE, |(answered, _)| &answered.state.api);
            let integration_latency = whole.and_then(|(answered, _)| answered.integration_latency);
            rates.count(second, api, status, latency, integration_latency);
            return;
        };
        match whole {
            Some((answered, response)) => fill(entry, answered, response.status, outcome),
            None => put(entry, outcome),
        }
        let summary = &mut entry.summary;
        summary.status = Some(status);
        summary.latency = Some(latency);
        summary.bytes_out = sent;
        summary.is_done = true;
        let api = summary.state.as_ref().map_or(NONE, |state| &state.api);
        rates.count(second, api, status, latency, summary.integration_latency);
        let is_told = is_watched && events.request(summary, captured.began + latency);
        if let Some(detail) = &mut entry.detail {
            let outcome = detail.outcome.get_or_insert_default();
            // One moment stands for all that follows the integration. The steps are noted some microseconds later.
            let before = outcome.timing.integration_end.unwrap_or_default();
            outcome.timing.sent = Some(before.max(latency + waited));
            if let Some(failure) = failure {
                outcome.integration_error.get_or_insert_with(|| failure.to_owned());
            }
            ring.measure(*number);
        }
        if is_told {
            capture.told.notify_all();
        }
    }
}

/// A request that nothing else ended.
impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(captured) = self.0.take() {
            let latency = captured.began.elapsed();
            let status = GatewayError::ClientGone.status();
            InFlight(Some(captured)).end(status, latency, 0, None, None);
        }
    }
}

impl Captured {
    /// What was noted, with fields and content of the answer where there is one.
    fn outcome(&mut self, answered: Option<(&Answered<'_>, &Response)>) -> Option<Box<Outcome>> {
        let mut outcome = self.notes.take()?;
        if let Some((answered, response)) = answered {
            outcome.response_fields = Fields::of(&response.headers, self.capture.keeps_secrets, 0);
            outcome.response_body = copies::body(&response.body);
            outcome.integration_error = answered.error.map(str::to_owned);
        }
        let timing = &mut outcome.timing;
        // A stream notes its own end later.
        timing.integration_end = timing.integration_end.or(timing.integration_head);
        Some(outcome)
    }
}

fn fill(entry: &mut Entry, answered: &Answered<'_>, status: u16, outcome: Option<Box<Outcome>>) {
    let summary = &mut entry.summary;
    summary.status = Some(status);
    summary.state = Some(Arc::clone(answered.state));
    summary.integration_latency = answered.integration_latency;
    summary.bytes_in = answered.received;
    put(entry, outcome);
}

fn put(entry: &mut Entry, outcome: Option<Box<Outcome>>) {
    if let (Some(detail), Some(mut outcome)) = (&mut entry.detail, outcome) {
        // The upstream has read the beginning of content of unknown length before it has written its head.
        if let Some(sent) = outcome.sent.as_mut().filter(|sent| !sent.is_framed) {
            sent.fields.add_framing(framing_of_unknown(detail.request_body.length));
        }
        detail.outcome = Some(outcome);
    }
}
