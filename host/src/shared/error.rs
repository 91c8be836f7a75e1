//! Why something that hosts share did not do what it was asked to.

/// Why it was not done, or not known to be done. The text is for the operator, in the audit log and on the terminal; agents never see it. It must not
/// hold a secret, such as the password of a database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SharedError {
    /// It can't be reached, or has not answered. It may still have been done.
    #[error("{0}")]
    Unavailable(String),
    /// It was not done, and won't be if it is asked for again: for example, a key is kept for another purpose.
    #[error("{0}")]
    Refused(String),
}
