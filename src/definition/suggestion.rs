//! The word that was probably meant by one that does not exist.
//!
//! # Example
//! ```
//! use apigateway::definition::suggestion::{closest, did_you_mean};
//!
//! assert_eq!(closest("RuoteKey", ["RouteKey", "Target"]), Some("RouteKey"));
//! assert_eq!(closest("Colour", ["RouteKey", "Target"]), None);
//! assert_eq!(did_you_mean("get", ["GET", "ANY"]), "; did you mean \"GET\"?");
//! ```

/// Longer words are not compared: a suggestion for so long a word seldom helps, and the comparison would take long.
const MAX_LENGTH: usize = 256;

/// The known word that is most like another one, if any is like it; of two that are, the first.
pub fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = letters(word);
    // A third of the letters may be wrong, but not all of a short word.
    let most = (written.len() / 3).clamp(1, 4);
    let mut best: Option<(usize, &str)> = None;
    for candidate in known {
        let meant = letters(candidate);
        if meant.len().abs_diff(written.len()) > most || meant.len().max(written.len()) > MAX_LENGTH {
            continue;
        }
        let distance = distance(&written, &meant);
        if distance <= most && distance < meant.len() && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// The end of a sentence that proposes a word; empty where there is none.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    closest(word, known)
        .map(|meant| format!("; did you mean {meant:?}?"))
        .unwrap_or_default()
}

/// Whether one is the other but for case or one letter.
pub fn is_near_miss(written: &str, meant: &str) -> bool {
    let (written_letters, meant_letters) = (letters(written), letters(meant));
    written != meant
        && written_letters.len().abs_diff(meant_letters.len()) <= 1
        && distance(&written_letters, &meant_letters) <= 1
}

/// Case does not make another word.
fn letters(word: &str) -> Vec<char> {
    word.chars().flat_map(char::to_lowercase).collect()
}

/// How many letters must be put in, taken out, changed, or swapped with their neighbour.
fn distance(from: &[char], to: &[char]) -> usize {
    let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX);
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    let mut previous_letter = None;
    for (row, letter) in from.iter().enumerate() {
        let mut current = vec![row + 1];
        let mut previous_other = None;
        for (column, other) in to.iter().enumerate() {
            let changed = at(&last, column) + usize::from(letter != other);
            let mut least = changed.min(at(&last, column + 1) + 1).min(at(&current, column) + 1);
            let is_swapped = previous_letter == Some(other) && previous_other == Some(letter);
            if is_swapped && column > 0 {
                least = least.min(at(&before_last, column - 1).saturating_add(1));
            }
            current.push(least);
            previous_other = Some(other);
        }
        before_last = std::mem::replace(&mut last, current);
        previous_letter = Some(letter);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_are_alike() {
        for (written, known, expected) in [
            ("Routekey", &["RouteKey"][..], Some("RouteKey")),
            ("RouteKy", &["RouteKey"], Some("RouteKey")),
            ("RuoteKey", &["RouteKey"], Some("RouteKey")),
            (
                "IntegrationUrl",
                &["IntegrationUri", "IntegrationType"],
                Some("IntegrationUri"),
            ),
            ("GTE", &["GET", "PUT"], Some("GET")),
            ("XY", &["GET", "PUT"], None),
            ("x", &["y"], None),
            ("", &["a"], None),
            ("GET /pet", &["GET /pets", "GET /pets/{id}"], Some("GET /pets")),
            ("TagsX", &["Tags"], Some("Tags")),
            ("Colour", &["Name", "Tags"], None),
        ] {
            assert_eq!(closest(written, known.iter().copied()), expected, "{written}");
        }
        for (written, meant, expected) in [
            ("Routes", "routes", true),
            ("route", "routes", true),
            ("rotues", "routes", true),
            ("Rote", "routes", false),
            ("routes", "routes", false),
            ("rout", "routes", false),
        ] {
            assert_eq!(is_near_miss(written, meant), expected, "{written}");
        }
        let long = "x".repeat(100_000);
        assert_eq!(closest(&long, [long.as_str()]), None);
    }
}
