//! The parity table, row by row: what users of the two seeds have, and what they complained about.
//! Each test is named after its row and drives the real program.

mod clients;
mod codes;
mod command_line;
mod daemon;
mod limits;
mod load;
mod sharing;
