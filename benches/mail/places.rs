//! Which processor a process runs on. Left to itself, the kernel puts two that talk to each other on one or on two,
//! by what else runs, and a round trip takes several times as long across two; what is compared has to be in the
//! same place.

/// Whom to put where.
#[derive(Clone, Copy)]
pub enum Place {
    /// All on the first processor.
    Together,
    /// The caller on the first, and those who serve on the second.
    Apart,
}

/// Those that were put somewhere, until this is dropped.
pub struct Placed(Vec<u32>);

#[cfg(target_os = "linux")]
impl Placed {
    /// `None`: it cannot be done here.
    pub fn put(place: Place, serving: &[u32]) -> Option<Placed> {
        let of_servers = match place {
            Place::Together => 0,
            Place::Apart => 1,
        };
        // 0: whoever calls this.
        let placed = Placed(std::iter::once(0).chain(serving.iter().copied()).collect());
        let mut wanted = placed.0.iter().zip(std::iter::once(0).chain(std::iter::repeat(of_servers)));
        wanted.all(|(pid, processor)| pin(*pid, std::iter::once(processor)).is_ok()).then_some(placed)
    }
}

#[cfg(target_os = "linux")]
fn pin(pid: u32, processors: impl Iterator<Item = usize>) -> nix::Result<()> {
    let mut set = nix::sched::CpuSet::new();
    for processor in processors {
        set.set(processor)?;
    }
    nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(pid.cast_signed()), &set)
}

#[cfg(target_os = "linux")]
impl Drop for Placed {
    fn drop(&mut self) {
        for pid in &self.0 {
            let _ = pin(*pid, 0..nix::sched::CpuSet::count());
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Placed {
    pub fn put(_place: Place, _serving: &[u32]) -> Option<Placed> {
        None
    }
}
