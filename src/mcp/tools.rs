//! What each tool does: its arguments become a request, the daemon's answer is the result.

use std::time::Duration;

use serde_json::{Value, json};

use super::answer::to_json;
use super::backend::Answer;
use super::call::Call;
use super::forward;
use super::params::{Acked, Args, quoted, to_data};
use super::share::{self, Outcome};
use super::waits::survivable;
use crate::protocol::message::{Body, MessageId};
use crate::protocol::name::Name;
use crate::protocol::refusal::Refusal;
use crate::protocol::request::{Auto, AutoSet, Broadcast, Check, Nothing, Rename, Request, Send};

/// How long `watch_messages` waits when it is not told, in seconds.
const WATCH_SECONDS: u64 = 300;

/// In the `data` of a receipt. A message that has it is never answered with another one.
const RECEIPT: &str = "auto_processed";

/// Runs the tool whose arguments these are.
pub async fn run(call: &Call, name: &str, args: Args) -> Result<Outcome, Refusal> {
    match name {
        "register" => register(call, args).await,
        "send" => send(call, args).await,
        "broadcast" => broadcast(call, args).await,
        "check" => check(call, args).await,
        "list_instances" | "list_terminals" => list(call).await,
        "share_file" => return share::file(call, args).await,
        "share_command" => return share::command(call, args).await,
        "rename" => rename(call, args).await,
        "auto_process" => auto_process(call, args).await,
        "send_message" => send_message(call, args).await,
        "get_messages" => get_messages(call, args).await,
        "watch_messages" => watch_messages(call, args).await,
        _ => Err(Refusal::invalid_argument(format!("no tool `{}`", quoted(name)))),
    }
    .map(Outcome::Done)
}

async fn register(call: &Call, mut args: Args) -> Answer {
    let (instance_id, name) = (args.text("instance_id")?, args.text("name")?);
    let name = match (instance_id, name) {
        (Some(one), Some(other)) if one != other => {
            return Err(Refusal::invalid_argument("`instance_id` and `name` differ").hint("give one of them"));
        }
        (one, other) => one.or(other).ok_or_else(|| {
            Refusal::invalid_argument("`instance_id` is missing").hint("give the name that you want to have")
        })?,
    };
    // A name that nobody can have needs no daemon to say so.
    Name::parse(&name)?;
    call.session.register(name).await
}

async fn send(call: &Call, mut args: Args) -> Answer {
    let mut data = args.data("data");
    if let Some(id) = args.id("forward")? {
        if data.is_some() {
            return Err(Refusal::invalid_argument("`forward` and `data` cannot go together")
                .hint("the message that is passed on is the data"));
        }
        call.session.named().await?;
        data = Some(forward::data(call, id).await?);
    }
    let send = Send {
        to: args.names("to_id")?,
        content: args.body("content")?,
        summary: args.text("summary")?,
        data,
        reply_to: args.id("reply_to")?,
        key: Some(args.own("key")?.unwrap_or_else(|| call.session.next_key())),
        ttl_seconds: args.whole("ttl_seconds")?,
        from: args.own("from_id")?,
    };
    call.ask(Request::Send(send)).await
}

async fn send_message(call: &Call, mut args: Args) -> Answer {
    let send = Send {
        to: args.names("to")?,
        content: args.body("content")?,
        summary: Some(args.required("summary")?),
        data: None,
        reply_to: None,
        key: Some(call.session.next_key()),
        ttl_seconds: None,
        from: args.own("from")?,
    };
    if send.to.is_empty() {
        return Err(Refusal::invalid_argument("`to` names nobody"));
    }
    call.ask(Request::Send(send)).await
}

async fn broadcast(call: &Call, mut args: Args) -> Answer {
    let broadcast = Broadcast {
        content: args.body("content")?,
        summary: args.text("summary")?,
        data: args.data("data"),
        key: Some(call.session.next_key()),
        from: args.own("from_id")?,
    };
    call.ask(Request::Broadcast(broadcast)).await
}

async fn check(call: &Call, mut args: Args) -> Answer {
    let check = Check {
        wait_ms: wait_ms(call, args.whole("wait_seconds")?.unwrap_or_default()),
        peek: args.flag("peek")?.unwrap_or_default(),
        limit: args.whole("limit")?.and_then(|limit| usize::try_from(limit).ok()),
        id: args.id("id")?,
        offset: args.whole("offset")?.unwrap_or_default(),
        from: args.own("instance_id")?,
    };
    match args.ack("ack")? {
        Some(Acked::Ids(ids)) => call.session.ack(ids),
        Some(Acked::All) => call.session.ack_all(),
        Some(Acked::OnFlush) => call.session.settle_on_flush(&call.context.id),
        None => {}
    }
    looked(call, check).await
}

async fn looked(call: &Call, check: Check) -> Answer {
    call.check(check).await.map(|answer| to_json(&answer))
}

async fn get_messages(call: &Call, mut args: Args) -> Answer {
    let take = args.flag("delete_after_read")?.unwrap_or(true);
    looked(call, Check { peek: !take, from: args.own("terminal_name")?, ..Check::default() }).await
}

async fn watch_messages(call: &Call, mut args: Args) -> Answer {
    let seconds = args.whole("timeout")?.unwrap_or(WATCH_SECONDS);
    // The daemon tells: nothing polls.
    args.whole("interval")?;
    let wait_ms = wait_ms(call, seconds);
    looked(call, Check { wait_ms, from: args.own("terminal_name")?, ..Check::default() }).await
}

async fn list(call: &Call) -> Answer {
    // With the own name in the list, if there is one; a list without it is better than none.
    let _ = call.session.named().await;
    call.ask_unnamed(Request::List(Nothing {})).await
}

async fn rename(call: &Call, mut args: Args) -> Answer {
    let rename = Rename { new: args.required("new_id")?, old: args.own("old_id")? };
    let answer = call.ask(Request::Rename(rename)).await?;
    call.session.renamed(&answer);
    Ok(answer)
}

async fn auto_process(call: &Call, mut args: Args) -> Answer {
    let from = args.own("instance_id")?;
    let minutes = args.whole("minutes")?.and_then(|minutes| i64::try_from(minutes).ok());
    let acknowledge = args.flag("acknowledge")?.unwrap_or_default();
    let set = match args.text("auto_check")?.as_deref() {
        None => None,
        Some("start") => Some(AutoSet::Start),
        Some("stop") => Some(AutoSet::Stop),
        Some("status") => Some(AutoSet::Status),
        Some(_) => {
            return Err(Refusal::invalid_argument("`auto_check` is neither start, stop nor status"));
        }
    };
    if let Some(set) = set {
        return call.ask(Request::Auto(Auto { set, minutes, from })).await;
    }
    let mut answer = call.check(Check { from, ..Check::default() }).await?;
    call.session.post(Request::Auto(Auto { set: AutoSet::Looked, minutes: None, from: None }));
    if acknowledge {
        answer["acknowledged"] = json!(send_receipts(call, &answer).await);
    }
    Ok(to_json(&answer))
}

/// Sends one receipt for each message that is not a receipt itself. Returns those that went out.
async fn send_receipts(call: &Call, answer: &Value) -> Vec<u64> {
    let mut sent = Vec::new();
    for message in answer["messages"].as_array().into_iter().flatten() {
        let Some(id) = message["id"].as_u64().filter(|_| wants_receipt(message)) else { continue };
        let receipt = Send {
            to: Vec::new(),
            content: Body(format!("message {id} was processed automatically").into()),
            summary: None,
            data: Some(to_data(&json!({RECEIPT: true}))),
            reply_to: Some(MessageId(id)),
            // A message that is shown again is not acknowledged again.
            key: Some(format!("receipt-{id}")),
            ttl_seconds: None,
            from: None,
        };
        match call.ask(Request::Send(receipt)).await {
            Ok(_) => sent.push(id),
            Err(refusal) => tracing::debug!(code = %refusal.code, "no receipt for message {id}"),
        }
    }
    sent
}

/// Not a receipt, and not a notice of the daemon.
fn wants_receipt(message: &Value) -> bool {
    let is_receipt = match &message["data"] {
        Value::Object(data) => data.contains_key(RECEIPT),
        // Some senders put their data into a string.
        Value::String(text) => {
            serde_json::from_str::<Value>(text).is_ok_and(|data| data.get(RECEIPT).is_some())
        }
        _ => false,
    };
    !is_receipt && message["sender"]["verified"] != "daemon"
}

fn wait_ms(call: &Call, seconds: u64) -> u64 {
    let wait = survivable(call.session.client(), Duration::from_secs(seconds));
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_and_notices_get_no_receipt() {
        for (message, wants) in [
            (json!({"id": 1, "sender": {"verified": "full"}}), true),
            (json!({"id": 1, "data": {"a": 1}, "sender": {"verified": "uid"}}), true),
            (json!({"id": 1, "data": {"auto_processed": true}}), false),
            (json!({"id": 1, "data": {"auto_processed": false}}), false),
            (json!({"id": 1, "data": "{\"auto_processed\":true}"}), false),
            (json!({"id": 1, "sender": {"verified": "daemon"}}), false),
        ] {
            assert_eq!(wants_receipt(&message), wants, "{message}");
        }
    }
}
