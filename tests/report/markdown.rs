//! Markdown.

use crate::drill::{SHOP, shop};
use firedrill::report;

#[test]
fn a_comment_begins_with_the_verdict_and_says_what_to_do() {
    let drill = shop(SHOP);
    let text = report::markdown(&drill.summary());
    crate::drill::keep("shop.md", &text);

    let first = text.lines().next().expect("a line");
    assert!(first.starts_with("### ❌ FAIL <code>shop</code>: 0 of 3 expectations met"), "{first}");
    assert!(
        text.contains("| ❌ fail | <code>duplicate\\_side\\_effects</code> 0 | 120 ("),
        "{text}"
    );
    assert!(text.contains("1. ❌ <code>naive</code>: 120 of 600 unsafe operations"), "{text}");
    assert!(text.contains("Send one Idempotency-Key per operation"), "{text}");
    // Rows have as many cells as their head, or they are no table.
    let bars = |line: &str| line.replace("\\|", "").matches('|').count();
    let lines: Vec<&str> = text.lines().collect();
    for pair in lines.windows(2).filter(|pair| pair.iter().all(|line| line.starts_with('|'))) {
        assert_eq!(bars(pair[0]), bars(pair[1]), "{pair:#?}");
    }
    assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
}
