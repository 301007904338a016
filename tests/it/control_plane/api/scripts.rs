//! The scripts of `tests/calls`: every operation, and what each refuses, with AWS's texts.

use std::collections::BTreeSet;
use std::fs;

use crate::support::calls;
use crate::support::repository::root;

macro_rules! scripts {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            calls::run_file(stringify!($name));
        })*

        /// Each file, so that none is left out.
        const FILES: &[&str] = &[$(stringify!($name)),*];
    };
}

scripts!(
    apis,
    routes,
    integrations,
    authorizers,
    stages,
    domains,
    others,
    open_api,
    terraform
);

#[test]
fn every_file_is_run() {
    let names = fs::read_dir(root().join("tests/calls")).unwrap().map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        name.strip_suffix(".json").unwrap().to_owned()
    });
    let run: BTreeSet<String> = FILES.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(names.collect::<BTreeSet<_>>(), run);
}
