//! The port as Envoy sees it: an engine without issuers over a directory in memory, asked by gRPC and by HTTP.

#![expect(clippy::unwrap_used, reason = "tests may fail loudly")]

mod grpc;
mod http_mode;
mod port;
