//! Errors of minting. The texts are those of npm `jsonwebtoken` 9.0.3, which people search for.

use std::fmt;

/// Reason why a token could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MintError {
    /// No secret, or an empty one.
    #[error("secretOrPrivateKey must have a value")]
    SecretMissing,
    /// The secret is a number, a list or something else that no key is made of.
    #[error("secretOrPrivateKey is not valid key material")]
    NotKeyMaterial,
    /// An HMAC algorithm and a private key.
    #[error("secretOrPrivateKey must be a symmetric key when using {algorithm}")]
    NotSymmetric {
        /// The effective `alg`.
        algorithm: String,
    },
    /// An RSA or EC algorithm and something that is no private key.
    #[error("secretOrPrivateKey must be an asymmetric key when using {algorithm}")]
    NotAsymmetric {
        /// The effective `alg`.
        algorithm: String,
    },
    /// An RSA key that is too small.
    #[error("secretOrPrivateKey has a minimum key size of 2048 bits for {algorithm}")]
    KeyTooSmall {
        /// The effective `alg`.
        algorithm: String,
    },
    /// `header.alg` is not text.
    #[error("{}", match *kind { "undefined" | "null" => format!("Cannot read properties of {kind} (reading 'startsWith')"), _ => "header.alg.startsWith is not a function".to_owned() })]
    AlgorithmNotText {
        /// `undefined`, `null`, or another kind of value.
        kind: &'static str,
    },
    /// No payload at all.
    #[error("payload is required")]
    PayloadMissing,
    /// Something that must be a plain object is not.
    #[error("Expected \"{what}\" to be a plain object.")]
    NotAnObject {
        /// `payload` or `options`.
        what: &'static str,
    },
    /// `iat`, `exp` or `nbf` of the payload is not a number.
    #[error("\"{claim}\" should be a number of seconds")]
    ClaimNotANumber {
        /// The claim.
        claim: &'static str,
    },
    /// Options that need a payload of claims, and a payload that has none.
    #[error("invalid {options} option for {kind} payload")]
    OptionsWithoutClaims {
        /// The options, joined with commas.
        options: String,
        /// The JavaScript type of the payload.
        kind: &'static str,
    },
    /// An option and the claim it would set.
    #[error("Bad \"options.{option}\" option{} payload already has an \"{claim}\" property.", if *times { " the" } else { ". The" })]
    ClaimTaken {
        /// The option.
        option: &'static str,
        /// The claim.
        claim: &'static str,
        /// True if the claim is a time: the library words these two differently.
        times: bool,
    },
    /// No such option.
    #[error("\"{option}\" is not allowed in \"options\"")]
    UnknownOption {
        /// The option.
        option: String,
    },
    /// An option of the wrong type or value.
    #[error("\"{option}\" {problem}")]
    BadOption {
        /// The option.
        option: &'static str,
        /// The type or value that it must have, as the end of the sentence.
        problem: &'static str,
    },
    /// A key of a type that signs nothing here.
    #[error("Unknown key type \"{kind}\".")]
    UnknownKeyType {
        /// The type as node calls it.
        kind: &'static str,
    },
    /// The key's type does not go with the algorithm.
    #[error("\"alg\" parameter for \"{kind}\" key type must be one of: {allowed}.")]
    KeyTypeMismatch {
        /// The type as node calls it.
        kind: &'static str,
        /// The algorithms that it goes with.
        allowed: &'static str,
    },
    /// The key's curve does not go with the algorithm.
    #[error("\"alg\" parameter \"{algorithm}\" requires curve \"{curve}\".")]
    CurveMismatch {
        /// The effective `alg`.
        algorithm: String,
        /// The curve it needs.
        curve: &'static str,
    },
    /// A text that is no span of time.
    #[error("\"{option}\" should be a number of seconds or string representing a timespan eg: \"1d\", \"20h\", 60")]
    NotATimespan {
        /// The option.
        option: &'static str,
    },
    /// `header.alg` names nothing that exists.
    #[error(
        "\"{}\" is not a valid algorithm.\n  Supported algorithms are:\n  \"HS256\", \"HS384\", \"HS512\", \"RS256\", \"RS384\", \"RS512\", \"PS256\", \"PS384\", \"PS512\", \"ES256\", \"ES384\", \"ES512\" and \"none\".",
        QuotedText(algorithm)
    )]
    UnknownAlgorithm {
        /// The effective `alg`.
        algorithm: String,
    },
    /// An encoding that does not exist.
    #[error("Unknown encoding: {}", QuotedText(encoding))]
    UnknownEncoding {
        /// The encoding.
        encoding: String,
    },
    /// The RSA-PSS key demands another hash.
    #[error(
        "Invalid key for this operation, its RSA-PSS parameters do not meet the requirements of \"alg\" {algorithm}."
    )]
    PssParameters {
        /// The effective `alg`.
        algorithm: String,
    },
    /// The RSA-PSS key demands a longer salt.
    #[error(
        "Invalid key for this operation, its RSA-PSS parameter saltLength does not meet the requirements of \"alg\" {algorithm}."
    )]
    PssSalt {
        /// The effective `alg`.
        algorithm: String,
    },
    /// An algorithm that exists and is not minted. The library would; this is our own rule and wording.
    #[error("\"{algorithm}\" tokens are not minted here; the algorithm must be one of: {allowed}")]
    NotMinted {
        /// The effective `alg`.
        algorithm: String,
        /// The algorithms that are minted.
        allowed: &'static str,
    },
    /// The cryptographic library refused the key.
    #[error("the private key cannot sign: {0}")]
    Refused(String),
}

impl MintError {
    /// Tests whether the secret or the private key is at fault: then a diagnosis of it belongs beside the message.
    pub(crate) const fn is_about_the_key(&self) -> bool {
        matches!(
            self,
            Self::SecretMissing | Self::NotKeyMaterial | Self::NotSymmetric { .. } | Self::NotAsymmetric { .. }
        )
    }
}

/// Caller's text, bounded.
struct QuotedText<'t>(&'t str);

impl fmt::Display for QuotedText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .chars()
            .take(100)
            .try_for_each(|character| write!(f, "{character}"))
    }
}
