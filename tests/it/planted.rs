//! What is for tests alone is not in the program.

#[test]
#[cfg(not(feature = "planted-bugs"))]
fn the_program_holds_no_planted_bug() {
    let program = std::fs::read(env!("CARGO_BIN_EXE_ipcd")).expect("the program");
    let holds = |words: &str| program.windows(words.len()).any(|found| found == words.as_bytes());
    assert!(holds("IPCD_HOME"), "what is in the program is found");
    for words in ["IPCD_PLANTED_BUG", "numbers-from-the-clock"] {
        assert!(!holds(words), "{words} is in the program");
    }
}
