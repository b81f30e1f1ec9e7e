//! A record that waits to be signed: its data in wire form with names in full.
//!
//! Separate because records come from three sources (typed values, packets, zone text) and are checked here once.

use crate::{
    Owner, Record,
    builder::BuildError,
    dns::{CLASS, Packet, ResourceRecord, TYPE, rdata::RData},
    layout, message,
    record::{MAX_TTL, parse_rdata},
};

/// A record whose place under the key is not known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) owner: Owner,
    pub(crate) rtype: u16,
    pub(crate) class: u16,
    pub(crate) ttl: u32,
    /// No name in it is compressed.
    pub(crate) rdata: Vec<u8>,
}

impl Draft {
    /// A record of class IN.
    pub(crate) fn of_rdata(owner: Owner, rdata: RData<'_>, ttl: u32) -> Result<Self, BuildError> {
        let rtype = canonical(rdata.type_code());
        if let RData::A(address) = rdata {
            return Self::new(owner, rtype, ttl, address.address.to_be_bytes().to_vec());
        }
        if let RData::AAAA(address) = rdata {
            return Self::new(owner, rtype, ttl, address.address.to_be_bytes().to_vec());
        }
        let record = ResourceRecord::new(Owner::root(), CLASS::IN, ttl, rdata);
        Self::of_record(owner, record)
    }

    /// A record of another library under a name of ours.
    pub(crate) fn of_record(owner: Owner, record: ResourceRecord<'_>) -> Result<Self, BuildError> {
        let rtype = canonical(record.rdata.type_code());
        let (ttl, is_opaque) = (record.ttl, matches!(record.rdata, RData::NULL(..)));
        let malformed = || BuildError::Data { owner: owner.clone(), rtype };
        let mut packet = Packet::new_reply(0);
        // The cache-flush mark belongs to multicast DNS; pkarr drops it too.
        packet.answers.push(ResourceRecord { name: Owner::root(), cache_flush: false, ..record });
        let message = packet.build_bytes_vec().map_err(|_| malformed())?;
        // The header, the root name, and then what is the same for every record.
        let body = message.get(message::HEADER + 1..).ok_or_else(malformed)?;
        let class = message::u16_at(body, 2).ok_or_else(malformed)?;
        let rdata = body.get(10..).ok_or_else(malformed)?.to_vec();
        if has_names(rtype) && !is_opaque {
            // A label that does not fit its length byte has been written all the same; reading it back tells.
            let written = parse_rdata(rtype, &rdata).map_err(|_| malformed())?;
            if packet.answers.first().is_none_or(|record| record.rdata != written) {
                return Err(malformed());
            }
        }
        Ok(Self { class, ..Self::new(owner, rtype, ttl, rdata)? })
    }

    /// A record of class IN in wire form, names in full.
    pub(crate) fn new(
        owner: Owner,
        rtype: TYPE,
        ttl: u32,
        rdata: Vec<u8>,
    ) -> Result<Self, BuildError> {
        if ttl > MAX_TTL {
            return Err(BuildError::Ttl { owner, ttl });
        }
        if !layout::is_uncompressed(rtype, &rdata) {
            return Err(BuildError::Data { owner, rtype });
        }
        Ok(Self { owner, rtype: rtype.into(), class: CLASS::IN.into(), ttl, rdata })
    }

    /// A record that a packet holds below its key.
    pub(crate) fn of_packet(record: &Record<'_>) -> Self {
        let owner = Owner::below_apex(record.name().relative_labels());
        let (rtype, class) = (record.rtype().into(), record.class().into());
        Self { owner, rtype, class, ttl: record.ttl(), rdata: record.uncompressed_rdata() }
    }

    pub(crate) fn typed(&self) -> TYPE {
        TYPE::from(self.rtype)
    }
}

/// The type by its name, also if it was given as opaque data with the type's number.
fn canonical(rtype: TYPE) -> TYPE {
    TYPE::from(u16::from(rtype))
}

fn has_names(rtype: TYPE) -> bool {
    let is_name =
        |field: &layout::Field| matches!(field, layout::Field::Name | layout::Field::PlainName);
    rtype == TYPE::IPSECKEY || layout::fields(rtype).iter().any(is_name)
}
