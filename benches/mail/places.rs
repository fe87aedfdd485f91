//! Which processor a process runs on. Left to itself, the kernel puts two that talk to each other on one or on two,
//! by what else runs, and a round trip takes several times as long across two; what is compared has to be in the
//! same place.

#[cfg(target_os = "linux")]
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
#[cfg(target_os = "linux")]
use nix::unistd::Pid;

/// Whom to put where.
#[derive(Clone, Copy)]
pub enum Place {
    /// All on the first processor.
    Together,
    /// The caller on the first, and those who serve on the second.
    Apart,
}

/// Those that were put somewhere: threads, and where each could run before. They can again when this is dropped.
#[cfg(target_os = "linux")]
pub struct Placed(Vec<(Pid, CpuSet)>);

#[cfg(target_os = "linux")]
impl Placed {
    /// `None`: it cannot be done here.
    pub fn put(place: Place, serving: &[u32]) -> Option<Placed> {
        let of_servers = match place {
            Place::Together => 0,
            Place::Apart => 1,
        };
        let mut placed = Placed(Vec::new());
        placed.pin(Pid::this(), 0)?;
        for process in serving {
            // Whoever serves one connection may have a thread for it.
            for thread in std::fs::read_dir(format!("/proc/{process}/task")).ok()?.map_while(Result::ok) {
                let thread = thread.file_name().to_str()?.parse().ok()?;
                placed.pin(Pid::from_raw(thread), of_servers)?;
            }
        }
        Some(placed)
    }

    fn pin(&mut self, thread: Pid, processor: usize) -> Option<()> {
        let mut wanted = CpuSet::new();
        wanted.set(processor).ok()?;
        self.0.push((thread, sched_getaffinity(thread).ok()?));
        sched_setaffinity(thread, &wanted).ok()
    }
}

#[cfg(target_os = "linux")]
impl Drop for Placed {
    fn drop(&mut self) {
        for (thread, before) in &self.0 {
            let _ = sched_setaffinity(*thread, before);
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub struct Placed;

#[cfg(not(target_os = "linux"))]
impl Placed {
    pub fn put(_place: Place, _serving: &[u32]) -> Option<Placed> {
        None
    }
}
