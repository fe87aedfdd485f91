//! How the text of a file becomes bytes. Windows' task scheduler takes UTF-16 with its mark; anything else it
//! reads in the machine's old code page, where the ë of a user's folder is another letter.

use serde::Serialize;

/// Little-endian, as every Windows is.
const MARK: [u8; 2] = [0xff, 0xfe];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Encoding {
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    #[serde(rename = "utf-16")]
    Utf16,
}

impl Encoding {
    pub fn is_usual(&self) -> bool {
        *self == Encoding::Utf8
    }

    pub fn bytes(self, text: &str) -> Vec<u8> {
        match self {
            Encoding::Utf8 => text.as_bytes().to_vec(),
            Encoding::Utf16 => {
                MARK.into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
            }
        }
    }
}

/// The text of a file in either encoding; `None` if it is in neither.
pub fn text_of(bytes: &[u8]) -> Option<String> {
    let Some(wide) = bytes.strip_prefix(&MARK) else { return String::from_utf8(bytes.to_vec()).ok() };
    let (units, rest) = wide.as_chunks::<2>();
    let units: Vec<u16> = units.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
    rest.is_empty().then(|| String::from_utf16(&units).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_comes_back_and_half_a_letter_is_none() {
        for encoding in [Encoding::Utf8, Encoding::Utf16] {
            for text in ["", "plain", "Zoë 😀"] {
                assert_eq!(text_of(&encoding.bytes(text)).as_deref(), Some(text), "{encoding:?}");
            }
        }
        assert_eq!(Encoding::Utf16.bytes("ë"), [0xff, 0xfe, 0xeb, 0x00]);
        assert_eq!(text_of(&[0xff, 0xfe, 0x41]), None);
        assert_eq!(text_of(&[0xff, 0xfe, 0x00, 0xd8]), None, "half of a pair");
        assert_eq!(text_of(&[0x5a, 0xeb]), None, "an old code page");
    }
}
