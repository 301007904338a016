//! These tests limit what the system gives the process.

mod resource_exhaustion;
