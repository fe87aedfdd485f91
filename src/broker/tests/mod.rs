//! The broker against a small world of clients, processes, clocks and a store that is a map.

mod batches;
mod clock;
mod invariants;
mod model;
mod scenarios;
mod world;
