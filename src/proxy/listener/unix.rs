//! A Unix socket that is listened on: `unix:/run/shop.sock`.
//!
//! The file is for its owner alone (0600), as what listens on an address is for loopback alone unless
//! told otherwise; whoever gives it to others with `chmod` finds it so after a fault, too.

use crate::proxy::listener::BACKLOG;
use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use std::{
    fs::{self, Permissions},
    future::pending,
    io,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};
use tokio::net::{UnixListener, UnixStream};

/// Who may connect, unless changed by hand: the user that it runs as.
const MODE: u32 = 0o600;

/// See the module's documentation. Its file goes with it.
#[derive(Debug)]
pub(super) struct UnixPort {
    /// While it listens.
    open: Option<UnixListener>,
    /// While it does not, and keeps its file: nobody listens behind it, so callers are refused.
    shut: Option<Socket>,
    path: PathBuf,
    /// Which file is ours: its device and its number.
    file: Option<(u64, u64)>,
    /// Our own connection that fills the accept queue while callers are to hang.
    filler: Option<Socket>,
}

impl UnixPort {
    /// Listens. The file of a socket that nobody listens on any more is replaced.
    pub(super) fn bind(path: &Path) -> io::Result<Self> {
        clear_away(path)?;
        let (path, file) = (path.to_owned(), None);
        let mut port = Self { open: None, shut: None, path, file, filler: None };
        port.shut = Some(port.bound(MODE)?);
        port.open(BACKLOG)?;
        Ok(port)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    pub(super) async fn accept(&mut self) -> io::Result<UnixStream> {
        loop {
            let stream = match &self.open {
                Some(socket) => socket.accept().await?.0,
                None => pending().await,
            };
            if self.is_caller(&stream) {
                return Ok(stream);
            }
        }
    }

    pub(super) fn waiting(&mut self) -> io::Result<Option<UnixStream>> {
        loop {
            // The kernel is asked itself: what the runtime knows of the queue may be old.
            let Some(Ok((stream, _))) = self.open.as_ref().map(|open| SockRef::from(open).accept())
            else {
                return Ok(None);
            };
            stream.set_nonblocking(true)?;
            let stream = UnixStream::from_std(stream.into())?;
            if self.is_caller(&stream) {
                return Ok(Some(stream));
            }
        }
    }

    pub(super) fn open(&mut self, backlog: i32) -> io::Result<()> {
        if let Some(socket) = &self.open {
            return SockRef::from(socket).listen(backlog);
        }
        let socket = match self.shut.take() {
            Some(socket) => socket,
            // A change of it failed half-way.
            None => self.bound(MODE)?,
        };
        if let Err(error) = socket.listen(backlog) {
            self.shut = Some(socket);
            return Err(error);
        }
        self.open = Some(UnixListener::from_std(socket.into())?);
        Ok(())
    }

    /// Refuses callers: behind a fresh file of ours nobody listens.
    pub(super) fn shut(&mut self) -> io::Result<()> {
        if self.open.is_some() {
            let mode = fs::symlink_metadata(&self.path).map_or(MODE, |file| file.mode() & 0o777);
            self.remove();
            self.open = None;
            self.shut = Some(self.bound(mode)?);
        }
        Ok(())
    }

    /// Fills the one place of the queue: whoever connects then waits, or is told to try again if it
    /// does not wait.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn fill(&mut self) -> io::Result<()> {
        let filler = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        filler.set_nonblocking(true)?;
        // Without a name of its own it could not be told from a client: the kernel makes one up.
        filler.bind(&SockAddr::unix("")?)?;
        match filler.connect(&SockAddr::unix(&self.path)?) {
            Ok(()) => self.filler = Some(filler),
            // A client was faster: it is full all the same.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Elsewhere a full queue refuses, and so do we.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(super) fn fill(&mut self) -> io::Result<()> {
        self.shut()
    }

    /// Whether a connection that was accepted is a client's; a filler of our own is forgotten.
    fn is_caller(&mut self, stream: &UnixStream) -> bool {
        let Some(filler) = &self.filler else { return true };
        let name = |socket: io::Result<SockAddr>| {
            socket.ok().and_then(|name| name.as_abstract_namespace().map(<[u8]>::to_vec))
        };
        let is_ours = name(filler.local_addr())
            .is_some_and(|own| name(SockRef::from(stream).peer_addr()) == Some(own));
        if is_ours {
            self.filler = None;
        }
        !is_ours
    }

    /// A socket with a file, which does not listen yet.
    fn bound(&mut self, mode: u32) -> io::Result<Socket> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SockAddr::unix(&self.path)?)?;
        // Nobody can connect yet, so nobody can before this.
        fs::set_permissions(&self.path, Permissions::from_mode(mode))?;
        let file = fs::symlink_metadata(&self.path)?;
        self.file = Some((file.dev(), file.ino()));
        Ok(socket)
    }

    /// Takes the file away, unless it is somebody else's by now.
    fn remove(&mut self) {
        let ours = self.file.take();
        let file = fs::symlink_metadata(&self.path).ok().map(|file| (file.dev(), file.ino()));
        if ours.is_some() && ours == file {
            // Gone already, if it fails.
            let _gone = fs::remove_file(&self.path);
        }
    }
}

impl Drop for UnixPort {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Removes the file of a socket that nobody listens on; anything else stays, and is an error.
fn clear_away(path: &Path) -> io::Result<()> {
    let in_use = |why| Err(io::Error::new(io::ErrorKind::AddrInUse, why));
    let Ok(file) = fs::symlink_metadata(path) else { return Ok(()) };
    if !file.file_type().is_socket() {
        return in_use("there is a file of that name, which is no socket");
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // One that is there and busy would hold us up.
    probe.set_nonblocking(true)?;
    match probe.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        _ => in_use("another process listens there"),
    }
}
