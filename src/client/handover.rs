//! A daemon that speaks no protocol of ours: an older one gives way to the next, a newer one is left alone.
//!
//! What always holds: only a newer client asks an older daemon to end, in order and once until one has
//! welcomed it; so two versions on one machine never end each other in turns. `hello`, `status`, `stop` and
//! `retire` mean the same in every version there will be, and a client that says it speaks
//! [any](VersionRange::ANY) gets them.

use std::time::Duration;

use tokio::time::timeout;

use super::LinkConfig;
use super::connection::{Connection, Ended, HELLO_TIMEOUT, Said};
use crate::protocol::hello::{Hello, VersionRange, Welcome};
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::request::{Request, Retire};
use crate::protocol::wire::{CallId, call_line};
use crate::transport;

/// For an older daemon to answer what it has read, commit and end.
const RETIRE_WITHIN: Duration = Duration::from_secs(15);

const RETIRE_ID: CallId = CallId::Number(1);

/// What one link has done about a daemon of another protocol.
#[derive(Debug, Default)]
pub struct Handover {
    /// The daemon that was asked to end, as it calls itself; until another one welcomes us.
    asked: Option<String>,
}

impl Handover {
    /// A daemon welcomed us: the next one may be asked again.
    pub fn welcomed(&mut self) {
        self.asked = None;
    }

    /// Makes way for a daemon of our protocol. `Ok`: whoever listens next is worth a try.
    pub async fn make_way(&mut self, config: &LinkConfig) -> Result<(), Refusal> {
        let ours = &config.hello;
        let Ok(stream) = transport::connect(&config.socket).await else { return Ok(()) };
        let any = Hello { protocol: VersionRange::ANY, ..ours.clone() };
        let mut connection = Connection::open(stream, &any, HELLO_TIMEOUT);
        let welcome = match connection.next().await {
            Ok(Said::Welcome(welcome)) => welcome,
            // Another client was quicker, or it speaks of nothing that we know.
            Ok(_) | Err(Ended::Closed | Ended::Silent) => return Ok(()),
            Err(Ended::Refused(refusal)) => return Err(refusal),
            Err(Ended::Garbage) => return Err(stranger(ours)),
        };
        if welcome.protocol > ours.protocol.max {
            return Err(newer(&welcome, ours));
        }
        if welcome.protocol >= ours.protocol.min {
            return Ok(());
        }
        if self.asked.as_ref() == Some(&welcome.server) {
            return Err(no_newer(&welcome, ours));
        }
        tracing::info!(daemon = %welcome.server, "asking an older daemon to give way");
        self.asked = Some(welcome.server);
        let retire = Request::Retire(Retire { protocol: ours.protocol });
        connection.send(call_line(&RETIRE_ID, retire.method(), &retire).into());
        // It is gone when it hangs up; one that takes too long is waited for by the next one.
        let gone = timeout(RETIRE_WITHIN, async {
            loop {
                match connection.next().await {
                    Ok(Said::Answer(RETIRE_ID, Err(refusal))) => return Err(refusal),
                    Ok(_) => {}
                    Err(_) => return Ok(()),
                }
            }
        });
        gone.await.unwrap_or(Ok(()))
    }
}

fn refusal(message: String) -> Refusal {
    Refusal::new(RefusalCode::UnsupportedProtocol, message)
}

fn ours_is(ours: &Hello) -> String {
    let VersionRange { min, max } = ours.protocol;
    format!("this is {}, which speaks {min} to {max}", ours.client)
}

fn newer(welcome: &Welcome, ours: &Hello) -> Refusal {
    let Welcome { server, protocol, .. } = welcome;
    refusal(format!("the daemon is {server} and speaks protocol {protocol}; {}", ours_is(ours))).hint(
        "this program is the older one: restart the agent that runs it, or install the newer ipcd over it",
    )
}

fn no_newer(welcome: &Welcome, ours: &Hello) -> Refusal {
    let Welcome { server, protocol, .. } = welcome;
    refusal(format!(
        "the daemon is {server} again, which speaks protocol {protocol}, after one gave way; {}",
        ours_is(ours)
    ))
    .hint("two versions are installed, and the older one is started: `ipcd status` names its program; install the newer ipcd over it")
}

fn stranger(ours: &Hello) -> Refusal {
    refusal(format!("the daemon speaks no protocol that is known here; {}", ours_is(ours)))
        .hint("end it, or install the same version of ipcd everywhere")
}
