//! The issuers that are in use, of those that the file and the documents define.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use http::HeaderName;
use narthex_config::{FieldProblem, Issuer, Limits};
use narthex_directory::{Document, IssuerName, OrganizationName, Realm};
use narthex_token::{Issuers, TrustedIssuer};

use crate::document::compile;
use crate::{DocumentState, DocumentStates};

/// An issuer of the configuration file.
#[derive(Debug, Clone)]
pub struct FileIssuer {
    /// Its name.
    pub name: IssuerName,
    /// Its realm.
    pub realm: Realm,
    /// True for an issuer of one organization.
    pub is_of_one: bool,
    /// Requirements on its tokens.
    pub trusted: Arc<TrustedIssuer>,
}

impl From<&Issuer> for FileIssuer {
    fn from(issuer: &Issuer) -> Self {
        Self {
            name: issuer.name.clone(),
            realm: issuer.realm.clone(),
            is_of_one: issuer.policy.organization.is_some(),
            trusted: Arc::clone(&issuer.trusted),
        }
    }
}

/// A document that may become an issuer.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The document.
    pub document: Document,
    /// Name of the organization that it belongs to; `None` for one that belongs to none, and for one whose organization is gone.
    pub organization: Option<OrganizationName>,
}

/// An issuer that is in use, with the version of its document.
#[derive(Debug)]
pub struct ChosenIssuer {
    /// Version of the document.
    pub version: u64,
    /// The issuer.
    pub issuer: Issuer,
}

/// The issuers in use.
#[derive(Debug)]
pub struct Choice {
    /// Those that were made at run time, in the order of their creation.
    pub in_use: Vec<ChosenIssuer>,
    /// The other documents by name, each with the reason.
    pub off: BTreeMap<String, OffReason>,
    /// All issuers, those of the file first, as the verifier looks them up.
    pub trusted: Issuers,
}

impl Choice {
    /// State of each document.
    pub fn states(&self) -> DocumentStates {
        let in_use = self.in_use.iter().map(|chosen| {
            let name = chosen.issuer.name.to_string();
            (name, DocumentState::InUse(chosen.version))
        });
        let off = self.off.iter();
        let off = off.map(|(name, reason)| (name.clone(), DocumentState::Off(reason.clone())));
        in_use.chain(off).collect()
    }
}

/// Reason why an issuer made at run time is not in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OffReason {
    /// Its document cannot be used.
    Invalid(Vec<FieldProblem>),
    /// The organization that it belongs to does not exist.
    OrganizationGone,
    /// The file has an issuer of this name.
    NameInFile,
    /// The file has an issuer with the same `iss`.
    IssuerInFile(String),
    /// Its tokens cannot be told from those of another issuer.
    Clash(String),
    /// Its realm is that of another issuer, and one of the two is of one organization.
    Realm(Realm),
    /// It takes tokens from a header that a route sets or reads.
    Header(HeaderName),
}

impl fmt::Display for OffReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(problems) => {
                f.write_str("its document cannot be used")?;
                let mut separator = ": ";
                for problem in problems {
                    write!(f, "{separator}{}", problem.message)?;
                    separator = "; ";
                }
                Ok(())
            }
            Self::OrganizationGone => f.write_str("its organization does not exist any more"),
            Self::NameInFile => f.write_str("the configuration file has an issuer of this name, and the file wins"),
            Self::IssuerInFile(text) => {
                write!(
                    f,
                    "the configuration file has an issuer with the `iss` `{text}`, and the file wins"
                )
            }
            Self::Clash(text) => f.write_str(text),
            Self::Realm(realm) => write!(
                f,
                "its realm `{realm}` is also that of another issuer, and the users of an issuer of one organization have a realm \
                 of their own"
            ),
            Self::Header(name) => write!(f, "it takes tokens from `{name}`, a header that a route sets or reads"),
        }
    }
}

/// Chooses the issuers in use. `is_reserved` tells headers that routes set or read.
///
/// Of two documents that exclude each other, the older one is in use: a new issuer takes nothing from one that works.
pub fn choose(
    file: &[FileIssuer],
    mut candidates: Vec<Candidate>,
    is_reserved: &dyn Fn(&HeaderName) -> bool,
    limits: &Limits,
) -> Choice {
    candidates.sort_by(|one, other| age(one).cmp(&age(other)));
    let mut taken = Taken::of(file);
    let (mut in_use, mut off) = (Vec::new(), BTreeMap::new());
    for candidate in candidates {
        let name = candidate.document.name.clone();
        match chosen(&candidate, &taken, is_reserved, limits) {
            Ok((issuer, trusted)) => {
                taken.add(&issuer, trusted);
                in_use.push(ChosenIssuer {
                    version: candidate.document.version,
                    issuer,
                });
            }
            Err(reason) => {
                off.insert(name, reason);
            }
        }
    }
    Choice {
        in_use,
        off,
        trusted: taken.trusted,
    }
}

fn age(candidate: &Candidate) -> (i64, &str) {
    (candidate.document.created_at_ms, &candidate.document.name)
}

fn chosen(
    candidate: &Candidate,
    taken: &Taken,
    is_reserved: &dyn Fn(&HeaderName) -> bool,
    limits: &Limits,
) -> Result<(Issuer, Issuers), OffReason> {
    let document = &candidate.document;
    // SECURITY: asked of the record and never of its body: without its organization, the document would be one of all.
    if document.organization.is_some() && candidate.organization.is_none() {
        return Err(OffReason::OrganizationGone);
    }
    let compiled = compile(&document.name, &document.body, candidate.organization.as_ref(), limits);
    let issuer = compiled.map_err(OffReason::Invalid)?.issuer;
    if taken.names_in_file.contains(issuer.name.as_str()) {
        return Err(OffReason::NameInFile);
    }
    let policy = issuer.trusted.policy();
    let mut texts = policy.issuer.iter().chain(&policy.aliases);
    if let Some(text) = texts.find(|text| taken.texts_in_file.contains(*text)) {
        return Err(OffReason::IssuerInFile(text.clone()));
    }
    let is_of_one = issuer.policy.organization.is_some();
    if let Some(other_is_of_one) = taken.realms.get(&issuer.realm)
        && (is_of_one || *other_is_of_one)
    {
        return Err(OffReason::Realm(issuer.realm.clone()));
    }
    if let Some(name) = issuer.places.headers.iter().find(|name| is_reserved(name)) {
        return Err(OffReason::Header(name.clone()));
    }
    let all = taken.trusted.iter().map(Arc::clone);
    let trusted = Issuers::new(all.chain([Arc::clone(&issuer.trusted)]).collect()).map_err(|problems| {
        let clash = problems.first().map(ToString::to_string);
        OffReason::Clash(clash.unwrap_or_else(|| "its tokens cannot be told from those of another issuer".to_owned()))
    })?;
    Ok((issuer, trusted))
}

/// The issuers that are in use already.
struct Taken {
    names_in_file: HashSet<String>,
    texts_in_file: HashSet<String>,
    /// Each realm, and whether an issuer of one organization has it.
    realms: HashMap<Realm, bool>,
    trusted: Issuers,
}

impl Taken {
    fn of(file: &[FileIssuer]) -> Self {
        let texts = file.iter().flat_map(|issuer| {
            let policy = issuer.trusted.policy();
            policy.issuer.iter().chain(&policy.aliases)
        });
        let trusted = Issuers::new(file.iter().map(|issuer| Arc::clone(&issuer.trusted)).collect());
        Self {
            names_in_file: file.iter().map(|issuer| issuer.name.to_string()).collect(),
            texts_in_file: texts.cloned().collect(),
            realms: file
                .iter()
                .map(|issuer| (issuer.realm.clone(), issuer.is_of_one))
                .collect(),
            // The configuration has checked them.
            trusted: trusted.unwrap_or_default(),
        }
    }

    fn add(&mut self, issuer: &Issuer, trusted: Issuers) {
        self.realms
            .insert(issuer.realm.clone(), issuer.policy.organization.is_some());
        self.trusted = trusted;
    }
}
