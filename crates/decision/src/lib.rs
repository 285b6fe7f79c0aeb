//! Request, principal and routes to a decision with its reason.
