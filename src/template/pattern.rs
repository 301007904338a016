//! `AllowedPattern`: regular expressions as parameters have them, matched against a whole value.
//!
//! Characters, classes, groups, alternatives and repetitions are known. What else Java's expressions have is told to be
//! unknown, so that no value passes unchecked.

/// Most steps of one match: an expression that repeats repetitions takes exponentially many.
const MAX_STEPS: usize = 1_000_000;

/// Most groups inside one another.
const MAX_GROUPS: usize = 50;

/// Most times that a counted repetition may ask for.
const MAX_COUNT: usize = 10_000;

enum Item {
    Class { ranges: Vec<(char, char)>, negated: bool },
    Group(Vec<Vec<Repeated>>),
    Begin,
    End,
}

struct Repeated {
    item: Item,
    least: usize,
    most: usize,
}

/// Whether a value matches; none where the expression cannot be read, or takes too long.
pub(super) fn matches(pattern: &str, value: &str) -> Option<bool> {
    let characters: Vec<char> = pattern.chars().collect();
    let mut reader = Reader {
        characters: &characters,
        at: 0,
        groups: 0,
    };
    let alternatives = reader.alternatives()?;
    if reader.at < characters.len() {
        return None;
    }
    let value: Vec<char> = value.chars().collect();
    let mut matcher = Matcher {
        value: &value,
        steps: 0,
    };
    let end = value.len();
    let found = matcher.any(&alternatives, 0, 0, &mut |_, at| at == end);
    (matcher.steps < MAX_STEPS).then_some(found)
}

struct Reader<'a> {
    characters: &'a [char],
    at: usize,
    groups: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += 1;
        Some(next)
    }

    fn takes(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn alternatives(&mut self) -> Option<Vec<Vec<Repeated>>> {
        let mut alternatives = vec![Vec::new()];
        while let Some(next) = self.peek().filter(|next| *next != ')') {
            if next == '|' {
                self.at += 1;
                alternatives.push(Vec::new());
                continue;
            }
            let item = self.item()?;
            let repeated = self.repeated(item)?;
            alternatives.last_mut()?.push(repeated);
        }
        Some(alternatives)
    }

    fn item(&mut self) -> Option<Item> {
        let one = |character| Item::Class {
            ranges: vec![(character, character)],
            negated: false,
        };
        Some(match self.next()? {
            '^' => Item::Begin,
            '$' => Item::End,
            '.' => Item::Class {
                ranges: vec![('\n', '\n')],
                negated: true,
            },
            '(' => {
                if self.takes('?') && !self.takes(':') {
                    return None;
                }
                self.groups += 1;
                if self.groups > MAX_GROUPS {
                    return None;
                }
                let alternatives = self.alternatives()?;
                self.groups -= 1;
                self.takes(')').then_some(Item::Group(alternatives))?
            }
            '[' => self.class()?,
            '\\' => {
                let (ranges, negated) = escape(self.next()?)?;
                Item::Class { ranges, negated }
            }
            '*' | '+' | '?' | '{' | ')' => return None,
            character => one(character),
        })
    }

    fn class(&mut self) -> Option<Item> {
        let negated = self.takes('^');
        let mut ranges = Vec::new();
        loop {
            let first = match self.next()? {
                ']' if !ranges.is_empty() => break,
                '[' | '&' if self.peek() == Some(':') || self.peek() == Some('&') => return None,
                '\\' => {
                    let (escaped, is_negated) = escape(self.next()?)?;
                    match escaped.as_slice() {
                        [(one, other)] if one == other && !is_negated => *one,
                        _ if is_negated => return None,
                        _ => {
                            ranges.extend(escaped);
                            continue;
                        }
                    }
                }
                character => character,
            };
            let is_range =
                self.peek() == Some('-') && self.characters.get(self.at + 1).is_some_and(|next| *next != ']');
            if !is_range {
                ranges.push((first, first));
                continue;
            }
            self.at += 1;
            let last = match self.next()? {
                '\\' => match escape(self.next()?)? {
                    (ranges, false) => ranges.first().filter(|(one, other)| one == other)?.0,
                    _ => return None,
                },
                character => character,
            };
            ranges.push((first, last));
        }
        Some(Item::Class { ranges, negated })
    }

    fn repeated(&mut self, item: Item) -> Option<Repeated> {
        let (least, most) = match self.peek() {
            Some('*') => (0, usize::MAX),
            Some('+') => (1, usize::MAX),
            Some('?') => (0, 1),
            Some('{') => {
                self.at += 1;
                let least = self.count()?;
                let most = match self.takes(',') {
                    false => least,
                    true if self.peek() == Some('}') => usize::MAX,
                    true => self.count()?,
                };
                (self.peek() == Some('}')).then_some((least, most))?
            }
            _ => {
                return Some(Repeated {
                    item,
                    least: 1,
                    most: 1,
                });
            }
        };
        self.at += 1;
        // Whether it is greedy does not decide whether the whole matches.
        self.takes('?');
        Some(Repeated { item, least, most })
    }

    fn count(&mut self) -> Option<usize> {
        let mut digits = String::new();
        while let Some(digit) = self.peek().filter(char::is_ascii_digit) {
            digits.push(digit);
            self.at += 1;
        }
        digits.parse().ok().filter(|count| *count <= MAX_COUNT)
    }
}

/// The characters that an escape stands for, and whether all others are meant.
fn escape(character: char) -> Option<(Vec<(char, char)>, bool)> {
    let digits = vec![('0', '9')];
    let words = vec![('a', 'z'), ('A', 'Z'), ('0', '9'), ('_', '_')];
    let spaces = vec![(' ', ' '), ('\t', '\r')];
    Some(match character {
        'd' => (digits, false),
        'D' => (digits, true),
        'w' => (words, false),
        'W' => (words, true),
        's' => (spaces, false),
        'S' => (spaces, true),
        't' => (vec![('\t', '\t')], false),
        'n' => (vec![('\n', '\n')], false),
        'r' => (vec![('\r', '\r')], false),
        other if other.is_ascii_alphanumeric() => return None,
        other => (vec![(other, other)], false),
    })
}

struct Matcher<'a> {
    value: &'a [char],
    steps: usize,
}

/// What is to match after a part.
type Rest<'a> = &'a mut dyn FnMut(&mut Matcher<'_>, usize) -> bool;

/// Most calls inside one another: beyond, the expression counts as one that takes too long.
const MAX_DEPTH: usize = 3_000;

impl Matcher<'_> {
    fn any(&mut self, alternatives: &[Vec<Repeated>], at: usize, depth: usize, rest: Rest<'_>) -> bool {
        alternatives
            .iter()
            .any(|sequence| self.sequence(sequence, at, depth + 1, rest))
    }

    fn sequence(&mut self, sequence: &[Repeated], at: usize, depth: usize, rest: Rest<'_>) -> bool {
        match sequence.split_first() {
            None => rest(self, at),
            Some((first, others)) => self.repeat(first, 0, at, depth, &mut |matcher, at| {
                matcher.sequence(others, at, depth + 1, rest)
            }),
        }
    }

    fn repeat(&mut self, repeated: &Repeated, count: usize, at: usize, depth: usize, rest: Rest<'_>) -> bool {
        self.steps += 1;
        if depth > MAX_DEPTH {
            self.steps = MAX_STEPS;
        }
        if self.steps >= MAX_STEPS {
            return false;
        }
        match &repeated.item {
            // One character each, so that the longest run can be tried first without going deeper.
            Item::Class { ranges, negated } => {
                let is_in = |character: &char| {
                    ranges.iter().any(|(first, last)| (first..=last).contains(&character)) != *negated
                };
                let run = self.value.get(at..).unwrap_or_default().iter();
                let longest = run.take(repeated.most).take_while(|character| is_in(character)).count();
                (repeated.least..=longest).rev().any(|length| {
                    self.steps += 1;
                    rest(self, at + length)
                })
            }
            Item::Begin => at == 0 && rest(self, at),
            Item::End => at == self.value.len() && rest(self, at),
            Item::Group(alternatives) => {
                let again = count < repeated.most
                    && self.any(alternatives, at, depth, &mut |matcher, next| {
                        // An empty repetition brings nothing new.
                        (next > at || count < repeated.least)
                            && matcher.repeat(repeated, count + 1, next, depth + 1, rest)
                    });
                again || (count >= repeated.least && rest(self, at))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_matches_as_a_whole() {
        for (pattern, value, expected) in [
            ("[a-z]+", "abc", Some(true)),
            ("[a-z]+", "abc1", Some(false)),
            ("^[A-Za-z0-9_-]{1,8}$", "dev-1", Some(true)),
            ("^[A-Za-z0-9_-]{1,8}$", "dev-12345", Some(false)),
            ("dev|prod", "prod", Some(true)),
            ("(dev|prod)(-\\d{2,})?", "dev-12", Some(true)),
            ("(dev|prod)(-\\d{2,})?", "dev-1", Some(false)),
            ("https?://.*", "https://x.example", Some(true)),
            (r"arn:aws:[^:]*:.*", "arn:aws:sns::1", Some(true)),
            (r"\d{12}|", "", Some(true)),
            (r"\w+([.-]?\w+)*@\w+\.com", "a.b-c@d.com", Some(true)),
            ("(?!x)y", "y", None),
            ("[[:alpha:]]", "a", None),
            ("(a*)*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", None),
            ("a{2", "aa", None),
            ("", "", Some(true)),
        ] {
            assert_eq!(matches(pattern, value), expected, "{pattern} {value}");
        }
    }
}
