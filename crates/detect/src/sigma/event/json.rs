//! Reads the bytes of one JSON object into the table. Lenient where an attacker could otherwise hide an event from its
//! rules by one bad byte, strict where nothing sensible could be read.

use super::{Doc, Kind, MAX_DEPTH, Node, Span, Unreadable};

pub(super) struct Reader<'a> {
    doc: &'a mut Doc,
    bytes: &'a [u8],
    next: usize,
    /// Whether what is read goes into the table, or is only checked.
    keep: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(doc: &'a mut Doc, bytes: &'a [u8]) -> Self {
        Self { doc, bytes, next: 0, keep: true }
    }

    /// A reader that only says whether an event can be read.
    pub(super) fn checking(doc: &'a mut Doc, bytes: &'a [u8]) -> Self {
        Self { keep: false, ..Self::new(doc, bytes) }
    }

    /// One object and nothing else.
    pub(super) fn document(mut self) -> Result<(), Unreadable> {
        self.skip_blanks();
        if self.peek() != Some(b'{') {
            return Err(Unreadable);
        }
        self.value(Span::default(), 0)?;
        self.skip_blanks();
        if self.peek().is_none() { Ok(()) } else { Err(Unreadable) }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.next).copied()
    }

    fn step(&mut self) {
        self.next = self.next.saturating_add(1);
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.step();
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Unreadable> {
        if self.peek() != Some(byte) {
            return Err(Unreadable);
        }
        self.step();
        Ok(())
    }

    fn push(&mut self, kind: Kind, key: Span, text: Span) -> usize {
        let index = self.doc.nodes.len();
        if !self.keep {
            return index;
        }
        let end = index.saturating_add(1);
        self.doc.nodes.push(Node { kind, key, text, bare: true, folded: None, end, dead: false });
        index
    }

    fn close(&mut self, index: usize) {
        let end = self.doc.nodes.len();
        if let Some(node) = self.doc.nodes.get_mut(index) {
            node.end = end;
        }
    }

    fn value(&mut self, key: Span, depth: usize) -> Result<(), Unreadable> {
        if depth >= MAX_DEPTH {
            return Err(Unreadable);
        }
        match self.peek() {
            Some(b'{') => self.map(key, depth),
            Some(b'[') => self.list(key, depth),
            Some(b'"') => {
                let text = self.string()?;
                let index = self.push(Kind::Scalar, key, text);
                if let Some(node) = self.doc.nodes.get_mut(index) {
                    node.bare = false;
                }
                Ok(())
            }
            Some(b't') => self.word("true", Kind::Scalar, key),
            Some(b'f') => self.word("false", Kind::Scalar, key),
            Some(b'n') => self.word("null", Kind::Null, key),
            Some(b'-' | b'0'..=b'9') => self.number(key),
            _ => Err(Unreadable),
        }
    }

    fn map(&mut self, key: Span, depth: usize) -> Result<(), Unreadable> {
        let index = self.push(Kind::Map, key, Span::default());
        self.step();
        self.skip_blanks();
        if self.peek() == Some(b'}') {
            self.step();
        } else {
            loop {
                self.skip_blanks();
                let name = self.string()?;
                self.skip_blanks();
                self.expect(b':')?;
                self.skip_blanks();
                self.value(name, depth.saturating_add(1))?;
                if !self.goes_on(b'}')? {
                    break;
                }
            }
        }
        self.close(index);
        if self.keep {
            self.doc.drop_duplicates(index);
        }
        Ok(())
    }

    fn list(&mut self, key: Span, depth: usize) -> Result<(), Unreadable> {
        let index = self.push(Kind::List, key, Span::default());
        self.step();
        self.skip_blanks();
        if self.peek() == Some(b']') {
            self.step();
        } else {
            loop {
                self.skip_blanks();
                self.value(Span::default(), depth.saturating_add(1))?;
                if !self.goes_on(b']')? {
                    break;
                }
            }
        }
        self.close(index);
        Ok(())
    }

    /// Behind a member: `true` at a comma, `false` at the closing bracket.
    fn goes_on(&mut self, close: u8) -> Result<bool, Unreadable> {
        self.skip_blanks();
        let byte = self.peek();
        self.step();
        match byte {
            Some(b',') => Ok(true),
            Some(byte) if byte == close => Ok(false),
            _ => Err(Unreadable),
        }
    }

    fn word(&mut self, word: &str, kind: Kind, key: Span) -> Result<(), Unreadable> {
        let end = self.next.saturating_add(word.len());
        if self.bytes.get(self.next..end) != Some(word.as_bytes()) {
            return Err(Unreadable);
        }
        self.next = end;
        let text = self.keep(word);
        self.push(kind, key, text);
        Ok(())
    }

    /// Numbers keep their spelling.
    fn number(&mut self, key: Span) -> Result<(), Unreadable> {
        let rest = self.bytes.get(self.next..).unwrap_or_default();
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        let length = rest.iter().take_while(|byte| is_part(byte)).count();
        let number = rest.get(..length).and_then(|number| std::str::from_utf8(number).ok()).ok_or(Unreadable)?;
        self.next = self.next.saturating_add(length);
        let text = self.keep(number);
        self.push(Kind::Scalar, key, text);
        Ok(())
    }

    fn keep(&mut self, text: &str) -> Span {
        let start = self.doc.text.len();
        self.doc.text.push_str(text);
        Span { start, end: self.doc.text.len() }
    }

    fn string(&mut self) -> Result<Span, Unreadable> {
        self.expect(b'"')?;
        let start = self.doc.text.len();
        loop {
            let rest = self.bytes.get(self.next..).unwrap_or_default();
            let length = memchr::memchr2(b'"', b'\\', rest).ok_or(Unreadable)?;
            let (plain, ends) = (rest.get(..length).unwrap_or_default(), rest.get(length) == Some(&b'"'));
            if self.keep {
                match std::str::from_utf8(plain) {
                    Ok(plain) => self.doc.text.push_str(plain),
                    Err(_) => self.doc.text.push_str(&String::from_utf8_lossy(plain)),
                }
            }
            self.next = self.next.saturating_add(length).saturating_add(1);
            if ends {
                return Ok(Span { start, end: self.doc.text.len() });
            }
            let char = self.escape()?;
            self.doc.text.push(char);
        }
    }

    /// The character behind a backslash.
    fn escape(&mut self) -> Result<char, Unreadable> {
        let byte = self.peek().ok_or(Unreadable)?;
        self.step();
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => self.unicode()?,
            _ => return Err(Unreadable),
        })
    }

    /// `\uXXXX`, or a pair of them; half a pair is U+FFFD.
    fn unicode(&mut self) -> Result<char, Unreadable> {
        let first = self.hex4()?;
        if (0xd800..0xdc00).contains(&first) && self.bytes.get(self.next..self.next.saturating_add(2)) == Some(br"\u") {
            let before = self.next;
            self.next = self.next.saturating_add(2);
            let second = self.hex4()?;
            if let Some(Ok(char)) = char::decode_utf16([first, second]).next() {
                return Ok(char);
            }
            self.next = before;
        }
        Ok(char::from_u32(u32::from(first)).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex4(&mut self) -> Result<u16, Unreadable> {
        let end = self.next.saturating_add(4);
        let digits = self.bytes.get(self.next..end).and_then(|digits| std::str::from_utf8(digits).ok());
        let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit())).ok_or(Unreadable)?;
        self.next = end;
        u16::from_str_radix(digits, 16).ok().ok_or(Unreadable)
    }
}
