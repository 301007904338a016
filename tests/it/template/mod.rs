//! Templates and OpenAPI documents: what is served, written and refused, by the built program.

mod cases;
mod live;
mod round_trips;
mod runtimes;
