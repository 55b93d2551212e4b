//! The encodings of values, bit by bit.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 with padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= group.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

/// The three texts that show the bytes somewhere inside a longer base64 text, as the specification's table cuts them.
pub(crate) fn base64_offsets(bytes: &[u8]) -> Vec<String> {
    let starts = [0, 2, 3];
    let ends = [0, 3, 2];
    let forms = (0..3).map(|shift| {
        let mut shifted = vec![b' '; shift];
        shifted.extend_from_slice(bytes);
        let text = base64(&shifted);
        let cut = ends[shifted.len() % 3];
        text.get(starts[shift]..text.len().saturating_sub(cut)).unwrap_or_default().to_owned()
    });
    forms.collect()
}

/// One form of a value becomes these under an encoding; None where the name is of something else.
pub(crate) fn encoded(form: &[u8], name: &str) -> Option<Vec<Vec<u8>>> {
    let units = || String::from_utf8_lossy(form).encode_utf16().collect::<Vec<u16>>();
    Some(match name {
        "base64" => vec![base64(form).into_bytes()],
        "base64offset" => base64_offsets(form).into_iter().map(String::into_bytes).collect(),
        "wide" | "utf16le" => vec![units().into_iter().flat_map(u16::to_le_bytes).collect()],
        "utf16be" => vec![units().into_iter().flat_map(u16::to_be_bytes).collect()],
        "utf16" => vec![[0xff, 0xfe].into_iter().chain(units().into_iter().flat_map(u16::to_le_bytes)).collect()],
        _ => return None,
    })
}

/// Bytes as the text of an event: themselves where they are UTF-8, else a character for each byte.
pub(crate) fn shown(bytes: &[u8]) -> String {
    match String::from_utf8(bytes.to_vec()) {
        Ok(text) => text,
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

#[test]
fn base64_is_that_of_the_standard() {
    for (text, wanted) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
        assert_eq!(base64(text.as_bytes()), wanted);
    }
    assert_eq!(base64_offsets(b"/bin/bash"), ["L2Jpbi9iYXNo", "9iaW4vYmFza", "vYmluL2Jhc2"]);
}
