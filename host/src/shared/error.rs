//! Why something that hosts share did not do what it was asked for.

/// Why it was not done, or not known to be done. The text is for the operator, in the audit log and on the terminal; agents never see it. It must not
/// hold a secret, such as the password of a database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SharedError {
    /// It can't be reached, or has not answered. It may have been done all the same.
    #[error("{0}")]
    Unavailable(String),
    /// It was not done, and won't be if it is asked for again: such as a key that is kept for another purpose.
    #[error("{0}")]
    Refused(String),
}
