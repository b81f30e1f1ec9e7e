//! Making a packet: records go in one by one, names find their place under the key, the result is signed.
//!
//! Separate from the packet because only authors need it, and because its errors speak to them.

mod draft;
mod error;
mod writer;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mainstay_keys::{Keypair, PublicKey};
use mainstay_krpc::item;

pub(crate) use self::draft::Draft;
use self::writer::Writer;
use crate::{
    Owner, SignedPacket, Timestamp, TimestampError,
    dns::{
        Name, ResourceRecord, TYPE,
        rdata::{A, AAAA, CAA, CNAME, HTTPS, MX, NS, RData, SRV, SVCB, TXT},
    },
    owner::Origin,
};

pub use self::error::{BuildError, Costliest};

/// Collects the records of a zone and signs them.
///
/// Owner names are [`Owner`]s, made of text by `try_into()?`; names inside of records (targets of CNAME, MX and so on)
/// are taken as they are, never completed by the key. A record that is already there (same name, type, class and data)
/// is dropped. What is wrong with a record is reported when the packet is signed or measured.
///
/// The DNS message is what pkarr 8.1 makes of the same records: an answer section in the order of insertion, names
/// compressed wherever RFC 1035 allows it.
#[derive(Clone, Debug, Default)]
pub struct SignedPacketBuilder {
    drafts: Vec<Draft>,
    timestamp: Option<Timestamp>,
    error: Option<BuildError>,
}

impl SignedPacketBuilder {
    /// Adds a record as it is; its name is treated as an [`Owner`].
    #[must_use]
    pub fn record(self, record: ResourceRecord<'_>) -> Self {
        match Owner::try_from(&record.name) {
            Ok(owner) => self.add(Draft::of_record(owner, record)),
            Err(error) => self.add(Err(error.into())),
        }
    }

    /// Adds a record of any type in class IN.
    #[must_use]
    pub fn rdata(self, name: Owner, rdata: RData<'_>, ttl: u32) -> Self {
        self.add(Draft::of_rdata(name, rdata, ttl))
    }

    /// Adds an A record.
    #[must_use]
    pub fn a(self, name: Owner, address: Ipv4Addr, ttl: u32) -> Self {
        self.rdata(name, RData::A(A::from(address)), ttl)
    }

    /// Adds an AAAA record.
    #[must_use]
    pub fn aaaa(self, name: Owner, address: Ipv6Addr, ttl: u32) -> Self {
        self.rdata(name, RData::AAAA(AAAA::from(address)), ttl)
    }

    /// Adds an A or AAAA record, whichever the address asks for.
    #[must_use]
    pub fn address(self, name: Owner, address: IpAddr, ttl: u32) -> Self {
        match address {
            IpAddr::V4(address) => self.a(name, address, ttl),
            IpAddr::V6(address) => self.aaaa(name, address, ttl),
        }
    }

    /// Adds a CNAME record.
    #[must_use]
    pub fn cname(self, name: Owner, target: Name<'_>, ttl: u32) -> Self {
        self.rdata(name, RData::CNAME(CNAME(target)), ttl)
    }

    /// Adds a TXT record. `"text".try_into()?` makes one, cut into strings of 254 bytes if it is long.
    #[must_use]
    pub fn txt(self, name: Owner, text: TXT<'_>, ttl: u32) -> Self {
        self.rdata(name, RData::TXT(text), ttl)
    }

    /// Adds an HTTPS record ([RFC 9460](https://www.rfc-editor.org/rfc/rfc9460)).
    #[must_use]
    pub fn https(self, name: Owner, service: SVCB<'_>, ttl: u32) -> Self {
        self.rdata(name, RData::HTTPS(HTTPS(service)), ttl)
    }

    /// Adds an SVCB record ([RFC 9460](https://www.rfc-editor.org/rfc/rfc9460)).
    #[must_use]
    pub fn svcb(self, name: Owner, service: SVCB<'_>, ttl: u32) -> Self {
        self.rdata(name, RData::SVCB(service), ttl)
    }

    /// Adds an MX record.
    #[must_use]
    pub fn mx(self, name: Owner, exchange: MX<'_>, ttl: u32) -> Self {
        self.rdata(name, RData::MX(exchange), ttl)
    }

    /// Adds an SRV record.
    #[must_use]
    pub fn srv(self, name: Owner, service: SRV<'_>, ttl: u32) -> Self {
        self.rdata(name, RData::SRV(service), ttl)
    }

    /// Adds an NS record.
    #[must_use]
    pub fn ns(self, name: Owner, server: Name<'_>, ttl: u32) -> Self {
        self.rdata(name, RData::NS(NS(server)), ttl)
    }

    /// Adds a CAA record ([RFC 8659](https://www.rfc-editor.org/rfc/rfc8659)).
    #[must_use]
    pub fn caa(self, name: Owner, authorization: CAA<'_>, ttl: u32) -> Self {
        self.rdata(name, RData::CAA(authorization), ttl)
    }

    /// Takes out the records of a name, those of one type or all of them.
    ///
    /// The name is one below the key, as [`Self::txt`] and the others take it; case does not matter. Records that are
    /// added later stay.
    ///
    /// ```
    /// use mainstay_keys::Keypair;
    /// use mainstay_packets::{SignedPacket, dns::TYPE};
    ///
    /// let zone = SignedPacket::builder()
    ///     .txt("greeting".try_into()?, "hello".try_into()?, 300)
    ///     .remove(&"greeting".try_into()?, Some(TYPE::TXT))
    ///     .txt("greeting".try_into()?, "good evening".try_into()?, 300)
    ///     .sign(&Keypair::random())?;
    /// assert_eq!(zone.all_resource_records().len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn remove(mut self, name: &Owner, rtype: Option<TYPE>) -> Self {
        self.drafts.retain(|draft| {
            !draft.owner.is_same_place(name) || rtype.is_some_and(|rtype| rtype != draft.typed())
        });
        self
    }

    /// Signs with this timestamp rather than [`Timestamp::now`]; see [`Timestamp::after`] for replacing a packet.
    #[must_use]
    pub fn timestamp(mut self, timestamp: Timestamp) -> Self {
        self.timestamp = Some(timestamp);
        self
    }

    /// How many bytes the DNS message has when `key` signs it; [`SignedPacket::MAX_DNS_BYTES`] may be signed.
    ///
    /// # Errors
    /// As [`Self::sign`], except for the size and the timestamp.
    pub fn size(&self, key: &PublicKey) -> Result<usize, BuildError> {
        self.write(&Origin::new(*key)).map(|writer| writer.message().len())
    }

    /// Signs the records.
    ///
    /// # Errors
    /// [`BuildError`] says which record is wrong, or by how many bytes the zone is too large and which record cost most.
    pub fn sign(&self, keypair: &Keypair) -> Result<SignedPacket, BuildError> {
        let origin = Origin::new(keypair.public_key());
        let writer = self.write(&origin)?;
        writer.check_size()?;
        let timestamp = self.timestamp.unwrap_or_else(Timestamp::now);
        let seq =
            timestamp.to_seq().ok_or(TimestampError::TooFar { micros: timestamp.as_u64() })?;
        let mut signable = Vec::with_capacity(writer.message().len().saturating_add(48));
        item::signable_bytes(seq, writer.message(), &mut signable);
        let signature = keypair.sign(&signable);
        Ok(SignedPacket::seal_parts(origin, signature, timestamp, writer.message())?)
    }

    /// Another name of [`Self::sign`].
    ///
    /// # Errors
    /// As [`Self::sign`].
    pub fn build(&self, keypair: &Keypair) -> Result<SignedPacket, BuildError> {
        self.sign(keypair)
    }

    #[cfg(feature = "zone-text")]
    pub(crate) fn of_drafts(drafts: Vec<Draft>) -> Self {
        Self { drafts, ..Self::default() }
    }

    fn write<'a>(&'a self, origin: &Origin) -> Result<Writer<'a>, BuildError> {
        match &self.error {
            Some(error) => Err(error.clone()),
            None => Writer::write(&self.drafts, origin),
        }
    }

    /// Keeps the record, or the first thing that was wrong with one.
    fn add(mut self, draft: Result<Draft, BuildError>) -> Self {
        match draft {
            Ok(draft) => self.drafts.push(draft),
            Err(error) => {
                self.error.get_or_insert(error);
            }
        }
        self
    }
}

impl From<&SignedPacket> for SignedPacketBuilder {
    /// The records of a packet that lie under its key; its timestamp is not taken over.
    fn from(packet: &SignedPacket) -> Self {
        let drafts = packet
            .all_resource_records()
            .filter(crate::Record::in_zone)
            .map(|record| Draft::of_packet(&record))
            .collect();
        Self { drafts, ..Self::default() }
    }
}

#[cfg(test)]
mod tests;
