//! Handles to secrets.

use crate::{Error, sys};

/// A secret that the host holds. The handle is this run's own; it is closed when dropped.
#[derive(Debug)]
pub struct Secret(sys::Handle);

impl Secret {
    /// Opens the secret that the manifest declares as `[secrets.NAME]`.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where it is not granted or not there; [`Error::TooManyHandles`] past 1,024 open handles.
    pub fn open(name: &str) -> Result<Self, Error> {
        sys::open(name).map(Self)
    }

    /// The name it was opened by.
    #[must_use]
    pub fn name(&self) -> String {
        self.0.name()
    }

    /// The string that stands for the value in the granted place of a request. It means nothing anywhere else.
    #[must_use]
    pub fn placeholder(&self) -> String {
        self.0.placeholder()
    }

    /// Tells one version of the value from another: 8 hexadecimal digits that change with a rotation.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint()
    }

    /// When the value in use stops working, in seconds since 1970-01-01T00:00:00Z, where the host knows it.
    #[must_use]
    pub fn expires_at(&self) -> Option<u64> {
        self.0.expires_at()
    }
}
