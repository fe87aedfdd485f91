//! A line from a client is a call or is refused in words; what was understood says the same again.
#![no_main]

use ipcd::protocol::request::Request;
use ipcd::protocol::wire::{self, FromDaemon, Incoming};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    // What a daemon says is read by the same rules.
    let _ = FromDaemon::parse(line);
    match Incoming::parse(line) {
        Ok(Incoming::Call { id, method, params }) => match Request::decode(&method, params) {
            Ok(request) => {
                let again = wire::call_line(&id, request.method(), &request);
                let Ok(Incoming::Call { id: id_again, method, params }) = Incoming::parse(&again) else {
                    panic!("what was written is no call")
                };
                assert_eq!(id_again, id);
                assert_eq!(Request::decode(&method, params).expect("it was one"), request);
            }
            Err(refusal) => {
                assert!(!refusal.message.is_empty());
                assert_eq!(
                    wire::answer_line::<()>(&id, &Err(refusal)).iter().filter(|b| **b == b'\n').count(),
                    1
                );
            }
        },
        Ok(Incoming::Notification { params, .. }) => drop(wire::cancelled_call(params)),
        Err(unreadable) => {
            let line = wire::complaint_line(&unreadable);
            assert_eq!(line.iter().filter(|b| **b == b'\n').count(), 1, "an answer is one line");
        }
    }
});
