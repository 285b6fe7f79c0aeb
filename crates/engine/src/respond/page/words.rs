//! Title and sentence of the page for each reason, for a person who does not know Narthex.
//!
//! The match names every reason, so that a new one does not compile without words.

use narthex_decision::Reason;

/// Words of a page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    pub(super) title: &'static str,
    pub(super) sentence: Sentence,
    pub(super) action: Action,
}

/// Sentence under the title: what happened, and what to do.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sentence {
    /// The same for every request.
    Plain(&'static str),
    /// With the organization's name in the middle, if the request names one; otherwise `without`.
    Organization {
        before: &'static str,
        after: &'static str,
        without: &'static str,
    },
    /// The refusal's own text, which an administrator wrote for this case.
    OfTheCase,
}

/// Action that the page offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    None,
    TryAgain,
}

const SIGN_IN: &str = "Please sign in";
const SIGN_IN_AGAIN: &str = "Please sign in again";
const NOT_ACCEPTED: &str = "Your sign-in is not accepted here";
const NO_ACCESS: &str = "You do not have access to this page";
const NO_SUCH_PAGE: &str = "There is no such page";
const NOT_UNDERSTOOD: &str = "This address cannot be opened";
const NOT_NOW: &str = "This page cannot be opened right now";

/// Defines the words of each reason.
macro_rules! words {
    ($($($reason:ident)|+ => $words:expr,)+) => {
        /// Returns the words for a reason.
        pub(super) const fn of(reason: Reason) -> Words {
            match reason {
                $($(Reason::$reason)|+ => $words,)+
            }
        }
    };
}

words! {
    TokenMissing => plain(
        SIGN_IN,
        "This page is for signed-in people, and your browser sent no sign-in.",
    ),
    TokenExpired | TokenInactive => plain(
        SIGN_IN_AGAIN,
        "Your sign-in has ended: the token that your browser sent has expired.",
    ),
    TokenTooOld => plain(SIGN_IN_AGAIN, "You signed in too long ago for this page."),
    TokenRevoked => plain(
        SIGN_IN_AGAIN,
        "You were signed out, so your earlier sign-in no longer counts.",
    ),
    SessionEnded => plain(SIGN_IN_AGAIN, "You were signed in, and that has ended."),
    SignInRefused => Words {
        title: "You could not be signed in",
        sentence: Sentence::OfTheCase,
        action: Action::None,
    },
    TokenNotYetValid | TokenIssuedInFuture => again(
        NOT_NOW,
        "Your sign-in becomes valid in a moment. If trying again does not help, a clock is wrong: ask an administrator.",
    ),
    TokenMultiple | TokenTooLarge | TokenMalformed | TokenHeader => plain(
        NOT_ACCEPTED,
        "Your browser sent a sign-in that cannot be read. Sign in again; if that does not help, ask an administrator.",
    ),
    TokenAlgorithm | TokenKeyUnknown | TokenSignature | TokenBound | TokenProof => plain(
        NOT_ACCEPTED,
        "Your sign-in cannot be proved. Sign in again; if that does not help, ask an administrator.",
    ),
    TokenIssuerUnknown | TokenIssuerDisabled | TokenAudience => plain(
        NOT_ACCEPTED,
        "You are signed in with an account that is not meant for this application. Sign in with another one, or ask an administrator.",
    ),
    TokenClaimMissing
    | TokenClaimInvalid
    | MappingInvalid
    | TagsMissing
    | TagsMalformed
    | TagsOverage => plain(
        NOT_ACCEPTED,
        "Your identity provider sent information about you that is incomplete or cannot be used. Ask an administrator.",
    ),
    MachineKeyUnknown | MachineKeyRevoked | MachineKeyExpired => plain(
        NOT_ACCEPTED,
        "Your browser sent a key of a program that does not work here. Ask an administrator of the organization for a new one.",
    ),
    TokenRule => Words {
        title: NOT_ACCEPTED,
        sentence: Sentence::OfTheCase,
        action: Action::None,
    },
    IdentityUsernameConflict => plain(
        NOT_ACCEPTED,
        "Another person here already has your username. Ask an administrator.",
    ),
    IdentityTeamConflict => plain(
        NOT_ACCEPTED,
        "Your sign-in names a team of another organization. Ask an administrator.",
    ),
    IdentityNotProvisioned => plain(
        NO_ACCESS,
        "You are signed in, but you are not known here. An administrator can let you in.",
    ),
    IdentityDisabled => plain(
        NO_ACCESS,
        "You are signed in, but your access here is switched off. An administrator can switch it on.",
    ),
    OrganizationRole => Words {
        title: NO_ACCESS,
        sentence: Sentence::Organization {
            before: "You are signed in, but you have no role in ",
            after: " that opens this page. An admin of that organization can let you in.",
            without: "You are signed in, but you have no role in an organization that opens this page. An admin of the organization can let you in.",
        },
        action: Action::None,
    },
    OrganizationMissing => plain(
        NOT_UNDERSTOOD,
        "The request does not say which organization it is about. Open the page from within the application.",
    ),
    RouteIssuer => plain(
        NOT_ACCEPTED,
        "This page takes sign-ins of another identity provider than yours. Sign in with another account, or ask an administrator.",
    ),
    RouteTag => plain(
        NO_ACCESS,
        "You are signed in, but you are in none of the groups that this page is for. An administrator can let you in.",
    ),
    TokenScope => plain(
        NO_ACCESS,
        "You are signed in, but your sign-in does not cover this page. An administrator can let you in.",
    ),
    OrganizationUnknown => plain(
        NO_SUCH_PAGE,
        "There is no organization with that name. Check the address.",
    ),
    OrganizationSuspended => plain(
        NO_ACCESS,
        "The organization is suspended. An administrator can open it again.",
    ),
    PlatformRole => plain(
        NO_ACCESS,
        "You are signed in, but this page is for administrators. One of them can let you in.",
    ),
    RouteUnmatched => plain(
        NO_SUCH_PAGE,
        "Nothing is served at this address. Check it for a typing mistake.",
    ),
    RequestPath | RequestHost | RequestUnforwardable => plain(
        NOT_UNDERSTOOD,
        "The address or the request can be read in more than one way. Check the address for a typing mistake.",
    ),
    RequestMethod => plain(
        NOT_UNDERSTOOD,
        "Your browser asked for this address in a way that is not accepted here.",
    ),
    RequestOrigin => plain(
        "This form came from another site",
        "For your safety, changes are accepted from the application's own pages only. Open the application and do it there.",
    ),
    RequestProxyUntrusted | RequestLoop => plain(
        "The application is not set up correctly",
        "You did nothing wrong. An administrator has to correct the address that requests are sent to.",
    ),
    RequestTooLarge => plain(
        "That is too large",
        "What you sent is larger than is accepted here. Send a smaller file.",
    ),
    RateLimited => again(
        "Too many requests",
        "Too many requests came from your network in a short time.",
    ),
    KeysUnavailable => again(
        NOT_NOW,
        "Your sign-in could not be checked, because the keys that are needed for it cannot be reached. You did nothing wrong.",
    ),
    StoreUnavailable => again(
        NOT_NOW,
        "Your access could not be checked, because the directory cannot be reached. You did nothing wrong.",
    ),
    UpstreamTimeout => again(
        NOT_NOW,
        "The application did not answer in time. You did nothing wrong.",
    ),
    UpstreamBusy => again(
        NOT_NOW,
        "The application has too many requests at this moment. You did nothing wrong.",
    ),
    UpstreamUnreachable => again(NOT_NOW, "The application cannot be reached. You did nothing wrong."),
}

const fn plain(title: &'static str, sentence: &'static str) -> Words {
    Words {
        title,
        sentence: Sentence::Plain(sentence),
        action: Action::None,
    }
}

const fn again(title: &'static str, sentence: &'static str) -> Words {
    Words {
        title,
        sentence: Sentence::Plain(sentence),
        action: Action::TryAgain,
    }
}
