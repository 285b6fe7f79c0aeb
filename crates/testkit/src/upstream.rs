//! The application behind the hall: it writes down what reached it and answers as the request asks.
//!
//! Without more ado it answers 200 with what it received as JSON. The request header `x-upstream` asks for
//! something else:
//!
//! | value | answer |
//! |---|---|
//! | `status=N` | this status |
//! | `slow=MS` | the usual, after so many milliseconds |
//! | `bytes=N` | a body of so many bytes |
//! | `stream=N` | so many lines, 100 ms apart, each sent when it is made |
//! | `sse=N` | the same as server-sent events |
//! | `mirror` | the body of the request, sent back while it arrives |
//! | `grpc-stream=N` | the same as `stream`, with the media type of gRPC |
//! | `grpc` | the body of the request, and after it the trailer `grpc-status: 0` |
//! | `close` | the connection is closed without an answer |
//!
//! `x-upstream-reply: NAME=VALUE` adds a header to the answer. A request to upgrade to a WebSocket is granted;
//! every frame comes back.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Result, bail};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::{
    body::{Frame, Incoming},
    upgrade,
};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::time::sleep;

use crate::{
    server::{Body, Outcome, Server, full},
    websocket,
};

/// A request as it reached the upstream.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The method.
    pub method: String,
    /// Path and query, byte for byte as they arrived.
    pub target: String,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub version: String,
    /// The headers; the names in lower case.
    pub headers: HeaderMap,
    /// The body; empty where it was mirrored or upgraded.
    pub body: Bytes,
    /// Trailers after the body.
    pub trailers: HeaderMap,
}

impl Recorded {
    /// A header as text; several of one name joined with a comma.
    pub fn header(&self, name: &str) -> Option<String> {
        let values: Vec<_> = self
            .headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// The names of all headers, sorted.
    pub fn header_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.headers.keys().map(ToString::to_string).collect();
        names.sort();
        names
    }
}

/// An upstream on loopback.
#[derive(Debug)]
pub struct Upstream {
    server: Server,
    seen: Arc<Mutex<Vec<Recorded>>>,
}

impl Upstream {
    /// Starts one.
    pub fn start() -> Result<Self> {
        let seen: Arc<Mutex<Vec<Recorded>>> = Arc::default();
        let shared = Arc::clone(&seen);
        let server = Server::start(move |request| {
            let seen = Arc::clone(&shared);
            Box::pin(answer(seen, request)) as Outcome
        })?;
        Ok(Self { server, seen })
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// `127.0.0.1:PORT`
    pub fn address(&self) -> String {
        self.server.address().to_string()
    }

    /// Everything that arrived so far.
    pub fn seen(&self) -> Vec<Recorded> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The request that arrived last.
    pub fn last(&self) -> Option<Recorded> {
        self.seen().pop()
    }

    /// The first request that carried this header with this value.
    pub fn find(&self, name: &str, value: &str) -> Option<Recorded> {
        self.seen()
            .into_iter()
            .find(|request| request.header(name).as_deref() == Some(value))
    }

    /// Forgets what arrived so far.
    pub fn forget(&self) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Refuses connections.
    pub fn down(&self) {
        self.server.down();
    }

    /// Listens again on the same port.
    pub fn up(&self) -> Result<()> {
        self.server.up()
    }
}

async fn answer(seen: Arc<Mutex<Vec<Recorded>>>, mut request: Request<Incoming>) -> Result<Response<Body>> {
    let wish = text(request.headers(), "x-upstream");
    let (wish, argument) = wish.split_once('=').unwrap_or((&wish, ""));
    let upgrade = text(request.headers(), "upgrade").eq_ignore_ascii_case("websocket");
    let mirror = wish == "mirror";
    let mut recorded = Recorded {
        method: request.method().to_string(),
        target: request
            .uri()
            .path_and_query()
            .map_or_else(|| request.uri().to_string(), ToString::to_string),
        version: format!("{:?}", request.version()),
        headers: request.headers().clone(),
        body: Bytes::new(),
        trailers: HeaderMap::new(),
    };
    if !upgrade && !mirror {
        let whole = request.body_mut().collect().await?;
        recorded.trailers = whole.trailers().cloned().unwrap_or_default();
        recorded.body = whole.to_bytes();
    }
    seen.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(recorded.clone());
    if upgrade {
        return web_socket(request);
    }

    let number = argument.parse::<u64>().unwrap_or_default();
    let mut response = match wish {
        "status" => Response::builder()
            .status(StatusCode::from_u16(argument.parse()?)?)
            .body(full(description(&recorded)))?,
        "slow" => {
            sleep(Duration::from_millis(number)).await;
            Response::new(full(description(&recorded)))
        }
        "bytes" => Response::new(full(vec![b'x'; usize::try_from(number)?])),
        "stream" => Response::new(lines(number, "line ", "\n")),
        "sse" => Response::builder()
            .header(header::CONTENT_TYPE, "text/event-stream")
            .body(lines(number, "data: ", "\n\n"))?,
        "grpc-stream" => Response::builder()
            .header(header::CONTENT_TYPE, "application/grpc+proto")
            .body(lines(number, "line ", "\n"))?,
        "mirror" => Response::new(request.into_body().map_err(Into::into).boxed_unsync()),
        "grpc" => Response::builder()
            .header(header::CONTENT_TYPE, "application/grpc")
            .body(with_trailer(recorded.body.clone()))?,
        "close" => bail!("closed on purpose"),
        _ => Response::builder()
            .header(header::CONTENT_TYPE, "application/json")
            .body(full(description(&recorded)))?,
    };
    if let Some((name, value)) = text(&recorded.headers, "x-upstream-reply").split_once('=') {
        response
            .headers_mut()
            .append(name.parse::<HeaderName>()?, HeaderValue::from_str(value)?);
    }
    Ok(response)
}

fn text(headers: &HeaderMap, name: &str) -> String {
    headers
        .get(name)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .unwrap_or_default()
}

/// Description of the request that arrived, as JSON.
fn description(request: &Recorded) -> String {
    let mut headers = Map::new();
    for name in request.headers.keys() {
        headers.insert(name.to_string(), request.header(name.as_str()).into());
    }
    json!({
        "method": request.method,
        "target": request.target,
        "version": request.version,
        "headers": Value::Object(headers),
        "body": String::from_utf8_lossy(&request.body),
    })
    .to_string()
}

fn lines(count: u64, before: &'static str, after: &'static str) -> Body {
    let frames = stream::unfold(0, move |index| async move {
        if index == count {
            return None;
        }
        if index > 0 {
            sleep(Duration::from_millis(100)).await;
        }
        let line = Bytes::from(format!("{before}{index}{after}"));
        Some((Ok::<_, Infallible>(Frame::data(line)), index + 1))
    });
    StreamBody::new(frames).map_err(|never| match never {}).boxed_unsync()
}

fn with_trailer(body: Bytes) -> Body {
    let trailers = HeaderMap::from_iter([(HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))]);
    let frames = [Frame::data(body), Frame::trailers(trailers)].map(Ok::<_, Infallible>);
    StreamBody::new(stream::iter(frames))
        .map_err(|never| match never {})
        .boxed_unsync()
}

fn web_socket(mut request: Request<Incoming>) -> Result<Response<Body>> {
    let key = text(request.headers(), "sec-websocket-key");
    let upgraded = upgrade::on(&mut request);
    tokio::spawn(async move {
        let Ok(stream) = upgraded.await else { return };
        let mut stream = TokioIo::new(stream);
        while let Ok((opcode, payload)) = websocket::read(&mut stream).await {
            if websocket::write(&mut stream, opcode, &payload, None).await.is_err() || opcode == websocket::CLOSE {
                return;
            }
        }
    });
    Ok(Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, websocket::accept(&key))
        .body(full(""))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Client, client::Call, websocket::WebSocket};

    #[tokio::test]
    async fn it_records_and_echoes() {
        let upstream = Upstream::start().unwrap();
        for (client, version) in [(Client::new(), "HTTP/1.1"), (Client::http2(), "HTTP/2.0")] {
            let call = Call::post(&format!("{}/a%2Fb?c=d", upstream.url()))
                .header("x-probe", "1")
                .header("x-probe", "2")
                .body("text");
            let answer = client.send(call).await.unwrap().json().unwrap();
            assert_eq!(answer["target"], "/a%2Fb?c=d");
            assert_eq!(answer["body"], "text");
            let last = upstream.last().unwrap();
            assert_eq!((last.method.as_str(), last.version.as_str()), ("POST", version));
            assert_eq!(last.header("x-probe").as_deref(), Some("1, 2"));
        }
        assert_eq!(upstream.seen().len(), 2);
    }

    #[tokio::test]
    async fn it_answers_as_asked() {
        let upstream = Upstream::start().unwrap();
        let client = Client::new();
        let ask = |wish: &str| client.send(Call::get(&upstream.url()).header("x-upstream", wish));
        assert_eq!(ask("status=418").await.unwrap().status, 418);
        assert_eq!(ask("bytes=70000").await.unwrap().body.len(), 70_000);
        assert_eq!(ask("stream=2").await.unwrap().text(), "line 0\nline 1\n");
        assert_eq!(ask("sse=1").await.unwrap().text(), "data: 0\n\n");
        assert!(ask("close").await.is_err());
        let call = Call::post(&upstream.url())
            .header("x-upstream", "mirror")
            .header("x-upstream-reply", "x-more=yes")
            .body("back");
        let answer = client.send(call).await.unwrap();
        assert_eq!((answer.text().as_str(), answer.header("x-more")), ("back", Some("yes")));
    }

    #[tokio::test]
    async fn it_echoes_web_socket_frames() {
        let upstream = Upstream::start().unwrap();
        let mut socket = WebSocket::open(&upstream.address(), "/ws", &[]).await.unwrap();
        socket.send(websocket::TEXT, b"hello").await.unwrap();
        assert_eq!(socket.receive().await.unwrap(), (websocket::TEXT, b"hello".to_vec()));
    }
}
