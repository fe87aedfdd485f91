//! The inbox as a resource that a client can listen to, in both eras.

use super::*;
use crate::protocol::event::MailWaiting;

const INBOX: &str = "ipc://inbox";

fn waits(client: &Client, unread: u64) {
    client.daemon.events.send(Event::Mail(MailWaiting { unread })).expect("the front end listens");
}

#[tokio::test]
async fn a_client_of_the_older_era_subscribes_to_the_inbox() {
    let mut client = Client::of(Daemon::ordinary());
    let hello = client.initialize("inspector", json!({})).await;
    assert_eq!(hello["result"]["capabilities"]["resources"]["subscribe"], true);
    client.daemon.logged(|log| log.iter().any(Seen::registers)).await;
    assert_eq!(client.request(1, "resources/subscribe", json!({"uri": INBOX})).await["result"], json!({}));
    // Twice is once.
    client.request(2, "resources/subscribe", json!({"uri": INBOX})).await;
    waits(&client, 2);
    let updated =
        json!({"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": INBOX}});
    assert_eq!(client.hear().await, updated);
    let other = client.request(3, "resources/subscribe", json!({"uri": "ipc://status"})).await;
    assert_eq!(other["error"]["code"], -32002, "{other}");
    assert_eq!(client.request(4, "resources/unsubscribe", json!({"uri": INBOX})).await["result"], json!({}));
    waits(&client, 3);
    client.ping(5).await;
    client.finish().await;
}

#[tokio::test]
async fn a_client_of_the_newer_era_listens_until_it_has_heard_enough() {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let mut client = Client::of(Daemon::ordinary());
    let notifications = json!({"resourceSubscriptions": [INBOX, "ipc://other"], "toolsListChanged": true});
    let params = json!({"notifications": notifications, "_meta": meta});
    client.say(json!({"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": params})).await;
    let accepted = client.hear().await;
    assert_eq!(accepted["method"], "notifications/subscriptions/acknowledged", "{accepted}");
    assert_eq!(accepted["params"]["notifications"], json!({"resourceSubscriptions": [INBOX]}));
    client.daemon.logged(|log| log.iter().any(Seen::registers)).await;
    waits(&client, 1);
    let updated = client.hear().await;
    assert_eq!(updated["method"], "notifications/resources/updated");
    assert_eq!(updated["params"]["uri"], INBOX);
    assert_eq!(updated["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 1, "{updated}");
    // Other calls go on meanwhile, and the end of input ends it.
    let params = json!({"name": "list_instances", "_meta": meta});
    assert_eq!(client.request(2, "tools/call", params).await["result"]["isError"], false);
    client.cancel(1).await;
    waits(&client, 2);
    let params = json!({"name": "list_instances", "_meta": meta});
    client.request(3, "tools/call", params).await;
    client
        .say(json!({"jsonrpc": "2.0", "id": 4, "method": "subscriptions/listen",
        "params": {"notifications": {"resourceSubscriptions": [INBOX]}, "_meta": meta}}))
        .await;
    client.hear().await;
    client.finish().await;
}
