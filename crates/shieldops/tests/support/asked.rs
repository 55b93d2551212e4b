//! A listener that answers every request with the same object and writes down what it was asked.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// Enough of everything for each command to go on.
const ANSWER: &str = r#"{"items": [{"id": "tgt_1", "name": "x", "action_id": "act_1"}], "next_cursor": null, "id": "tok_1", "token": "sop_y", "key": "sko_y", "link": "https://s/#invite=sov_x",
    "hash": "abc", "state": "executed", "ticket": "sot_x", "uri": "otpauth://totp/x", "recovery_codes": ["a"], "csrf": "c", "results": [],
    "ok": true, "own": {}, "effective": {}, "permissions": [], "actions": []}"#;
const CHALLENGE: &str = r#"{"code": "second_factor_required", "title": "A second factor is needed", "ticket": "sot_x", "methods": ["totp"]}"#;

pub(crate) struct Listener {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Listener {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let heads = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let heads = Arc::clone(&heads);
                thread::spawn(move || serve(stream, &heads));
            }
        });
        Self { url, asked }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Method and path of every request since the last call.
    pub(crate) fn take(&self) -> Vec<(String, String)> {
        let parts = |head: &String| {
            let mut words = head.split(' ');
            (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned())
        };
        self.headers().iter().map(parts).collect()
    }

    /// The head of every request since the last call.
    pub(crate) fn headers(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

/// Every request of one connection.
fn serve(stream: TcpStream, heads: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    while let Some((head, body)) = request(&mut reader) {
        let challenged = head.starts_with("POST /api/v1/session ") && body.contains("\"two\"");
        heads.lock().unwrap().push(head);
        let (status, body) = if challenged { ("401 Unauthorized", CHALLENGE) } else { ("200 OK", ANSWER) };
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\netag: \"7\"\r\nset-cookie: __Host-s=x; Path=/\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        if writer.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// A request's head, in small letters behind its first line, and its body.
fn request(reader: &mut BufReader<TcpStream>) -> Option<(String, String)> {
    let mut head = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        if !head.is_empty() {
            line = line.to_lowercase();
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse().ok()?;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((head, String::from_utf8_lossy(&body).into_owned()))
}
