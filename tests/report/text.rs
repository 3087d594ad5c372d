//! The first screen of the terminal.

use crate::drill::{SHOP, shop};
use firedrill::diag::Look;

#[test]
fn the_first_screen_has_the_verdict_and_what_to_do() {
    let drill = shop(SHOP);
    let text = drill.summary().text(Look::Plain, 80);
    let screen: Vec<&str> = text.lines().take(24).collect();

    assert_eq!(
        screen[0], "FAIL  0 of 3 expectations met: 1 failed, 1 inconclusive, 1 not put to the test",
        "{text}"
    );
    for begins in [
        "FAIL          duplicate_side_effects 0 ",
        "INCONCLUSIVE  retry_amplification 1.5x ",
        "FAIL  naive: 120 of 600 unsafe operations took effect more than once",
        "      to do: send one Idempotency-Key per operation",
        "      seen: 6",
    ] {
        assert!(screen.iter().any(|line| line.starts_with(begins)), "no {begins:?} in\n{text}");
    }
    // Each of another respect, and none that is not bad.
    let told = text.lines().filter(|line| line.starts_with("FAIL  naive: ")).count();
    assert!((2..=3).contains(&told), "{text}");
}

#[test]
fn no_line_of_it_is_wider_than_there_is_room() {
    let drill = shop(SHOP);
    for width in [60, 80, 100] {
        let text = drill.summary().text(Look::Plain, width);
        let verdict = text.lines().skip_while(|line| !line.starts_with("verdict "));
        for line in verdict.take_while(|line| !line.starts_with("phase ")) {
            assert!(line.chars().count() <= width, "{width}: {line:?}\n{text}");
        }
    }
    let text = drill.summary().text(Look::Coloured, 80);
    assert!(text.starts_with("\u{1b}["), "the verdict has a colour");
}
