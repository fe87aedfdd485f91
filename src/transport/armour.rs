//! What the daemon takes from itself before it meets anybody: it holds everybody's mail and reads what
//! strangers write, so a fault in it must lead nowhere.
//!
//! What always holds: it is put on while there is one thread, and never off; a system that lacks a piece
//! of it is told of and is no reason not to start; nothing that the daemon does needs what is taken.
//!
//! Left out, and why. Landlock, and namespaces of its own: both hide `/proc/PID/exe` and `cwd` of the
//! peers, which say who sent a message. A list of what is allowed instead of what is not: a new libc or
//! kernel brings new names for old calls, and a mailbox that dies of an update protects nobody.

/// A piece of the armour that this system does not have, and what it said.
#[derive(Debug)]
pub struct Gap {
    pub piece: &'static str,
    pub error: String,
}

/// Set to let a debugger of the same user look into the daemon, and the kernel write its core.
pub const DEBUGGABLE: &str = "IPCD_DEBUGGABLE";

#[cfg(target_os = "linux")]
pub use linux::put_on;

/// Puts on what the system has; for the daemon alone, and before it has a second thread.
#[cfg(not(target_os = "linux"))]
pub fn put_on(_debuggable: bool) -> Vec<Gap> {
    Vec::new()
}

/// Closes every descriptor that this process was started with, but for the first three and `kept`: a
/// daemon outlives the agent that started it, and would keep its pipes, locks and sockets open.
/// For the first lines of a daemon, when nothing of its own is open.
#[cfg(unix)]
pub fn close_inherited(kept: Option<&super::InheritedSocket>) {
    use std::os::fd::{AsRawFd as _, RawFd};
    let kept = kept.map(|socket| socket.0.as_raw_fd());
    let list = if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" };
    let Ok(open) = std::fs::read_dir(list) else { return };
    let numbers = open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<RawFd>().ok());
    // Collected first: the list is one of them, and is closed by then.
    let numbers: Vec<RawFd> = numbers.filter(|number| *number > 2 && Some(*number) != kept).collect();
    for number in numbers {
        let _ = nix::unistd::close(number);
    }
}

#[cfg(not(unix))]
pub fn close_inherited(_kept: Option<&super::InheritedSocket>) {}

#[cfg(target_os = "linux")]
mod linux {
    use std::fmt::Display;

    use nix::sys::prctl;
    use nix::sys::resource::{Resource, setrlimit};

    use super::{Gap, calls};

    /// Puts on what the system has; for the daemon alone, and before it has a second thread.
    pub fn put_on(debuggable: bool) -> Vec<Gap> {
        let mut gaps = Vec::new();
        if !debuggable {
            // A core holds mail. The limit alone does not keep one from a program that collects cores.
            note(&mut gaps, "no core files", setrlimit(Resource::RLIMIT_CORE, 0, 0));
            // Nor may another process of this user read its memory or speak through it.
            note(&mut gaps, "no dumps", prctl::set_dumpable(false));
        }
        // No program that it might run gives it more rights than it has.
        note(&mut gaps, "no new rights", prctl::set_no_new_privs());
        note(&mut gaps, "no needless system calls", calls::refuse());
        gaps
    }

    fn note<E: Display>(gaps: &mut Vec<Gap>, piece: &'static str, outcome: Result<(), E>) {
        gaps.extend(outcome.err().map(|error| Gap { piece, error: error.to_string() }));
    }
}

#[cfg(all(
    target_os = "linux",
    not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))
))]
mod calls {
    //! Filters are written for three processors.

    pub(super) fn refuse() -> Result<(), String> {
        Err("not for this processor".to_owned())
    }
}

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")
))]
mod calls {
    //! System calls that the daemon never makes. Each fails with EPERM, as if the user had no right to it.

    use std::collections::BTreeMap;

    use nix::libc::{self, c_long};
    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
        SeccompRule, apply_filter, sock_filter,
    };

    /// Refused whatever the arguments are.
    const REFUSED: &[c_long] = &[
        // Another program: the daemon runs none.
        libc::SYS_execve,
        libc::SYS_execveat,
        // The memory, the descriptors and the kinship of other processes.
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_process_madvise,
        libc::SYS_pidfd_getfd,
        libc::SYS_kcmp,
        // A second door to sockets and files, which this list would not see.
        libc::SYS_io_uring_setup,
        libc::SYS_io_uring_enter,
        libc::SYS_io_uring_register,
        // Parts of the kernel that have opened it to attackers most often.
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_keyctl,
        libc::SYS_personality,
        // The machine: its kernel, its devices, its clock, its names.
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_delete_module,
        libc::SYS_kexec_load,
        libc::SYS_reboot,
        libc::SYS_swapon,
        libc::SYS_swapoff,
        libc::SYS_acct,
        libc::SYS_quotactl,
        libc::SYS_syslog,
        libc::SYS_vhangup,
        libc::SYS_settimeofday,
        libc::SYS_clock_settime,
        libc::SYS_adjtimex,
        libc::SYS_clock_adjtime,
        libc::SYS_sethostname,
        libc::SYS_setdomainname,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_iopl,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_ioperm,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_modify_ldt,
        // Another view of the file system, in which its paths would mean something else.
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_move_mount,
        libc::SYS_open_tree,
        libc::SYS_fsopen,
        libc::SYS_fsconfig,
        libc::SYS_fsmount,
        libc::SYS_fspick,
        libc::SYS_mount_setattr,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_open_by_handle_at,
        libc::SYS_name_to_handle_at,
        libc::SYS_fanotify_init,
        // Another user than the one it checks its peers against.
        libc::SYS_setuid,
        libc::SYS_setgid,
        libc::SYS_setreuid,
        libc::SYS_setregid,
        libc::SYS_setresuid,
        libc::SYS_setresgid,
        libc::SYS_setfsuid,
        libc::SYS_setfsgid,
        libc::SYS_setgroups,
        libc::SYS_capset,
    ];

    /// Refused where an argument (its place from 0, and what it is compared with) says so.
    const REFUSED_WITH: &[(c_long, u8, SeccompCmpOp, u64)] = &[
        // A network: nothing leaves the machine.
        (libc::SYS_socket, 0, SeccompCmpOp::Ne, libc::AF_UNIX as u64),
        (libc::SYS_socketpair, 0, SeccompCmpOp::Ne, libc::AF_UNIX as u64),
        // Typing into a terminal as if its user did.
        (libc::SYS_ioctl, 1, SeccompCmpOp::Eq, TYPE_INTO_A_TERMINAL),
        (libc::SYS_ioctl, 1, SeccompCmpOp::Eq, TYPE_INTO_A_CONSOLE),
        // Memory that is written and run: what a peer wrote never becomes a program.
        (libc::SYS_mmap, 2, SeccompCmpOp::MaskedEq(WRITE_AND_RUN), WRITE_AND_RUN),
        (libc::SYS_mprotect, 2, SeccompCmpOp::MaskedEq(RUN), RUN),
        (libc::SYS_pkey_mprotect, 2, SeccompCmpOp::MaskedEq(RUN), RUN),
    ];

    /// `TIOCSTI` and `TIOCLINUX`, whose type is another one in each C library.
    const TYPE_INTO_A_TERMINAL: u64 = 0x5412;
    const TYPE_INTO_A_CONSOLE: u64 = 0x541c;

    const RUN: u64 = libc::PROT_EXEC as u64;
    const WRITE_AND_RUN: u64 = (libc::PROT_EXEC | libc::PROT_WRITE) as u64;

    /// Refuses them to this thread, and to those that it starts.
    pub(super) fn refuse() -> Result<(), String> {
        let program = program().map_err(|e| e.to_string())?;
        apply_filter(&program).map_err(|e| e.to_string())
    }

    fn program() -> Result<BpfProgram, seccompiler::BackendError> {
        let mut rules: BTreeMap<c_long, Vec<SeccompRule>> =
            REFUSED.iter().map(|call| (*call, Vec::new())).collect();
        for (call, place, op, value) in REFUSED_WITH {
            let condition = SeccompCondition::new(*place, SeccompCmpArgLen::Dword, op.clone(), *value)?;
            rules.entry(*call).or_default().push(SeccompRule::new(vec![condition])?);
        }
        let refused = SeccompAction::Errno(libc::EPERM as u32);
        let filter = SeccompFilter::new(
            rules,
            SeccompAction::Allow,
            refused.clone(),
            std::env::consts::ARCH.try_into()?,
        )?;
        let mut program = second_numbers(refused);
        program.extend(BpfProgram::try_from(filter)?);
        Ok(program)
    }

    /// The same calls have a second set of numbers on x86-64 (its x32 variant), which the daemon never
    /// uses and the list does not name: all of them are refused.
    fn second_numbers(refused: SeccompAction) -> BpfProgram {
        const X32: u32 = 0x4000_0000;
        if !cfg!(target_arch = "x86_64") {
            return Vec::new();
        }
        let step = |code: u32, jt, jf, k| sock_filter { code: code as u16, jt, jf, k };
        vec![
            // The number of the call is the first word of what a filter sees.
            step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
            step(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 1, X32),
            step(libc::BPF_RET | libc::BPF_K, 0, 0, refused.into()),
        ]
    }

    #[cfg(test)]
    mod tests {
        use std::io::ErrorKind;
        use std::net::{TcpListener, UdpSocket};
        use std::os::unix::net::UnixStream;
        use std::process::Command;

        use super::*;

        /// The filter is its thread's: other tests go on without it.
        fn armoured<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
            let thread = std::thread::spawn(|| {
                refuse().unwrap();
                act()
            });
            thread.join().unwrap()
        }

        #[test]
        fn no_program_is_run() {
            assert!(Command::new("true").status().unwrap().success());
            let refused = armoured(|| Command::new("true").status().map_err(|e| e.kind()));
            assert_eq!(refused.unwrap_err(), ErrorKind::PermissionDenied);
        }

        #[test]
        fn there_is_no_network_and_there_are_local_sockets() {
            let (tcp, udp, local) = armoured(|| {
                let kind = |e: std::io::Error| e.kind();
                let tcp = TcpListener::bind("127.0.0.1:0").map(drop).map_err(kind);
                let udp = UdpSocket::bind("[::1]:0").map(drop).map_err(kind);
                (tcp, udp, UnixStream::pair().map(drop).map_err(kind))
            });
            assert_eq!((tcp, udp), (Err(ErrorKind::PermissionDenied), Err(ErrorKind::PermissionDenied)));
            assert_eq!(local, Ok(()));
        }

        #[test]
        fn every_call_of_the_list_is_refused() {
            let outcomes = armoured(|| {
                let mut outcomes = Vec::new();
                for call in REFUSED {
                    #[expect(unsafe_code, reason = "most of these have no other interface")]
                    // SAFETY: no argument is a pointer, a descriptor or a number that means anything.
                    let outcome = unsafe { libc::syscall(*call, -1, -1, -1, -1, -1, -1) };
                    outcomes.push((*call, outcome, nix::errno::Errno::last()));
                }
                outcomes
            });
            for (call, outcome, error) in outcomes {
                assert_eq!((outcome, error), (-1, nix::errno::Errno::EPERM), "system call {call}");
            }
        }

        #[test]
        fn what_the_daemon_does_goes_on() {
            let facts = armoured(|| {
                std::thread::spawn(|| super::super::super::process::of(std::process::id())).join().unwrap()
            });
            assert!(facts.is_some_and(|facts| facts.exe.is_some() && facts.cwd.is_some()));
        }
    }
}
