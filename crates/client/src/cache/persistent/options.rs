//! What a cache on disk is told before it is opened: how large, how safe, how much memory.
//!
//! Separate because both engines are told the same.

/// How much a cache on disk may hold, and when a put counts as done.
///
/// ```
/// use mainstay_client::{CacheOptions, Durability};
///
/// let small = CacheOptions::default().packets(10_000).bytes(16 << 20).durability(Durability::Soon);
/// # let _ = small;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "options do nothing until a cache is opened with them"]
pub struct CacheOptions {
    pub(crate) packets: usize,
    pub(crate) bytes: u64,
    pub(crate) memory: u64,
    pub(crate) fingerprints: usize,
    pub(crate) durability: Durability,
    pub(crate) check: bool,
}

/// When a put resolves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Once the packet is on disk: neither a killed process nor a power cut loses it.
    ///
    /// Costs the wait for one `fsync`, a millisecond or less on most disks, more on a phone. Puts that
    /// arrive while one is under way share the next.
    #[default]
    Disk,
    /// Once it is decided what stands, some microseconds after the writer takes the put up; the `fsync`
    /// follows at once, and its failure shows only in [`CacheStatus`](crate::CacheStatus).
    ///
    /// A process killed within those milliseconds loses the packet. What is on disk stays whole.
    Soon,
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self {
            packets: 1_000_000,
            bytes: 1 << 30,
            memory: 16 << 20,
            fingerprints: 1_000_000,
            durability: Durability::Disk,
            check: true,
        }
    }
}

impl CacheOptions {
    /// At most so many packets; more make older ones leave. 0 turns the cache off. Default: 1,000,000.
    pub fn packets(mut self, packets: usize) -> Self {
        self.packets = packets;
        self
    }

    /// At most so many bytes of packets and of the order in which they leave. Default: 1 GiB.
    ///
    /// The file is larger by what the engine keeps free for the next commits, and never shrinks: give it
    /// twice the room.
    pub fn bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// At most so many bytes of memory for packets that this process has verified already.
    ///
    /// A hit among them is not read from disk. Default: 16 MiB, some 20,000 packets.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = bytes;
        self
    }

    /// A fingerprint each of so many packets, so that those which this process has verified and `memory` has no room for
    /// cost no signature check when they are read again. Default: 1,000,000; never more than `packets`.
    ///
    /// A keyed hash of all bytes of the packet, under a secret of this process alone: bytes that have changed on disk are
    /// verified. Takes 24 to 60 bytes of memory a packet, as they come. See [`KnownPackets`](mainstay_packets::KnownPackets).
    pub fn fingerprints(mut self, packets: usize) -> Self {
        self.fingerprints = packets;
        self
    }

    /// When a put resolves. Default: [`Durability::Disk`].
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Whether opening reads the whole file and checks it. Default: yes.
    ///
    /// Costs the time of reading it; the bench `cache` measures it. It is left out where the file was closed
    /// well and nobody has changed it since; `DiskCache` makes up for it at the first page that makes no sense.
    /// Without the check a file that was altered behind the cache's back, or by a failing disk, can end the process;
    /// what is served is verified either way.
    pub fn check(mut self, check: bool) -> Self {
        self.check = check;
        self
    }
}
