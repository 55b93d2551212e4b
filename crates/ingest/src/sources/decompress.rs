//! Request bodies unpacked under a limit: what would unpack to more is refused before it takes memory.

use std::io::{self, Read};

use bytes::Bytes;

/// Why a body cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum DecompressError {
    #[error("the body unpacks to more than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the body is not valid {encoding}: {source}")]
    Corrupt { encoding: &'static str, source: io::Error },
    /// There is no memory for it now.
    #[error("there is no room for the unpacked body now")]
    NoRoom,
    #[error("the encoding `{encoding}` is not supported: use gzip, zstd or none")]
    Unsupported { encoding: String },
}

/// Windows over 2^23 bytes (8 MiB) are refused: RFC 9659 allows no larger ones over HTTP.
const ZSTD_WINDOW_LOG: u32 = 23;
const ZSTD_WINDOW: usize = 1 << ZSTD_WINDOW_LOG;
/// How much is unpacked at once.
const PIECE: usize = 64 * 1024;

/// Unpacks a body by its `Content-Encoding`. The limit holds for bodies that are not packed, too.
pub fn decompress(body: Bytes, encoding: Option<&str>, max_bytes: usize) -> Result<Bytes, DecompressError> {
    decompress_within(body, encoding, max_bytes, &mut |_| true)
}

/// The same, asking before it takes memory: `room` is told how much it will hold then, beside the body itself.
pub fn decompress_within(
    body: Bytes,
    encoding: Option<&str>,
    max_bytes: usize,
    room: &mut dyn FnMut(usize) -> bool,
) -> Result<Bytes, DecompressError> {
    let encoding = encoding.map_or("", str::trim).to_ascii_lowercase();
    let unpacked = match encoding.as_str() {
        "" | "identity" => body,
        "gzip" | "x-gzip" => unpack("gzip", flate2::read::MultiGzDecoder::new(body.as_ref()), max_bytes, room)?,
        "deflate" => unpack("deflate", flate2::read::ZlibDecoder::new(body.as_ref()), max_bytes, room)?,
        "zstd" => {
            let mut with_window = |bytes: usize| room(bytes.saturating_add(ZSTD_WINDOW));
            unpack("zstd", zstd_reader(&body)?, max_bytes, &mut with_window)?
        }
        _ => return Err(DecompressError::Unsupported { encoding }),
    };
    if unpacked.len() > max_bytes {
        return Err(DecompressError::TooLarge { limit: max_bytes });
    }
    Ok(unpacked)
}

fn zstd_reader(body: &Bytes) -> Result<impl Read + '_, DecompressError> {
    let corrupt = |source| DecompressError::Corrupt { encoding: "zstd", source };
    let mut decoder = zstd::Decoder::with_buffer(body.as_ref()).map_err(corrupt)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(corrupt)?;
    Ok(decoder)
}

/// Stops with the piece that goes over the limit. Memory doubles as it is needed, and never goes beyond the limit.
fn unpack(
    encoding: &'static str,
    mut reader: impl Read,
    max_bytes: usize,
    room: &mut dyn FnMut(usize) -> bool,
) -> Result<Bytes, DecompressError> {
    let mut out = Vec::new();
    let mut piece = vec![0_u8; PIECE];
    loop {
        let read = match reader.read(&mut piece) {
            Ok(0) => return Ok(Bytes::from(out)),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(DecompressError::Corrupt { encoding, source }),
        };
        let length = out.len().saturating_add(read);
        if length > max_bytes {
            return Err(DecompressError::TooLarge { limit: max_bytes });
        }
        if length > out.capacity() {
            let capacity = out.capacity().saturating_mul(2).max(length).min(max_bytes);
            if !room(capacity.saturating_add(PIECE)) {
                return Err(DecompressError::NoRoom);
            }
            out.reserve_exact(capacity.saturating_sub(out.len()));
        }
        out.extend_from_slice(piece.get(..read).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzip(bytes: &[u8]) -> Bytes {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap().into()
    }

    #[test]
    fn each_encoding_is_unpacked() {
        let text = Bytes::from_static(b"{\"a\":1}\n");
        assert_eq!(decompress(gzip(&text), Some("GZIP"), 100).unwrap(), text);
        assert_eq!(decompress(zstd::encode_all(&text[..], 3).unwrap().into(), Some("zstd"), 100).unwrap(), text);
        assert_eq!(decompress(text.clone(), None, 100).unwrap(), text);
        let joined: Vec<u8> = [gzip(b"a"), gzip(b"b")].concat();
        assert_eq!(decompress(joined.into(), Some("gzip"), 100).unwrap(), "ab");
    }

    #[test]
    fn bombs_and_broken_bodies_are_refused() {
        let zeros = vec![0_u8; 10_000_000];
        for (body, encoding) in [(gzip(&zeros), "gzip"), (zstd::encode_all(&zeros[..], 3).unwrap().into(), "zstd")] {
            assert!(body.len() < 20_000);
            assert!(matches!(
                decompress(body, Some(encoding), 100_000),
                Err(DecompressError::TooLarge { limit: 100_000 })
            ));
        }
        let cut = gzip(&zeros).slice(..500);
        assert!(matches!(decompress(cut, Some("gzip"), 100_000_000), Err(DecompressError::Corrupt { .. })));
        assert!(matches!(decompress(Bytes::from_static(b"x"), Some("zstd"), 10), Err(DecompressError::Corrupt { .. })));
        assert!(matches!(
            decompress(Bytes::from_static(b"x"), Some("br"), 10),
            Err(DecompressError::Unsupported { .. })
        ));
        assert!(matches!(decompress(Bytes::from_static(b"xxx"), None, 2), Err(DecompressError::TooLarge { .. })));
    }

    #[test]
    fn memory_is_asked_for_before_it_is_taken() {
        let zeros = vec![0_u8; 10_000_000];
        let mut asked = Vec::new();
        let mut room = |bytes| {
            asked.push(bytes);
            bytes < 1_000_000
        };
        assert!(matches!(
            decompress_within(gzip(&zeros), Some("gzip"), 100_000_000, &mut room),
            Err(DecompressError::NoRoom)
        ));
        assert!(asked.is_sorted() && *asked.last().unwrap() < 2_200_000, "{asked:?}");
        let mut never = |_| false;
        let small = zstd::encode_all(&b"x"[..], 3).unwrap().into();
        assert!(matches!(decompress_within(small, Some("zstd"), 100, &mut never), Err(DecompressError::NoRoom)));
        let plain = decompress_within(Bytes::from_static(b"x"), None, 100, &mut never).unwrap();
        assert_eq!(plain, "x", "what is not packed takes nothing more");
    }

    #[test]
    fn a_window_larger_than_http_allows_is_refused() {
        let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
        encoder.window_log(27).unwrap();
        encoder.write_all(&vec![7_u8; 1_000]).unwrap();
        let body = encoder.finish().unwrap().into();
        assert!(matches!(
            decompress(body, Some("zstd"), 10_000),
            Err(DecompressError::Corrupt { encoding: "zstd", .. })
        ));
    }
}
