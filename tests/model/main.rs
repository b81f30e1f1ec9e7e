//! State machines against plain models of themselves, step by generated step.
//! A binary of its own because it needs nothing but the crate under test and a source of cases.

mod book;
mod peer;
mod table;
mod walk;
