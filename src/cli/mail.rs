//! The verbs that move messages: `send`, `broadcast`, `check`, `wait`.
//!
//! What always holds: mail is settled after it was printed and flushed, so a message that could not
//! be shown comes again; a send reports what is on disk.

use std::fmt::Write as _;
use std::io::{IsTerminal, Read};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::args::{BroadcastArgs, CheckArgs, More, SendArgs, WaitArgs};
use super::caller::{Caller, fresh_key, now};
use super::exit::{ExitCode, Failure};
use super::output::Fence;
use super::{forward, letter, units};
use crate::protocol::LINE_BYTES_MAX;
use crate::protocol::message::{Body, Data, Mail, MessageId, WholeFormat};
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::request::{Broadcast, Check, Leases, Request, Send};
use crate::protocol::response::{
    Broadcasted, Checked, Presence, SendOutcome, Sent, SentMany, Settled, Wakes,
};

/// One wait of one call. A longer one is made of several, so that the daemon's limit never shows.
const WAIT: Duration = Duration::from_secs(600);

pub async fn send(caller: &mut Caller, args: SendArgs) -> Result<ExitCode, Failure> {
    let More { summary, mut data, key } = args.more;
    if let Some(id) = args.forward {
        data = Some(forward::data(caller, id).await?);
    }
    let bare = args.forward.is_some() && args.text.is_empty();
    let request = Request::Send(Send {
        to: vec![args.to],
        content: if bare { Body("".into()) } else { written(&args.text)? },
        summary,
        data,
        reply_to: args.reply_to,
        key: Some(key.unwrap_or_else(fresh_key)),
        ttl_seconds: args.ttl,
        from: None,
    });
    Ok(caller.show(request, Outcomes::to_string).await?.exit_code())
}

pub async fn broadcast(caller: &mut Caller, args: BroadcastArgs) -> Result<ExitCode, Failure> {
    let More { summary, data, key } = args.more;
    let request = Request::Broadcast(Broadcast {
        content: written(&args.text)?,
        summary,
        data,
        key: Some(key.unwrap_or_else(fresh_key)),
        from: None,
    });
    let answer = caller.show(request, broadcasted).await?;
    Ok(if answer.refused.is_empty() { ExitCode::Done } else { ExitCode::Refused })
}

pub async fn check(caller: &mut Caller, args: CheckArgs) -> Result<ExitCode, Failure> {
    let CheckArgs { peek, follow, limit, id, offset } = args;
    match id {
        Some(id) => read_one(caller, id, offset).await,
        None if follow => loop {
            let request = Check { wait_ms: millis(WAIT), ..Check::default() };
            take(caller, request, Then::GoOn).await?;
        },
        None => {
            take(caller, Check { peek, limit, ..Check::default() }, Then::End).await?;
            Ok(ExitCode::Done)
        }
    }
}

pub async fn wait(caller: &mut Caller, args: WaitArgs) -> Result<ExitCode, Failure> {
    let deadline = args.timeout.and_then(|s| Instant::now().checked_add(Duration::from_secs(s)));
    loop {
        let left = deadline.map_or(WAIT, |at| at.saturating_duration_since(Instant::now()));
        let request = Check { wait_ms: millis(left.min(WAIT)), limit: args.limit, ..Check::default() };
        let last = left <= WAIT && deadline.is_some();
        if take(caller, request, if last { Then::End } else { Then::WaitOn }).await? {
            return Ok(ExitCode::Done);
        }
        if last {
            return Ok(ExitCode::Nothing);
        }
    }
}

/// What the verb does after an answer, which decides what is worth showing of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// It ends: an answer without messages is shown too.
    End,
    /// It ends, if there was a message.
    WaitOn,
    /// It asks again, whatever came: nobody needs to be told to.
    GoOn,
}

/// Reads mail, prints it, and only then settles it. Tells whether there was any.
async fn take(caller: &mut Caller, request: Check, then: Then) -> Result<bool, Failure> {
    let peek = request.peek;
    let (raw, mut answer) = caller.call::<Checked>(Request::Check(request)).await?;
    let any = !answer.messages.is_empty();
    if then == Then::GoOn {
        answer.remaining = 0;
    }
    if any || then == Then::End {
        caller.print(&raw, || letter::page(&answer, now(), Fence::random()))?;
    }
    if any && !peek {
        let ids = answer.messages.iter().map(|mail| mail.id).collect();
        caller.call::<Settled>(Request::Ack(Leases { ids: Some(ids) })).await?;
    }
    Ok(any)
}

/// One message by its number: with an offset that piece, without one all of them.
async fn read_one(caller: &mut Caller, id: MessageId, offset: Option<u64>) -> Result<ExitCode, Failure> {
    let piece = |offset| Request::Check(Check { id: Some(id), offset, ..Check::default() });
    let (raw, answer) = caller.call::<Checked>(piece(offset.unwrap_or(0))).await?;
    if caller.out.is_json() || offset.is_some() {
        caller.print(&raw, || letter::page(&Checked { remaining: 0, ..answer }, now(), Fence::random()))?;
        return Ok(ExitCode::Done);
    }
    let mail = all_of(caller, answer).await?;
    caller.out.people(&letter::letter(&mail, now(), Fence::random()))?;
    Ok(ExitCode::Done)
}

/// A message of which `first` has the first piece, or all.
pub async fn all_of(caller: &Caller, first: Checked) -> Result<Mail, Failure> {
    let mut mail = only(first)?;
    let id = mail.id;
    let piece = |offset| Request::Check(Check { id: Some(id), offset, ..Check::default() });
    let mut text = mail.content.take().map(|body| body.0.to_string()).unwrap_or_default();
    while let Some(next) = mail.next_offset {
        let (_, answer) = caller.call::<Checked>(piece(next)).await?;
        let more = only(answer)?;
        text.push_str(more.content.as_ref().map_or("", |body| &body.0));
        // A daemon that does not get on must not keep us here.
        mail.next_offset = more.next_offset.filter(|after| *after > next);
    }
    Ok(whole(mail, text))
}

/// A message with all of its text. One that has data too travels as JSON of both.
fn whole(mail: Mail, text: String) -> Mail {
    #[derive(Deserialize)]
    struct Both {
        content: Body,
        data: Data,
    }
    let both = match mail.whole {
        Some(WholeFormat::Json) => serde_json::from_str::<Both>(&text).ok(),
        Some(WholeFormat::Text) | None => None,
    };
    match both {
        Some(Both { content, data }) => Mail { content: Some(content), data: Some(data), ..mail },
        None => Mail { content: Some(Body(text.into())), ..mail },
    }
}

fn only(answer: Checked) -> Result<Mail, Failure> {
    let mail = answer.messages.into_iter().next();
    mail.ok_or_else(|| Failure::Bug(anyhow::anyhow!("the daemon answered no message")))
}

fn written(words: &[String]) -> Result<Body, Failure> {
    let stdin = std::io::stdin();
    let is_terminal = stdin.is_terminal();
    body(words, stdin, is_terminal)
}

/// The text of a message: the words, or what is piped in.
fn body(words: &[String], input: impl Read, input_is_terminal: bool) -> Result<Body, Failure> {
    let piped = match words {
        [only] => only == "-",
        [] => !input_is_terminal,
        _ => false,
    };
    if !piped {
        return text(words.join(" "));
    }
    let mut bytes = Vec::new();
    // One byte more than any daemon takes tells too much from just enough.
    let limit = LINE_BYTES_MAX as u64;
    input.take(limit + 1).read_to_end(&mut bytes).map_err(|e| {
        Failure::Surroundings(anyhow::Error::new(e).context("cannot read the message from stdin"))
    })?;
    if bytes.len() as u64 > limit {
        let message = format!("more than {} on stdin", units::size(limit));
        return Err(Refusal::new(RefusalCode::TooLarge, message)
            .hint("write it to a file, and send the file's path")
            .into());
    }
    let piped = String::from_utf8(bytes).map_err(|_| {
        Refusal::invalid_argument("what came on stdin is not UTF-8 text")
            .hint("`ipcd share file PATH TO` sends a file of any kind")
    })?;
    text(piped)
}

/// Nothing at all is not what anybody means to say: a pipe was empty, a variable was not set.
fn text(text: String) -> Result<Body, Failure> {
    if text.is_empty() {
        return Err(Failure::usage("no text", "give the words of the message, or pipe them in"));
    }
    Ok(Body(text.into()))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The answer to a send: one recipient's outcome, or the list of them.
#[derive(Debug)]
pub enum Outcomes {
    One(Sent),
    Many(SentMany),
}

impl<'de> Deserialize<'de> for Outcomes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Outcomes, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let outcomes = if value.get("results").is_some() {
            serde_json::from_value(value).map(Outcomes::Many)
        } else {
            serde_json::from_value(value).map(Outcomes::One)
        };
        outcomes.map_err(serde::de::Error::custom)
    }
}

impl Outcomes {
    /// One recipient that did not get it is enough for a script to look closer.
    pub fn exit_code(&self) -> ExitCode {
        let refused = |outcome: &SendOutcome| matches!(outcome, SendOutcome::Refused { .. });
        match self {
            Outcomes::Many(many) if many.results.iter().any(refused) => ExitCode::Refused,
            Outcomes::One(_) | Outcomes::Many(_) => ExitCode::Done,
        }
    }
}

impl std::fmt::Display for Outcomes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let unread = match self {
            Outcomes::One(one) => {
                writeln!(f, "{}", sent(one))?;
                one.unread
            }
            Outcomes::Many(many) => {
                for outcome in &many.results {
                    match outcome {
                        SendOutcome::Sent(one) => writeln!(f, "{}", sent(one))?,
                        SendOutcome::Refused { to, error } => {
                            writeln!(f, "not sent to {to}: {}", error.message)?
                        }
                    }
                }
                many.unread
            }
        };
        f.write_str(&yours(unread))
    }
}

fn sent(sent: &Sent) -> String {
    let Sent { id, to, forwarded_from, repeated, recipient, .. } = sent;
    let mut text =
        if *repeated { format!("sent before as {id} to {to}") } else { format!("sent {id} to {to}") };
    if let Some(old) = forwarded_from {
        let _ = write!(text, " (who was {old})");
    }
    let standing = match (recipient.state, learns(recipient.wakes)) {
        (_, Some(how)) if recipient.wakes == Wakes::Waiting => how.to_owned(),
        (Presence::Live, Some(how)) => format!("live, {how}"),
        (Presence::Live, None) => "live".to_owned(),
        (Presence::Offline, _) => "offline, reads it later".to_owned(),
        (Presence::Unregistered, _) => "nobody has that name yet, it is kept".to_owned(),
    };
    let _ = write!(text, ": {standing}");
    if recipient.unread > 1 {
        let age = units::age(recipient.oldest_seconds);
        let _ = write!(text, "; {} unread there, the oldest for {age}", recipient.unread);
    }
    text
}

fn broadcasted(answer: &Broadcasted) -> String {
    let mut text = match answer.id {
        Some(id) => {
            let names: Vec<&str> = answer.delivered.iter().map(|name| name.as_str()).collect();
            format!("sent {id} to {}: {}\n", units::count(names.len() as u64, "agent"), names.join(", "))
        }
        None if answer.refused.is_empty() => "nobody else is there, or was in the last day\n".to_owned(),
        None => "nobody got it\n".to_owned(),
    };
    for refused in &answer.refused {
        let _ = writeln!(text, "not sent to {}: {}", refused.name, refused.code);
    }
    text + &yours(answer.unread)
}

/// How an instance learns of mail, for people; `None` where it has to look by itself.
pub fn learns(wakes: Wakes) -> Option<&'static str> {
    match wakes {
        Wakes::Waiting => Some("waiting for mail"),
        Wakes::InboxSocket => Some("woken through its inbox"),
        Wakes::CodexQueue => Some("woken through its queue"),
        Wakes::OpencodePrompt => Some("woken by its plugin"),
        Wakes::CopilotExtension => Some("woken by its extension"),
        Wakes::RewakeHook => Some("woken by a hook"),
        Wakes::StopHook => Some("told at the end of its turn"),
        Wakes::PromptHook => Some("told at its next prompt"),
        Wakes::None | Wakes::Other => None,
    }
}

/// A last line about the caller's own mail, where there is some.
pub fn yours(unread: u64) -> String {
    match unread {
        0 => String::new(),
        1 => "1 message waits for you: run `ipcd check`\n".to_owned(),
        n => format!("{n} messages wait for you: run `ipcd check`\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(json: &str) -> Outcomes {
        serde_json::from_str(json).unwrap()
    }

    const BOB: &str = r#"{"id":7,"to":"bob","stored":true,"unread":0,
        "recipient":{"state":"live","unread":1,"oldest_seconds":0,"wakes":"none"}}"#;

    #[test]
    fn a_send_says_what_the_recipient_will_notice() {
        assert_eq!(outcomes(BOB).to_string(), "sent 7 to bob: live\n");
        let waiting = BOB.replace("none", "waiting");
        assert_eq!(outcomes(&waiting).to_string(), "sent 7 to bob: waiting for mail\n");
        let woken = BOB.replace("none", "inbox-socket");
        assert_eq!(outcomes(&woken).to_string(), "sent 7 to bob: live, woken through its inbox\n");
        let newer = BOB.replace("none", "telepathy");
        assert_eq!(outcomes(&newer).to_string(), "sent 7 to bob: live\n");
        let away = r#"{"id":8,"to":"web","forwarded_from":"old","stored":true,"repeated":true,"unread":2,
            "recipient":{"state":"offline","unread":3,"oldest_seconds":7300,"wakes":"none"}}"#;
        let expected = "sent before as 8 to web (who was old): offline, reads it later; 3 unread there, the oldest \
            for 2 h\n2 messages wait for you: run `ipcd check`\n";
        assert_eq!(outcomes(away).to_string(), expected);
    }

    #[test]
    fn several_recipients_have_an_outcome_each_and_one_refusal_shows_in_the_exit_code() {
        let refused = r#"{"to":"full","error":{"code":"mailbox_full","message":"`full` has 100 unread messages",
            "hint":"","recoverable":true}}"#;
        let many = outcomes(&format!(r#"{{"results":[{BOB},{refused}],"unread":0}}"#));
        assert_eq!(
            many.to_string(),
            "sent 7 to bob: live\nnot sent to full: `full` has 100 unread messages\n"
        );
        assert_eq!(many.exit_code(), ExitCode::Refused);
        assert_eq!(outcomes(&format!(r#"{{"results":[{BOB}],"unread":0}}"#)).exit_code(), ExitCode::Done);
    }

    #[test]
    fn a_broadcast_names_who_got_it() {
        let answer = serde_json::from_str(
            r#"{"id":9,"delivered":["a","b"],"refused":[{"name":"c","code":"mailbox_full"}],"unread":0}"#,
        );
        assert_eq!(broadcasted(&answer.unwrap()), "sent 9 to 2 agents: a, b\nnot sent to c: mailbox_full\n");
        let full = r#"{"delivered":[],"refused":[{"name":"c","code":"mailbox_full"}],"unread":0}"#;
        let full = serde_json::from_str(full).unwrap();
        assert_eq!(broadcasted(&full), "nobody got it\nnot sent to c: mailbox_full\n");
    }

    #[test]
    fn words_are_joined_and_a_pipe_is_read_to_its_last_byte() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let content = |words: &[String], input: &[u8], terminal| {
            body(words, input, terminal).map(|body| body.0.to_string())
        };
        assert_eq!(content(&words("a b"), b"x", false).unwrap(), "a b");
        assert_eq!(content(&words("-"), b"x\n", true).unwrap(), "x\n");
        assert_eq!(content(&[], "ä\0".as_bytes(), false).unwrap(), "ä\0");
        assert_eq!(content(&[], b"x", true).unwrap_err().exit_code(), ExitCode::Usage);
        for (words, input) in [(&[][..], &b""[..]), (&words("-"), b""), (&words(""), b"x")] {
            assert_eq!(content(words, input, false).unwrap_err().exit_code(), ExitCode::Usage, "{words:?}");
        }
        assert_eq!(content(&[], b"\xff", false).unwrap_err().exit_code(), ExitCode::Refused);
    }
}
