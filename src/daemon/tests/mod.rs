//! The daemon's inside over a disk that fails: engine, broker and store as they run, front ends that
//! are played, and a book of what each of them was promised.
//!
//! `IPCD_TEST_SEED` plays a failed life again, `IPCD_TEST_IMAGES` asks for more crash images
//! (`docs/reliability.md`).

mod book;
mod crashes;
mod damage;
mod front_end;
mod machine;
mod play;
