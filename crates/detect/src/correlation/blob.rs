//! Bytes of saved state: fixed-width numbers, big endian, and texts behind their length.

#[derive(Debug, Default, Clone)]
pub(super) struct Writer {
    pub(super) bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn flag(&mut self, value: bool) {
        self.bytes.push(u8::from(value));
    }

    pub(super) fn small(&mut self, value: u16) {
        self.raw(&value.to_be_bytes());
    }

    pub(super) fn number(&mut self, value: u64) {
        self.raw(&value.to_be_bytes());
    }

    pub(super) fn time(&mut self, value: i64) {
        self.raw(&value.to_be_bytes());
    }

    pub(super) fn id(&mut self, value: u128) {
        self.raw(&value.to_be_bytes());
    }

    pub(super) fn amount(&mut self, value: i128) {
        self.raw(&value.to_be_bytes());
    }

    pub(super) fn length(&mut self, value: usize) {
        self.raw(&u32::try_from(value).unwrap_or(u32::MAX).to_be_bytes());
    }

    pub(super) fn text(&mut self, value: &str) {
        self.length(value.len());
        self.raw(value.as_bytes());
    }

    pub(super) fn maybe(&mut self, value: Option<i64>) {
        self.flag(value.is_some());
        self.time(value.unwrap_or_default());
    }
}

/// Reads what `Writer` wrote; nothing where the bytes end early or make no sense.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn raw<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*bytes)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.raw::<1>().map(|[byte]| byte)
    }

    pub(super) fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    pub(super) fn small(&mut self) -> Option<u16> {
        self.raw().map(u16::from_be_bytes)
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        self.raw().map(u64::from_be_bytes)
    }

    pub(super) fn time(&mut self) -> Option<i64> {
        self.raw().map(i64::from_be_bytes)
    }

    pub(super) fn id(&mut self) -> Option<u128> {
        self.raw().map(u128::from_be_bytes)
    }

    pub(super) fn amount(&mut self) -> Option<i128> {
        self.raw().map(i128::from_be_bytes)
    }

    pub(super) fn word(&mut self) -> Option<u32> {
        self.raw().map(u32::from_be_bytes)
    }

    /// A number of things of at least one byte each, so no more than there are bytes.
    pub(super) fn length(&mut self) -> Option<usize> {
        let length = usize::try_from(self.word()?).ok()?;
        (length <= self.rest.len()).then_some(length)
    }

    pub(super) fn text(&mut self) -> Option<String> {
        let length = self.length()?;
        let (text, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        String::from_utf8(text.to_vec()).ok()
    }

    /// A time, and whether it is one.
    pub(super) fn maybe(&mut self) -> Option<(bool, i64)> {
        Some((self.flag()?, self.time()?))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}
