//! What tells a process to end from outside. There are no signals: a console says so to the programs in
//! it, and an event with the number of the process in its name takes the place of SIGTERM.

#![expect(unsafe_code, reason = "Windows has no other interface; each call says why it holds")]

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};

use tokio::signal::windows::{CtrlBreak, CtrlC, CtrlClose, ctrl_break, ctrl_c, ctrl_close};
use tokio::sync::oneshot;
use windows_sys::Win32::System::Threading::{CreateEventW, INFINITE, WaitForSingleObject};

use super::security::{Descriptor, wide};

/// Enough for a thread that waits.
const STACK_BYTES: usize = 64 << 10;

/// Each of them means an end in order.
pub struct Signals {
    interrupt: CtrlC,
    stop: CtrlBreak,
    close: CtrlClose,
    asked: oneshot::Receiver<()>,
}

/// The event that a process of this number waits for. In the space of all sessions: a daemon may be
/// started in another than its clients.
pub(super) fn event_name(pid: u32) -> String {
    format!(r"Global\ipcd-end-{pid}")
}

impl Signals {
    pub fn listen() -> io::Result<Signals> {
        Ok(Signals { interrupt: ctrl_c()?, stop: ctrl_break()?, close: ctrl_close()?, asked: asked()? })
    }

    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.stop.recv() => {}
            _ = self.close.recv() => {}
            Ok(()) = &mut self.asked => {}
        }
    }
}

/// Told once, when somebody asks.
fn asked() -> io::Result<oneshot::Receiver<()>> {
    let descriptor = Descriptor::own("")?;
    let attributes = descriptor.attributes();
    let name = wide(event_name(std::process::id()));
    // SAFETY: the name ends with a zero; the attributes live until the call is over; the handle is ours.
    let event = unsafe {
        let event = CreateEventW(&attributes, 1, 0, name.as_ptr());
        if event.is_null() {
            return Err(io::Error::last_os_error());
        }
        OwnedHandle::from_raw_handle(event)
    };
    let (tell, asked) = oneshot::channel();
    std::thread::Builder::new().name("end".to_owned()).stack_size(STACK_BYTES).spawn(move || {
        // SAFETY: the handle is open as long as this thread, which owns it.
        if unsafe { WaitForSingleObject(event.as_raw_handle(), INFINITE) } == 0 {
            let _ = tell.send(());
        }
    })?;
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_process_that_is_asked_to_end_hears_of_it() {
        let mut signals = Signals::listen().unwrap();
        super::super::ask_to_end(std::process::id());
        let heard = tokio::time::timeout(std::time::Duration::from_secs(20), signals.next());
        heard.await.expect("nothing was heard");
    }
}
