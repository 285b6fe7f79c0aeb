//! For tests only: keys, tokens, a misbehaving identity provider, upstreams.
