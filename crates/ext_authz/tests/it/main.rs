//! The port as Envoy sees it: an engine without issuers over a directory in memory, asked by gRPC and by HTTP.

#[cfg(test)]
mod grpc;
#[cfg(test)]
mod http_mode;
#[cfg(test)]
mod port;
