//! Machine keys: `nxk_` and 32 random bytes in base64url. Only the SHA-256 is kept.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use narthex_clock::{NoEntropy, random_bytes};
use narthex_directory::SecretHash;
use narthex_engine::machine_key::{MACHINE_KEY_PREFIX, machine_key_hash};
use zeroize::Zeroizing;

use crate::error::OpError;

/// A machine key that was just created. Shown once; `{:?}` does not print it.
pub struct FreshMachineKey(Zeroizing<String>);

impl FreshMachineKey {
    /// Creates a key.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`] when the operating system has no random bytes to give.
    pub(super) fn new() -> Result<Self, NoEntropy> {
        let secret = Zeroizing::new(random_bytes::<32>()?);
        Ok(Self(Zeroizing::new(format!(
            "{MACHINE_KEY_PREFIX}{}",
            URL_SAFE_NO_PAD.encode(*secret)
        ))))
    }

    /// The key, to be shown to the client that asked for it and to be stored nowhere.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Hash of the key, which is all that is stored: the one by which the doors find it.
    pub(super) fn hash(&self) -> Result<SecretHash, OpError> {
        let hash = machine_key_hash(self.text());
        hash.ok_or_else(|| OpError::Internal("a new machine key does not have the form of one".to_owned()))
    }
}

impl fmt::Debug for FreshMachineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FreshMachineKey(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_the_form_that_the_doors_take_and_is_never_the_same() {
        let (one, other) = (FreshMachineKey::new().unwrap(), FreshMachineKey::new().unwrap());
        assert_eq!(one.text().len(), MACHINE_KEY_PREFIX.len() + 43);
        assert_ne!(one.text(), other.text());
        assert_ne!(one.hash().unwrap(), other.hash().unwrap());
        assert_eq!(Some(one.hash().unwrap()), machine_key_hash(one.text()));
        assert_eq!(format!("{one:?}"), "FreshMachineKey(***)");
    }
}
