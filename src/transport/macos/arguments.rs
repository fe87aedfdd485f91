//! The arguments of a process as macOS hands them out: their number, the program, padding, then each
//! with a zero behind it. What follows them, the environment, is not looked at.

/// The arguments in `buffer`; fewer than the kernel counted if the buffer ends before they do.
pub(super) fn parse(buffer: &[u8]) -> Vec<String> {
    let Some((count, rest)) = buffer.split_first_chunk() else { return Vec::new() };
    let count = usize::try_from(i32::from_ne_bytes(*count)).unwrap_or_default();
    let Some(program_end) = rest.iter().position(|b| *b == 0) else { return Vec::new() };
    let padded = &rest[program_end..];
    let start = padded.iter().position(|b| *b != 0).unwrap_or(padded.len());
    let arguments = padded[start..].split(|b| *b == 0).take(count);
    arguments.map(|argument| String::from_utf8_lossy(argument).into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(count: i32, rest: &[u8]) -> Vec<u8> {
        [&count.to_ne_bytes(), rest].concat()
    }

    #[test]
    fn arguments_are_told_from_the_program_and_the_environment() {
        let shell = buffer(3, b"/bin/sh\0\0\0\0sh\0-c\0ipcd check\0HOME=/Users/ada\0\0");
        assert_eq!(parse(&shell), ["sh", "-c", "ipcd check"]);
        assert_eq!(parse(&buffer(2, b"/bin/sh\0\0\0sh\0\0X=1\0")), ["sh", ""], "one may be empty");
    }

    #[test]
    fn what_makes_no_sense_gives_no_more_than_is_there() {
        for nothing in
            [&b""[..], b"\x01\0", &buffer(3, b""), &buffer(3, b"/bin/sh"), &buffer(-1, b"/x\0\0a\0")]
        {
            assert_eq!(parse(nothing), [""; 0], "{nothing:?}");
        }
        assert_eq!(parse(&buffer(i32::MAX, b"/x\0\0a\0b")), ["a", "b"]);
    }
}
