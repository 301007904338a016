//! AWS's own API, call by call.

mod scripts;
mod safety;
mod writes;
mod crashes;
mod open_api;
mod full_disk;
mod clients;
