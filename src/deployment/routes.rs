//! Which route answers a request (`R1.12`–`R1.28`).
//!
//! [`Precedence`] is the one place that says which of two matching routes wins. Routes are sorted by it once;
//! a tree over their segments then finds those that match, and the smallest rank among them is the answer. The
//! tree knows nothing of the order, so another order would change nothing but `Precedence`.
//!
//! A request costs by the nodes that match its path, not by the number of routes: with 10,000 routes of the usual
//! kind it is a handful. The tree leaves out branches whose least rank cannot win. A random-table test compares the
//! result with a literal reading of the rule.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crate::definition::notation::path::{InvalidPath, RequestPath};
use crate::definition::notation::route_key::{RouteKey, RouteMethod, Segment};
use crate::deployment::authorizer::Authorization;
use crate::deployment::integration::Integration;
use crate::deployment::path_parameter::PathParameter;
use crate::deployment::route_state::RouteState;
use crate::deployment::token_bucket::Limits;
use crate::http1::message::Method;

/// A route that can be served.
#[derive(Debug)]
pub struct Route {
    /// The file, for log lines.
    pub file: String,
    /// The key as written.
    pub key_text: String,
    /// What it answers to.
    pub key: RouteKey,
    /// What it asks of its callers.
    pub authorization: Authorization,
    /// Where its requests go; none where the route has no `Target`, and so cannot be served (`R1.11`).
    pub integration: Option<Arc<Integration>>,
    /// How many requests it takes; none where that has no limit.
    pub throttle: Option<Limits>,
    /// What is kept of it across deployments; set when it is deployed.
    pub state: OnceLock<Arc<RouteState>>,
}

/// The route of a request, and what its path variables stand for.
#[derive(Debug)]
pub struct RouteMatch {
    /// The route.
    pub route: Arc<Route>,
    /// The path variables in the order of the key.
    pub path_parameters: Vec<PathParameter>,
}

impl Route {
    /// The path of the key; none for `$default`.
    pub fn resource(&self) -> Option<&str> {
        self.key_text.split_once(' ').map(|(_, path)| path)
    }
}

impl RouteMatch {
    /// What a path variable stands for; none where the route has no such variable.
    pub fn parameter(&self, name: &str) -> Option<&PathParameter> {
        self.path_parameters.iter().find(|parameter| parameter.name == name)
    }
}

/// Which of two matching routes wins: the lesser one. The fields are the rules of `R1.19`, in order.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Precedence {
    class: Class,
    method: MethodRank,
    segments: Vec<SegmentRank>,
    longer_first: Reverse<usize>,
}

/// Rule 1: a complete match, then a greedy one, then `$default` (`R1.13`).
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Complete,
    Greedy,
    Default,
}

/// Rule 2: the method itself, then `ANY` (`R1.14`, `R1.18`).
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum MethodRank {
    Exact,
    Any,
}

/// Rule 3: from left to right, a literal, then a variable, then a greedy one (`R1.15`, `R1.16`).
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum SegmentRank {
    Literal,
    Variable,
    Greedy,
}

impl Precedence {
    /// The precedence of a route key.
    pub fn of(key: &RouteKey) -> Precedence {
        let RouteKey::Path { method, path } = key else {
            return Precedence {
                class: Class::Default,
                method: MethodRank::Any,
                segments: Vec::new(),
                longer_first: Reverse(0),
            };
        };
        Precedence {
            class: match path.last() {
                Some(Segment::Greedy(_)) => Class::Greedy,
                _ => Class::Complete,
            },
            method: match method {
                RouteMethod::Exact(_) => MethodRank::Exact,
                RouteMethod::Any => MethodRank::Any,
            },
            segments: path.iter().map(SegmentRank::of).collect(),
            longer_first: Reverse(path.len()),
        }
    }
}

impl Precedence {
    /// Why the route of this one comes before that of another, which it does.
    pub fn reason_over(&self, other: &Precedence) -> &'static str {
        if self.class != other.class {
            return match self.class {
                Class::Complete if other.class == Class::Greedy => "a path without a greedy variable comes first",
                _ => "$default comes last",
            };
        }
        if self.method != other.method {
            return "the method itself comes before ANY";
        }
        if self.segments != other.segments {
            return "from left to right, a literal comes before a variable, and that before a greedy one";
        }
        "the longer path comes first"
    }
}

impl SegmentRank {
    fn of(segment: &Segment) -> SegmentRank {
        match segment {
            Segment::Literal(_) => SegmentRank::Literal,
            Segment::Variable(_) => SegmentRank::Variable,
            Segment::Greedy(_) => SegmentRank::Greedy,
        }
    }
}

/// A place in the order of precedence; 0 wins over all.
type Rank = usize;

/// The routes of a stage.
#[derive(Debug, Default)]
pub struct Routes {
    by_rank: Vec<Arc<Route>>,
    default: Option<Rank>,
    tree: Node,
}

/// What can follow the segments that lead here.
#[derive(Debug, Default)]
struct Node {
    /// The least rank of any route at or below this node, to leave out what cannot win any more.
    least: Option<Rank>,
    literals: HashMap<String, Node>,
    variable: Option<Box<Node>>,
    /// Routes whose path ends here.
    complete: Vec<(RouteMethod, Rank)>,
    /// Routes that take at least one more segment, however many there are.
    greedy: Vec<(RouteMethod, Rank)>,
}

impl Routes {
    /// Sorts the routes by precedence and builds the tree.
    pub fn new(mut routes: Vec<Arc<Route>>) -> Routes {
        routes.sort_by_cached_key(|route| Precedence::of(&route.key));
        let mut built = Routes::default();
        for (rank, route) in routes.iter().enumerate() {
            match &route.key {
                RouteKey::Default => built.default = Some(rank),
                RouteKey::Path { method, path } => built.tree.insert(*method, path, rank),
            }
        }
        built.by_rank = routes;
        built
    }

    /// Each route, in the order of precedence.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.by_rank.iter()
    }

    /// Every route that matches, in the order of precedence: the first is the one that [`Routes::select`] finds.
    ///
    /// It looks at each route, so it is for people, not for requests.
    pub fn candidates(&self, method: Method, path: &RequestPath) -> Vec<&Arc<Route>> {
        let segments: Vec<&str> = path.segments().collect();
        self.iter()
            .filter(|route| matches(&route.key, method, &segments))
            .collect()
    }

    /// The route for a method and a path below the stage; none is AWS's 404, there is no 405 (`R1.20`).
    ///
    /// # Errors
    /// A captured value is not UTF-8 after its second decoding.
    pub fn select(&self, method: Method, path: &RequestPath) -> Result<Option<RouteMatch>, InvalidPath> {
        let segments: Vec<&str> = path.segments().collect();
        let mut best = None;
        self.tree.search(method, &segments, &mut best);
        let Some(route) = best.or(self.default).and_then(|rank| self.by_rank.get(rank)) else {
            return Ok(None);
        };
        Ok(Some(RouteMatch {
            route: Arc::clone(route),
            path_parameters: PathParameter::capture(&route.key, &segments)?,
        }))
    }
}

impl Node {
    fn insert(&mut self, method: RouteMethod, path: &[Segment], rank: Rank) {
        self.least = Some(self.least.map_or(rank, |least| least.min(rank)));
        match path.split_first() {
            None => self.complete.push((method, rank)),
            Some((Segment::Greedy(_), _)) => self.greedy.push((method, rank)),
            Some((Segment::Literal(text), rest)) => {
                let child = self.literals.entry(text.clone()).or_default();
                child.insert(method, rest, rank);
            }
            Some((Segment::Variable(_), rest)) => {
                self.variable.get_or_insert_default().insert(method, rest, rank);
            }
        }
    }

    /// Lowers `best` to the least rank of the routes below this node that match.
    fn search(&self, method: Method, segments: &[&str], best: &mut Option<Rank>) {
        let Some(least) = self.least else { return };
        if best.is_some_and(|best| best < least) {
            return;
        }
        let Some((first, rest)) = segments.split_first() else {
            return take_least(&self.complete, method, best);
        };
        if let Some(child) = self.literals.get(*first) {
            child.search(method, rest, best);
        }
        if let Some(child) = &self.variable {
            child.search(method, rest, best);
        }
        take_least(&self.greedy, method, best);
    }
}

fn take_least(routes: &[(RouteMethod, Rank)], method: Method, best: &mut Option<Rank>) {
    for (wanted, rank) in routes {
        if wanted.takes(method) && best.is_none_or(|best| *rank < best) {
            *best = Some(*rank);
        }
    }
}

/// Whether a key takes a request.
fn matches(key: &RouteKey, method: Method, segments: &[&str]) -> bool {
    let RouteKey::Path { method: wanted, path } = key else {
        return true;
    };
    let is_length = match path.last() {
        Some(Segment::Greedy(_)) => segments.len() >= path.len(),
        _ => segments.len() == path.len(),
    };
    let mut pairs = path.iter().zip(segments);
    wanted.takes(method)
        && is_length
        && pairs.all(|(wanted, segment)| !matches!(wanted, Segment::Literal(text) if text != segment))
}

#[cfg(test)]
mod tests;
