//! `ipcd send --forward`: a message passed on, whole, in the `data` of another.

use serde_json::json;

use super::caller::Caller;
use super::exit::Failure;
use super::{log, mail};
use crate::paths::Paths;
use crate::protocol::message::{Data, MessageId};
use crate::protocol::refusal::RefusalCode;
use crate::protocol::request::{Check, Request};
use crate::protocol::response::Checked;

/// The message `id` as the data of another: as it waits, or as it was read.
pub async fn data(caller: &Caller, id: MessageId) -> Result<Data, Failure> {
    let check = Request::Check(Check { id: Some(id), ..Check::default() });
    let value = match caller.call::<Checked>(check).await {
        Ok((_, first)) => {
            let mail = mail::all_of(caller, first).await?;
            json!({"id": mail.id, "from": mail.from, "to": mail.to, "sent_at": mail.sent_at,
                "summary": mail.summary, "content": mail.content, "data": mail.data})
        }
        Err(Failure::Refused(refusal)) if refusal.code == RefusalCode::UnknownMessage => {
            let dir = Paths::from_env()?.history_dir;
            let record = log::record(&dir, id).ok().flatten().ok_or(Failure::Refused(refusal))?;
            json!({"id": record.id, "from": record.from, "to": record.to, "sent_at": record.sent_at,
                "summary": record.summary, "content": record.content, "data": record.data})
        }
        Err(failure) => return Err(failure),
    };
    let mut forwarded = json!({"type": "forwarded"});
    for (fact, value) in value.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        forwarded[fact] = value.clone();
    }
    serde_json::from_value(forwarded).map_err(|e| Failure::Bug(e.into()))
}
