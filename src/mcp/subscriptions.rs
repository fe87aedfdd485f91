//! Clients that want to hear when the inbox changes: in the older era by `resources/subscribe`, in the
//! newer by a request that stays open. Each hears in its own form, and neither hears what was read
//! elsewhere or what a peer wrote: it looks for itself.

use std::sync::{Mutex, PoisonError};

use rmcp::model::{ErrorData, ResourceUpdatedNotificationParam, SubscriptionFilter};
use rmcp::service::{Peer, RoleServer, SubscriptionContext};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::server::INBOX_URI;

/// What this client subscribed to in the older way.
#[derive(Default)]
pub struct Subscriptions {
    inbox: Mutex<Option<CancellationToken>>,
}

impl Subscriptions {
    /// From now on `peer` hears of each change of `counts`.
    pub fn begin(
        &self,
        uri: &str,
        peer: Peer<RoleServer>,
        counts: watch::Receiver<u64>,
        ended: &CancellationToken,
    ) -> Result<(), ErrorData> {
        known(uri)?;
        let until = ended.child_token();
        let telling = tell(counts, move || {
            let peer = peer.clone();
            async move {
                peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(INBOX_URI)).await.is_ok()
            }
        });
        let stop = until.clone();
        tokio::spawn(async move { stop.run_until_cancelled(telling).await });
        self.replace(Some(until));
        Ok(())
    }

    pub fn end(&self, uri: &str) -> Result<(), ErrorData> {
        known(uri)?;
        self.replace(None);
        Ok(())
    }

    /// One at a time: to subscribe twice is to subscribe.
    fn replace(&self, until: Option<CancellationToken>) {
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = std::mem::replace(&mut *inbox, until) {
            before.cancel();
        }
    }
}

/// Of what a client of the newer era wants to hear, what there is.
pub fn accepted(requested: &SubscriptionFilter) -> SubscriptionFilter {
    let wanted = requested.resource_subscriptions.iter().flatten();
    let inbox: Vec<String> = wanted.filter(|uri| *uri == INBOX_URI).take(1).cloned().collect();
    let mut filter = SubscriptionFilter::new();
    filter.resource_subscriptions = (!inbox.is_empty()).then_some(inbox);
    filter
}

/// Tells a client of the newer era until it has heard enough, or nobody is there to be told.
pub async fn listen(
    context: SubscriptionContext,
    counts: watch::Receiver<u64>,
    ended: &CancellationToken,
) -> Result<(), ErrorData> {
    let sink = context.sink().clone();
    let subscribed = context.accepted().resource_subscriptions.is_some();
    let telling = tell(counts, move || {
        let sink = sink.clone();
        async move { !subscribed || sink.notify_resource_updated(INBOX_URI).await.is_ok() }
    });
    tokio::select! {
        () = telling => {}
        () = context.cancelled() => {}
        () = ended.cancelled() => {}
    }
    Ok(())
}

/// Tells of each change, until nobody hears it. Changes that come faster than they can be told are one.
async fn tell<T: Future<Output = bool>>(mut counts: watch::Receiver<u64>, tell: impl Fn() -> T) {
    counts.mark_unchanged();
    while counts.changed().await.is_ok() && tell().await {}
}

fn known(uri: &str) -> Result<(), ErrorData> {
    if uri == INBOX_URI {
        return Ok(());
    }
    Err(ErrorData::resource_not_found(format!("no changes of {uri} are told: there is {INBOX_URI}"), None))
}
