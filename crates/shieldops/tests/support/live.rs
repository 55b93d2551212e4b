//! A client of live updates for a tenant that is named in the address.

#![allow(dead_code, reason = "each test of the whole uses another part")]

use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::{net::TcpStream, runtime::Runtime};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest as _,
        http::{HeaderName, HeaderValue},
    },
};

use crate::server::PATIENCE;

pub(crate) struct Live {
    runtime: Runtime,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Live {
    /// Listens, past the greeting.
    pub(crate) fn with_headers(url: &str, headers: &[(String, String)], slug: &str) -> Self {
        let mut live = Self::connect(url, headers, slug).unwrap_or_else(|refused| panic!("{refused:?}"));
        assert_eq!(live.next(PATIENCE).expect("a greeting")["kind"], "hello");
        live
    }

    /// Status and body of the answer to somebody who may not listen.
    pub(crate) fn refusal(url: &str, headers: &[(String, String)], slug: &str) -> Option<(u16, String)> {
        Self::connect(url, headers, slug).err()
    }

    fn connect(url: &str, headers: &[(String, String)], slug: &str) -> Result<Self, (u16, String)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let address = format!("{}/api/v1/live?tenant={slug}", url.replace("http", "ws"));
        let mut request = address.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        request.headers_mut().insert("origin", HeaderValue::from_str(url).unwrap());
        match runtime.block_on(connect_async(request)) {
            Ok((socket, _)) => Ok(Self { runtime, socket }),
            Err(Error::Http(response)) => {
                let body = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
                let mut body: Value = serde_json::from_str(&body).unwrap_or(Value::Null);
                if let Some(members) = body.as_object_mut() {
                    members.remove("request_id");
                }
                Err((response.status().as_u16(), body.to_string()))
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// The next frame; nothing when none came in time, or when the connection ended.
    pub(crate) fn next(&mut self, at_most: Duration) -> Option<Value> {
        let Self { runtime, socket } = self;
        let frame = async {
            loop {
                match socket.next().await {
                    Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(text.as_str()).unwrap()),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    _ => return None,
                }
            }
        };
        runtime.block_on(async { tokio::time::timeout(at_most, frame).await.ok().flatten() })
    }
}
