//! Any bytes as a header of the PROXY protocol: it names a client only where the bytes do, and never reads beyond its length.
#![no_main]

use libfuzzer_sys::fuzz_target;
use narthex_listener::proxy_protocol::{ProxyHeader, REST_MAX, START, parse, rest_length};

fuzz_target!(|data: &[u8]| {
    let Some((start, rest)) = data.split_first_chunk::<START>() else {
        return;
    };
    let Ok(length) = rest_length(start) else {
        assert!(parse(start, rest).is_err(), "parsed without a length");
        return;
    };
    assert!(length <= REST_MAX);
    let Some(rest) = rest.get(..length) else {
        assert!(parse(start, rest).is_err(), "parsed, and too short");
        return;
    };
    match parse(start, rest) {
        Ok(ProxyHeader::Client(_)) => assert!(length >= 12 && data.get(12) == Some(&0x21)),
        Ok(ProxyHeader::Local) => assert_eq!(data.get(12), Some(&0x20)),
        Err(_) => {}
    }
});
