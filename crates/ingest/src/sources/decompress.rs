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
    #[error("the encoding `{encoding}` is not supported: use gzip, zstd or none")]
    Unsupported { encoding: String },
}

/// zstd windows over 2^27 bytes (128 MiB) are refused.
const ZSTD_WINDOW_LOG: u32 = 27;

/// Unpacks a body by its `Content-Encoding`. The limit holds for bodies that are not packed, too.
pub fn decompress(body: Bytes, encoding: Option<&str>, max_bytes: usize) -> Result<Bytes, DecompressError> {
    let encoding = encoding.map_or("", str::trim).to_ascii_lowercase();
    let unpacked = match encoding.as_str() {
        "" | "identity" => body,
        "gzip" | "x-gzip" => unpack("gzip", flate2::read::MultiGzDecoder::new(body.as_ref()), max_bytes)?,
        "deflate" => unpack("deflate", flate2::read::ZlibDecoder::new(body.as_ref()), max_bytes)?,
        "zstd" => unpack("zstd", zstd_reader(&body)?, max_bytes)?,
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

/// Reads at most one byte over the limit.
fn unpack(encoding: &'static str, reader: impl Read, max_bytes: usize) -> Result<Bytes, DecompressError> {
    let limit = u64::try_from(max_bytes).unwrap_or(u64::MAX).saturating_add(1);
    let mut out = Vec::new();
    reader.take(limit).read_to_end(&mut out).map_err(|source| DecompressError::Corrupt { encoding, source })?;
    if out.len() > max_bytes {
        return Err(DecompressError::TooLarge { limit: max_bytes });
    }
    Ok(Bytes::from(out))
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
}
