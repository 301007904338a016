//! The same definitions from and to SAM, CloudFormation and OpenAPI documents.
//!
//! [`reading::read`] turns a document into virtual files: the JSON that a person would write under the root, each value
//! with its place in the document. `serve`, `check` and `routes` compile those files as they compile any others, and
//! `import` writes them, so there is no second validator. [`openapi::write`] goes the other way.
//!
//! A template is read in three steps. `yaml` and `document` give its nodes as they are written. `evaluator` gives the
//! values of its expressions, each where it is read: what an API does not read cannot stop the template. `sam` and
//! `cloudformation` gather resources to APIs; bodies and what SAM expands go through `openapi`.

pub mod place;
pub mod message;
pub mod node;
mod yaml;
mod document;
mod value;
pub mod options;
mod pattern;
mod ids;
mod evaluator;
pub mod output;
mod shape;
pub mod openapi;
mod draft;
mod cloudformation;
mod sam;
mod assets;
pub mod functions;
mod assemble;
mod cdk;
pub mod reading;
pub mod listing;
mod printed;
pub mod source;
pub mod import;
pub mod export;
