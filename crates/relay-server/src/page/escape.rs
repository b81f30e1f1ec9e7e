//! Text of strangers, made harmless within HTML.
//!
//! Separate because every value on the page goes through here.

use std::fmt::{self, Write as _};

/// Shows a text within HTML, in an element or a quoted attribute.
///
/// Control characters, and those that change the direction of what follows or do not show at all, appear as a question
/// mark in a box: they could make a name look like another one.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                hidden if hides(hidden) => f.write_char('\u{fffd}')?,
                plain => f.write_char(plain)?,
            }
        }
        Ok(())
    }
}

fn hides(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::Escaped;

    #[test]
    fn nothing_that_means_something_to_a_browser_is_left() {
        let hostile = "<script>alert('x')</script>\" onload=\"&amp;";
        let shown = Escaped(hostile).to_string();
        assert!(!shown.contains(['<', '>', '"', '\'']), "{shown}");
        assert_eq!(shown.matches('&').count(), 4 + 2 + 2 + 1, "{shown}");
    }

    #[test]
    fn nothing_that_hides_or_turns_text_is_left() {
        for hidden in ['\0', '\u{1b}', '\u{202e}', '\u{2066}', '\u{200b}', '\u{feff}', '\u{9b}'] {
            assert_eq!(Escaped(&format!("a{hidden}b")).to_string(), "a\u{fffd}b");
        }
        assert_eq!(Escaped("Grüße, 日本, مرحبا").to_string(), "Grüße, 日本, مرحبا");
    }
}
