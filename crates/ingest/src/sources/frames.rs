//! Syslog over a stream: octet-counted and newline-framed messages, told apart message by message (RFC 6587).

use bytes::{Buf, Bytes, BytesMut};

/// What is wrong with a stream beyond repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {announced} bytes is announced, the limit is {limit}")]
pub(super) struct FrameTooLarge {
    announced: usize,
    limit: usize,
}

/// Cuts messages from a stream. A line over the limit is cut to one byte over it, so that intake refuses it by name.
#[derive(Debug)]
pub(super) struct Frames {
    buffer: BytesMut,
    limit: usize,
    /// The rest of a line over the limit is being dropped.
    skipping: bool,
}

enum Next {
    Message(Bytes),
    /// The stream holds no whole message yet.
    More,
}

impl Frames {
    pub(super) fn new(limit: usize) -> Self {
        Self { buffer: BytesMut::with_capacity(16 * 1024), limit, skipping: false }
    }

    /// Where received bytes go.
    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Every whole message that is there.
    pub(super) fn messages(&mut self) -> Result<Vec<Bytes>, FrameTooLarge> {
        let mut messages = Vec::new();
        while let Next::Message(message) = self.next()? {
            if !message.trim_ascii().is_empty() {
                messages.push(message);
            }
        }
        Ok(messages)
    }

    /// What remains at the end of the stream, where a last line may lack its end.
    pub(super) fn rest(&mut self) -> Option<Bytes> {
        let rest = self.buffer.split().freeze();
        (!self.skipping && !rest.trim_ascii().is_empty()).then_some(rest)
    }

    fn next(&mut self) -> Result<Next, FrameTooLarge> {
        if !self.skipping {
            match counted(&self.buffer) {
                Counted::No => {}
                Counted::Undecided => return Ok(Next::More),
                Counted::Frame { header, length } => return self.take_counted(header, length),
            }
        }
        Ok(self.take_line())
    }

    fn take_counted(&mut self, header: usize, length: usize) -> Result<Next, FrameTooLarge> {
        if length > self.limit {
            return Err(FrameTooLarge { announced: length, limit: self.limit });
        }
        if self.buffer.len() < header.saturating_add(length) {
            return Ok(Next::More);
        }
        self.buffer.advance(header);
        Ok(Next::Message(one_line(self.buffer.split_to(length))))
    }

    fn take_line(&mut self) -> Next {
        let end = memchr::memchr2(b'\n', 0, &self.buffer);
        match end {
            Some(at) => {
                let line = self.buffer.split_to(at).freeze();
                self.buffer.advance(1);
                let skipped = std::mem::take(&mut self.skipping);
                let kept =
                    if skipped { Bytes::new() } else { line.slice(..line.len().min(self.limit.saturating_add(1))) };
                Next::Message(kept)
            }
            None if self.skipping => {
                self.buffer.clear();
                Next::More
            }
            None if self.buffer.len() > self.limit => {
                self.skipping = true;
                let kept = self.buffer.split_to(self.limit.saturating_add(1)).freeze();
                self.buffer.clear();
                Next::Message(kept)
            }
            None => Next::More,
        }
    }
}

enum Counted {
    No,
    Undecided,
    Frame { header: usize, length: usize },
}

/// `123 <34>...`: a count, a blank and the `<` of a priority.
fn counted(buffer: &[u8]) -> Counted {
    let digits = buffer.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || digits > 9 || buffer.first() == Some(&b'0') {
        return Counted::No;
    }
    match (buffer.get(digits), buffer.get(digits.saturating_add(1))) {
        (None, _) | (Some(b' '), None) => Counted::Undecided,
        (Some(b' '), Some(b'<')) => {
            let length = buffer
                .get(..digits)
                .and_then(|digits| std::str::from_utf8(digits).ok())
                .and_then(|digits| digits.parse().ok());
            length.map_or(Counted::No, |length| Counted::Frame { header: digits.saturating_add(1), length })
        }
        _ => Counted::No,
    }
}

/// A framed message may hold line ends; intake cuts at them. They are written as rsyslog writes them, so that no message
/// can smuggle in a second one.
pub(super) fn one_line(mut message: BytesMut) -> Bytes {
    while matches!(message.last(), Some(b'\n' | b'\r' | 0)) {
        message.truncate(message.len().saturating_sub(1));
    }
    if memchr::memchr(b'\n', &message).is_none() {
        return message.freeze();
    }
    let mut out = BytesMut::with_capacity(message.len().saturating_add(16));
    for (at, part) in message.as_ref().split(|byte: &u8| *byte == b'\n').enumerate() {
        if at > 0 {
            out.extend_from_slice(b"#012");
        }
        out.extend_from_slice(part);
    }
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(chunks: &[&str], limit: usize) -> Vec<String> {
        let mut frames = Frames::new(limit);
        let mut out = Vec::new();
        for chunk in chunks {
            frames.buffer().extend_from_slice(chunk.as_bytes());
            match frames.messages() {
                Ok(messages) => out.extend(messages),
                Err(error) => out.push(error.to_string().into()),
            }
        }
        out.extend(frames.rest());
        out.into_iter().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
    }

    #[test]
    fn both_framings_are_read_even_mixed_and_in_pieces() {
        assert_eq!(check(&["<1>a\n<2>b\r\n", "<3>", "c"], 100), ["<1>a", "<2>b\r", "<3>c"]);
        assert_eq!(check(&["5 <1>ab6 ", "<2>a\nb", "<3>x\n"], 100), ["<1>ab", "<2>a#012b", "<3>x"]);
        assert_eq!(check(&["2026-11-21T00:00:00Z h p: m\n"], 100), ["2026-11-21T00:00:00Z h p: m"]);
    }

    #[test]
    fn a_long_line_is_cut_once_and_a_long_frame_ends_the_stream() {
        assert_eq!(check(&["0123456789", "abcdef", "\nnext\n"], 8), ["012345678", "next"]);
        assert_eq!(check(&["999 <1>x"], 8), ["a frame of 999 bytes is announced, the limit is 8", "999 <1>x"]);
    }

    #[test]
    fn a_frame_cannot_smuggle_in_a_second_line() {
        assert_eq!(one_line(BytesMut::from("a\nb\nc\n\0")), "a#012b#012c");
    }
}
