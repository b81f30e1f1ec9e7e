//! Zones at random, for the tests of every module.
//!
//! Separate because the same zones are written, read, looked up and put into text; names come from few labels, so that
//! they meet, nest and hide behind wildcards.

use mainstay_keys::Keypair;
use proptest::{collection::vec, prelude::*, sample::select};

use crate::{
    Owner, SignedPacketBuilder,
    dns::{
        CharacterString, Label, Name,
        rdata::{
            A, AAAA, CAA, CNAME, DS, HINFO, HTTPS, MINFO, MX, NAPTR, NS, NULL, PTR, RData, RP, SOA,
            SRV, SVCB, SVCParam, TXT,
        },
    },
};

/// A record before it is in a builder.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) owner: String,
    pub(crate) rdata: RData<'static>,
    pub(crate) ttl: u32,
}

pub(crate) fn keypair() -> Keypair {
    Keypair::from_secret_key(&[7; 32])
}

pub(crate) fn builder(samples: &[Sample]) -> SignedPacketBuilder {
    samples.iter().fold(SignedPacketBuilder::default(), |builder, sample| {
        let owner = Owner::try_from(sample.owner.as_str()).unwrap();
        builder.rdata(owner, sample.rdata.clone(), sample.ttl)
    })
}

/// Zones that mostly fit a packet.
pub(crate) fn zone() -> impl Strategy<Value = Vec<Sample>> {
    vec((owner(), rdata(), 0..=0x7fff_ffff_u32), 0..14).prop_map(|records| {
        records.into_iter().map(|(owner, rdata, ttl)| Sample { owner, rdata, ttl }).collect()
    })
}

/// Names of owners and of queries.
pub(crate) fn owner() -> impl Strategy<Value = String> {
    let label = select(vec!["a", "b", "A", "*", "_x", "www", "é", r"\000", r"a\.b", r"\001\255"]);
    let tail = select(vec!["", ".", ".@"].into_iter().map(str::to_owned).collect::<Vec<_>>());
    let own = keypair().to_z32();
    let tail = prop_oneof![tail, Just(format!(".{own}")), Just(format!(".{}", own.to_uppercase()))];
    let whole = (vec(label, 1..5), tail).prop_map(|(labels, tail)| labels.join(".") + &tail);
    prop_oneof![8 => whole, 1 => select(vec!["", ".", "@"]).prop_map(str::to_owned)]
}

/// Names inside of data: some under the key, so that compression has something to point to.
fn name() -> impl Strategy<Value = Name<'static>> {
    let own = keypair().to_z32().into_bytes();
    let word = select(vec![&b"a"[..], b"b", b"A", b"mail", b"example", b"com", b"\0;\x1b\"."]);
    let labels = vec(word.prop_map(<[u8]>::to_vec), 0..4);
    (labels, any::<bool>()).prop_map(move |(mut labels, below)| {
        if below {
            labels.push(own.clone());
        }
        let labels: Vec<_> = labels.into_iter().map(Label::new_unchecked).collect();
        Name::new_with_labels(&labels)
    })
}

fn string() -> impl Strategy<Value = CharacterString<'static>> {
    vec(any::<u8>(), 0..20).prop_map(|bytes| CharacterString::new(&bytes).unwrap().into_owned())
}

pub(crate) fn rdata() -> impl Strategy<Value = RData<'static>> {
    prop_oneof![
        any::<u32>().prop_map(|address| RData::A(A { address })),
        any::<u128>().prop_map(|address| RData::AAAA(AAAA { address })),
        name().prop_map(|name| RData::CNAME(CNAME(name))),
        name().prop_map(|name| RData::NS(NS(name))),
        name().prop_map(|name| RData::PTR(PTR(name))),
        text().prop_map(RData::TXT),
        (any::<u16>(), name())
            .prop_map(|(preference, exchange)| RData::MX(MX { preference, exchange })),
        (any::<[u16; 3]>(), name()).prop_map(|([priority, weight, port], target)| {
            RData::SRV(SRV { priority, weight, port, target })
        }),
        (name(), name(), any::<u32>(), any::<[i32; 3]>(), any::<u32>()).prop_map(authority),
        (name(), name())
            .prop_map(|(rmailbox, emailbox)| RData::MINFO(MINFO { rmailbox, emailbox })),
        (name(), name()).prop_map(|(mbox, txt)| RData::RP(RP { mbox, txt })),
        (string(), string()).prop_map(|(cpu, os)| RData::HINFO(HINFO { cpu, os })),
        service().prop_map(RData::SVCB),
        service().prop_map(|service| RData::HTTPS(HTTPS(service))),
        (any::<u8>(), vec(any::<u8>(), 0..9)).prop_map(|(flag, value)| {
            RData::CAA(CAA { flag, tag: "issue".try_into().unwrap(), value: value.into() })
        }),
        (any::<[u16; 2]>(), string(), string(), string(), name()).prop_map(naming),
        (any::<u16>(), vec(any::<u8>(), 1..9)).prop_map(|(key_tag, digest)| {
            RData::DS(DS { key_tag, algorithm: 8, digest_type: 2, digest: digest.into() })
        }),
        (65_280..65_535_u16, vec(any::<u8>(), 1..9)).prop_map(|(rtype, bytes)| {
            RData::NULL(rtype, NULL::new(&bytes).unwrap().into_owned())
        }),
    ]
}

fn text() -> impl Strategy<Value = TXT<'static>> {
    let strings = vec(string(), 0..4);
    strings.prop_map(|strings| strings.into_iter().fold(TXT::new(), TXT::with_char_string))
}

type Authority = (Name<'static>, Name<'static>, u32, [i32; 3], u32);

fn authority(
    (mname, rname, serial, [refresh, retry, expire], minimum): Authority,
) -> RData<'static> {
    RData::SOA(SOA { mname, rname, serial, refresh, retry, expire, minimum })
}

type Naming = (
    [u16; 2],
    CharacterString<'static>,
    CharacterString<'static>,
    CharacterString<'static>,
    Name<'static>,
);

fn naming(([order, preference], flags, services, regexp, replacement): Naming) -> RData<'static> {
    RData::NAPTR(NAPTR { order, preference, flags, services, regexp, replacement })
}

fn service() -> impl Strategy<Value = SVCB<'static>> {
    let param = prop_oneof![
        vec(0..9_u16, 1..4).prop_map(|keys| SVCParam::Mandatory(keys.into_iter().collect())),
        vec(string(), 1..3).prop_map(SVCParam::Alpn),
        Just(SVCParam::NoDefaultAlpn),
        any::<u16>().prop_map(SVCParam::Port),
        vec(any::<u32>(), 1..3).prop_map(SVCParam::Ipv4Hint),
        vec(any::<u8>(), 0..9).prop_map(|bytes| SVCParam::Ech(bytes.into())),
        vec(any::<u128>(), 1..3).prop_map(SVCParam::Ipv6Hint),
        (7..=u16::MAX, vec(any::<u8>(), 0..9))
            .prop_map(|(key, bytes)| SVCParam::Unknown(key, bytes.into())),
    ];
    (any::<u16>(), name(), vec(param, 0..4)).prop_map(|(priority, target, params)| {
        params.into_iter().fold(SVCB::new(priority, target), SVCB::with_param)
    })
}
