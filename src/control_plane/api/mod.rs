//! AWS's own API under `/v2/`, by which tools configure what is served.

pub mod error;
pub mod operation;
pub mod wire;
pub mod members;
pub mod answer;
pub mod edit;
pub mod page;
pub mod settings;
pub mod guard;
pub mod ids;
pub mod turn;
pub mod tag_rules;
pub mod file_writer;
pub mod recovery;
