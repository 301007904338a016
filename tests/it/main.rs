//! These black-box tests run a real gateway on a free port, with a scripted endpoint behind it and raw sockets before
//! it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    reason = "a test that meets the unexpected must fail, and a test binary has no outside"
)]

mod support;

mod circles;
mod conformance;
mod properties;
mod schemas;
mod documents;
mod troubleshooting;
mod typed_commands;
mod tidy;
mod architecture;

mod platform;
mod outbound;
mod front;
mod identity;
mod deployment;
mod data_plane;
mod control_plane;
mod management;
mod template;
mod cli;
