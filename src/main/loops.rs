//! How many loops serve clients.

use std::str::FromStr;

use apigateway::server::default_loops;

use crate::arguments::{ServeArguments, option};

/// More have no processors to run on, anywhere.
const MAX_LOOPS: usize = 256;

/// What `--loops` says.
struct Loops(usize);

impl FromStr for Loops {
    type Err = ();

    fn from_str(text: &str) -> Result<Loops, ()> {
        let number: usize = text.parse().map_err(|_| ())?;
        (number <= MAX_LOOPS).then_some(Loops(number)).ok_or(())
    }
}

/// How many loops serve clients.
pub(crate) fn loops(arguments: &mut ServeArguments) -> Result<usize, String> {
    let default = Loops(default_loops().min(MAX_LOOPS));
    let wanted = format!("a whole number from 0 to {MAX_LOOPS}");
    option("--loops", arguments.loops.take(), default, &wanted).map(|Loops(number)| number)
}
