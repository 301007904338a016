//! A mapping of a custom domain.

/// Which API and stage answers below a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// `ApiMappingKey`; empty for the catch-all.
    pub key: String,
    /// `ApiId`.
    pub api_id: String,
    /// `Stage`.
    pub stage: String,
}
