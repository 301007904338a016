//! Lambda authorizers: what is asked, what the answer means, and how long it is remembered.
//!
//! `data_plane/gateway/authorize` asks the function as `data_plane/gateway/invoke` asks any; `lambda` reads its
//! answer, and `identity/policy` evaluates a policy. Everything that is not a yes is a no. `cache` remembers answers
//! by stage, authorizer and the values of the identity sources, and a policy as the document, so that it is evaluated
//! for each route. The sources are read from the fields that the function sees, or an answer would be remembered for
//! what it was not given for. A deployment has a number: an answer that was asked for under an older one is not
//! remembered.

pub mod lambda;
pub mod cache;
