//! What comes from the daemon unasked: news of the name and of the mail, and that it was found again.

use std::sync::{Arc, Mutex};

use tokio::sync::broadcast::error::RecvError;

use super::backend::Backend;
use super::book::{Book, lock};
use super::waking::Waking;
use crate::protocol::event::Event;

/// Listens for a person who takes the name away, for whoever changes it, and for mail.
pub async fn heed(backend: Arc<dyn Backend>, book: Arc<Mutex<Book>>, waking: Arc<Waking>) {
    let (mut events, mut resumed) = (backend.events(), backend.resumed());
    loop {
        let event = tokio::select! {
            biased;
            // First, for the count that the daemon pushes comes after it.
            Ok(()) = resumed.changed() => {
                // What waited may have been read while no daemon could say so.
                let unread = match &*resumed.borrow_and_update() {
                    Some(Ok(registered)) => registered.unread,
                    _ => 0,
                };
                waking.bell.resumed(unread);
                waking.say_again(&*backend);
                continue;
            }
            event = events.recv() => event,
        };
        match event {
            Ok(Event::Mail(waiting)) => waking.bell.mail(waiting.unread),
            Ok(Event::Renamed(new)) => lock(&book).named(&new.name, false),
            Ok(Event::Released) => {
                waking.bell.mail(0);
                lock(&book).released();
            }
            Ok(Event::Session(named)) => waking.thread(Some(&*backend), &named.session),
            Ok(Event::Closing) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}
