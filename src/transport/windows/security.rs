//! Users and what they may do, as Windows has them: a user is a SID, and each object carries a
//! descriptor that says whose it is and who may use it.

#![expect(unsafe_code, reason = "Windows has no other interface; each call says why it holds")]

use std::ffi::c_void;
use std::fmt;
use std::io;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use std::sync::OnceLock;

use windows_sys::Win32::Foundation::{HANDLE, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    ConvertSecurityDescriptorToStringSecurityDescriptorW, ConvertSidToStringSidW,
    ConvertStringSecurityDescriptorToSecurityDescriptorW, GetSecurityInfo, SDDL_REVISION_1, SE_OBJECT_TYPE,
};
use windows_sys::Win32::Security::{
    ACCESS_ALLOWED_ACE, ACE_HEADER, ACL, DACL_SECURITY_INFORMATION, GetAce, GetTokenInformation,
    LABEL_SECURITY_INFORMATION, OWNER_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, PSID, RevertToSelf,
    SECURITY_ATTRIBUTES, TOKEN_QUERY, TOKEN_USER, TokenUser,
};
use windows_sys::Win32::System::Pipes::ImpersonateNamedPipeClient;
use windows_sys::Win32::System::SystemServices::{ACCESS_ALLOWED_ACE_TYPE, ACCESS_DENIED_ACE_TYPE};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, GetCurrentThread, OpenProcessToken, OpenThreadToken,
};

/// A user by the SID: `S-1-5-21-…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User(Box<str>);

impl User {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Here a user is none.
    pub fn number(&self) -> Option<u32> {
        None
    }

    #[cfg(test)]
    pub fn of_sid(sid: &str) -> User {
        User(sid.into())
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The user that this process acts as.
pub fn own_user() -> User {
    static OWN: OnceLock<User> = OnceLock::new();
    // SAFETY: a number that stands for this process, always valid.
    let read = || process_user(unsafe { BorrowedHandle::borrow_raw(GetCurrentProcess()) });
    OWN.get_or_init(|| read().expect("a process may ask who it is")).clone()
}

/// The user that a process acts as, by a handle that may query it.
pub fn process_user(process: BorrowedHandle<'_>) -> io::Result<User> {
    let mut token: HANDLE = ptr::null_mut();
    // SAFETY: the handle is open, and the callee writes one handle.
    done(unsafe { OpenProcessToken(process.as_raw_handle(), TOKEN_QUERY, &mut token) })?;
    // SAFETY: the call above made it, and nobody else closes it.
    token_user(&unsafe { OwnedHandle::from_raw_handle(token) })
}

/// The user of the client at the other end of a pipe, from what its bytes came with. Something must have
/// been read from it before.
pub fn pipe_client(pipe: BorrowedHandle<'_>) -> io::Result<User> {
    let mut token: HANDLE = ptr::null_mut();
    // SAFETY: the handle is open. This thread acts as the client between the first call and the last, and
    // does nothing but open its own token, by its process's rights.
    let (opened, error) = unsafe {
        done(ImpersonateNamedPipeClient(pipe.as_raw_handle()))?;
        let opened = OpenThreadToken(GetCurrentThread(), TOKEN_QUERY, 1, &mut token);
        let error = io::Error::last_os_error();
        if RevertToSelf() == 0 {
            // To go on as somebody else would be worse than to end.
            std::process::abort();
        }
        (opened, error)
    };
    if opened == 0 {
        return Err(error);
    }
    // SAFETY: the call above made it, and nobody else closes it.
    token_user(&unsafe { OwnedHandle::from_raw_handle(token) })
}

fn token_user(token: &OwnedHandle) -> io::Result<User> {
    let mut length = 0;
    // In words, for a structure with pointers is written to it.
    let mut buffer = [0_usize; 32];
    let bytes = size_of_val(&buffer) as u32;
    // SAFETY: the buffer is as long as is said and aligned for the structure, which lives as long.
    unsafe {
        done(GetTokenInformation(
            token.as_raw_handle(),
            TokenUser,
            buffer.as_mut_ptr().cast(),
            bytes,
            &mut length,
        ))?;
        user_of((*buffer.as_ptr().cast::<TOKEN_USER>()).User.Sid)
    }
}

/// # Safety
/// `sid` must point at a SID.
unsafe fn user_of(sid: PSID) -> io::Result<User> {
    let mut text = ptr::null_mut();
    // SAFETY: the caller vouches for the SID; the text is the system's until it is copied and freed.
    unsafe {
        done(ConvertSidToStringSidW(sid, &mut text))?;
        let user = take_text(text);
        Ok(User(user.into_boxed_str()))
    }
}

/// Who may do what with an object: for making one.
pub struct Descriptor(PSECURITY_DESCRIPTOR);

impl Descriptor {
    /// Nobody but this user, who owns it, with all rights; with `inherited` flags what is made inside of it
    /// gets the same. A program of lower trust (a browser's sandbox) cannot write to it.
    pub fn own(inherited: &str) -> io::Result<Descriptor> {
        let user = own_user();
        Descriptor::parse(&format!("O:{user}D:P(A;{inherited};GA;;;{user})S:(ML;{inherited};NW;;;ME)"))
    }

    fn parse(text: &str) -> io::Result<Descriptor> {
        let text = wide(text);
        let mut descriptor = ptr::null_mut();
        // SAFETY: the text ends with a zero; the callee writes one pointer, which is ours to free.
        done(unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &mut descriptor,
                ptr::null_mut(),
            )
        })?;
        Ok(Descriptor(descriptor))
    }

    /// In the form that functions that make something take. To be used as long as the descriptor is there.
    pub fn attributes(&self) -> SECURITY_ATTRIBUTES {
        SECURITY_ATTRIBUTES {
            nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
            lpSecurityDescriptor: self.0,
            bInheritHandle: 0,
        }
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: the system allocated it for us, and nothing points at it any more.
        unsafe { LocalFree(self.0) };
    }
}

/// What an open object says of itself.
pub struct Guarded {
    /// Whose it is.
    pub owner: User,
    /// Those who may do anything with it; `None`: everybody.
    pub allowed: Option<Vec<User>>,
    /// The whole descriptor in the language of descriptors: `O:…D:…S:…`.
    pub text: String,
}

/// Reads the descriptor of an open object.
pub fn guard_of(object: BorrowedHandle<'_>, kind: SE_OBJECT_TYPE) -> io::Result<Guarded> {
    let what = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
    // The label is no secret, and some systems have none.
    read_guard(object, kind, what | LABEL_SECURITY_INFORMATION).or_else(|_| read_guard(object, kind, what))
}

fn read_guard(object: BorrowedHandle<'_>, kind: SE_OBJECT_TYPE, what: u32) -> io::Result<Guarded> {
    let (mut owner, mut list, mut descriptor) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    // SAFETY: the handle is open; owner and list point into the descriptor, which is ours to free.
    let error = unsafe {
        GetSecurityInfo(
            object.as_raw_handle(),
            kind,
            what,
            &mut owner,
            ptr::null_mut(),
            &mut list,
            ptr::null_mut(),
            &mut descriptor,
        )
    };
    if error != 0 {
        return Err(io::Error::from_raw_os_error(error.cast_signed()));
    }
    let descriptor = Descriptor(descriptor);
    if owner.is_null() {
        return Err(io::Error::other("it has no owner"));
    }
    let mut text = ptr::null_mut();
    // SAFETY: the descriptor, its owner and its list live until the end of this function.
    unsafe {
        let owner = user_of(owner)?;
        let allowed = if list.is_null() { None } else { Some(allowed(list)?) };
        done(ConvertSecurityDescriptorToStringSecurityDescriptorW(
            descriptor.0,
            SDDL_REVISION_1,
            what,
            &mut text,
            ptr::null_mut(),
        ))?;
        Ok(Guarded { owner, allowed, text: take_text(text) })
    }
}

/// All that a list of rights gives something to.
///
/// # Safety
/// `list` must point at a list of rights.
unsafe fn allowed(list: *const ACL) -> io::Result<Vec<User>> {
    let mut users = Vec::new();
    // SAFETY: the caller vouches for the list; the system walks it, and says where each entry is. An entry
    // that allows is laid out as the structure is, with its SID at the end.
    unsafe {
        for number in 0..u32::from((*list).AceCount) {
            let mut entry = ptr::null_mut();
            done(GetAce(list, number, &mut entry))?;
            match u32::from((*entry.cast::<ACE_HEADER>()).AceType) {
                ACCESS_ALLOWED_ACE_TYPE => {
                    let sid = &raw mut (*entry.cast::<ACCESS_ALLOWED_ACE>()).SidStart;
                    users.push(user_of(sid.cast())?);
                }
                ACCESS_DENIED_ACE_TYPE => {}
                other => return Err(io::Error::other(format!("it has rights of the kind {other}"))),
            }
        }
    }
    Ok(users)
}

/// # Safety
/// `text` ends with a zero, was allocated by the system for us, and is not used afterwards.
unsafe fn take_text(text: *mut u16) -> String {
    // SAFETY: the caller vouches for it.
    unsafe {
        let length = (0..).take_while(|at| *text.add(*at) != 0).count();
        let copy = String::from_utf16_lossy(std::slice::from_raw_parts(text, length));
        LocalFree(text.cast::<c_void>());
        copy
    }
}

/// A text as the system takes it: UTF-16 with a zero behind.
pub fn wide(text: impl AsRef<std::ffi::OsStr>) -> Vec<u16> {
    std::os::windows::ffi::OsStrExt::encode_wide(text.as_ref()).chain([0]).collect()
}

/// What a function says that returns zero when it fails.
pub fn done(result: i32) -> io::Result<()> {
    if result == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_a_sid() {
        let user = own_user();
        assert!(user.to_string().starts_with("S-1-5-"), "{user}");
        assert_eq!(own_user(), user);
    }

    #[test]
    fn a_descriptor_is_made_from_its_text() {
        assert!(Descriptor::own("").is_ok() && Descriptor::own("OICI").is_ok());
    }
}
