//! Characters that must not reach a log, a terminal or a label as they are.

/// Tests whether a character changes how the text around it is shown, or is not shown at all: control characters, line
/// and paragraph separators, and the format characters of Unicode (general category Cf), which turn the direction of
/// text around, hide in it, or join the characters beside them.
///
/// ```
/// use narthex_template::is_disruptive;
///
/// assert!(is_disruptive('\u{202e}') && is_disruptive('\u{feff}') && is_disruptive('\u{1b}'));
/// assert!(!is_disruptive('\u{e9}') && !is_disruptive(' '));
/// ```
pub fn is_disruptive(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{600}'..='\u{605}'
                | '\u{61c}'
                | '\u{6dd}'
                | '\u{70f}'
                | '\u{890}'..='\u{891}'
                | '\u{8e2}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{110bd}'
                | '\u{110cd}'
                | '\u{13430}'..='\u{1343f}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e007f}'
        )
}
