//! `ipcd hook`: tells an agent, in its client's own form, that mail waits.
//!
//! What always holds: it says how many messages wait and nothing that a peer wrote, for clients put
//! a hook's words beside those of their user; it is silent when nothing waits or anything fails; it
//! starts no daemon and ends in order.

use std::io::{IsTerminal, Read};
use std::sync::mpsc;
use std::time::Duration;

use super::args::{Global, HookArgs};
use super::caller::{hello, link};
use crate::agents::hook::{Input, Moment};
use crate::paths::Paths;
use crate::protocol::request::{Auto, AutoSet, Request};
use crate::protocol::response::AutoState;

/// How long the daemon may take. The agent stands still meanwhile.
const ANSWER_TIME: Duration = Duration::from_secs(1);

/// How long the client may take to write what the hook is about. Some never close the pipe.
const INPUT_TIME: Duration = Duration::from_millis(200);

/// Longest description of an event, in bytes: the result of a tool call may be part of it.
const INPUT_BYTES_MAX: u64 = 8 << 20;

/// What to print, if there is anything to say.
pub async fn hook(global: &Global, args: HookArgs) -> Option<String> {
    let moment = Moment::of(&args.event)?;
    let input = read();
    if moment == Moment::Stop && (input.stop_hook_active || input.loop_count > 0) {
        // It was told once and chose to end; to hold it again would never end.
        return None;
    }
    let look = look(global, moment, input.session_id);
    let unread = tokio::time::timeout(ANSWER_TIME, look).await.ok()??;
    args.client.hook()?.say(moment, &words(unread))
}

/// How many messages wait, if now is a time to say so.
async fn look(global: &Global, moment: Moment, session: Option<String>) -> Option<u64> {
    let link = link(&Paths::from_env().ok()?, false, hello(global.speak_as.clone(), session));
    let auto = |set| Request::Auto(Auto { set, minutes: None, from: None });
    let state: AutoState = link.ask(auto(AutoSet::Status)).await.ok()?;
    // In the middle of a turn it looks as often as it was asked to.
    let wanted = moment != Moment::Tool || (state.enabled && state.due);
    if wanted && state.enabled {
        let _ = link.ask::<AutoState>(auto(AutoSet::Looked)).await;
    }
    link.close().await;
    (wanted && state.unread > 0).then_some(state.unread)
}

fn words(unread: u64) -> String {
    match unread {
        1 => "ipcd: 1 message waits for you; call check to read it".to_owned(),
        n => format!("ipcd: {n} messages wait for you; call check to read them"),
    }
}

/// What the client wrote, or nothing of it when it is slow, large or no JSON.
fn read() -> Input {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Input::default();
    }
    let (done, text) = mpsc::channel();
    // Left behind if the client never closes its end; the process ends soon.
    std::thread::spawn(move || {
        let mut text = Vec::new();
        if stdin.take(INPUT_BYTES_MAX).read_to_end(&mut text).is_ok() {
            let _ = done.send(text);
        }
    });
    let text = text.recv_timeout(INPUT_TIME).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}
