//! When an X.509 certificate ends, by RFC 5280. Whether it is signed, and for which names, is for those who connect.

use der::{
    Decode, Reader, SliceReader, Tag, TagMode, TagNumber,
    asn1::{AnyRef, GeneralizedTime, UtcTime},
};
use std::time::Duration;

/// `notAfter` (§4.1.2.5) of a certificate in DER, since the Unix epoch. What is behind the certificate is left alone.
///
/// # Errors
/// What is not a certificate's structure, and where.
pub(super) fn not_after(certificate: &[u8]) -> Result<Duration, der::Error> {
    SliceReader::new(certificate)?.sequence(|certificate| {
        let not_after = certificate.sequence(to_be_signed)?;
        // Its signature's algorithm, and the signature.
        skip(certificate, Tag::Sequence)?;
        skip(certificate, Tag::BitString)?;
        Ok(not_after)
    })
}

fn to_be_signed<'a>(fields: &mut impl Reader<'a>) -> Result<Duration, der::Error> {
    fields.context_specific::<u8>(TagNumber(0), TagMode::Explicit)?;
    // Serial number, algorithm, issuer.
    skip(fields, Tag::Integer)?;
    skip(fields, Tag::Sequence)?;
    skip(fields, Tag::Sequence)?;
    let not_after = fields.sequence(|validity| {
        // Some begin before the epoch.
        AnyRef::decode(validity)?;
        time(validity)
    })?;
    // Subject, and its key.
    skip(fields, Tag::Sequence)?;
    skip(fields, Tag::Sequence)?;
    // Extensions, and what has not been used for decades.
    while !fields.is_finished() {
        AnyRef::decode(fields)?;
    }
    Ok(not_after)
}

fn time<'a>(fields: &mut impl Reader<'a>) -> Result<Duration, der::Error> {
    match Tag::peek(fields)? {
        // From 2050 on.
        Tag::GeneralizedTime => GeneralizedTime::decode(fields).map(|time| time.to_unix_duration()),
        _ => UtcTime::decode(fields).map(|time| time.to_unix_duration()),
    }
}

fn skip<'a>(fields: &mut impl Reader<'a>, tag: Tag) -> Result<(), der::Error> {
    AnyRef::decode(fields)?.header().tag().assert_eq(tag).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls_pki_types::{CertificateDer, pem::PemObject};

    /// Of version 1, from 1950 to 2001.
    const EARLY: &str = "\
-----BEGIN CERTIFICATE-----
MIHTMIGGAgECMAUGAytlcDAWMRQwEgYDVQQDDAtleGFtcGxlLmNvbTAeFw01MDAx
MDEwMDAwMDBaFw0wMTAxMDEwMDAwMDBaMBYxFDASBgNVBAMMC2V4YW1wbGUuY29t
MCowBQYDK2VwAyEAUuhi26iSOQnaB6NOQDcOi/lMK9nD/0Ow7IZN015HO0IwBQYD
K2VwA0EAZYwgYfCfR11vcK5vsYtlIifVHQJ9PoKT5i/JNbL44pOVsoysrQysTRnI
fIZtFpv2EqY9BoUX05vXlCvbV72QAA==
-----END CERTIFICATE-----";

    /// To the last second of UTCTime.
    const TO_2049: &str = "\
-----BEGIN CERTIFICATE-----
MIIBEzCBxqADAgECAgEBMAUGAytlcDAWMRQwEgYDVQQDDAtleGFtcGxlLmNvbTAe
Fw0yNjAxMDEwMDAwMDBaFw00OTEyMzEyMzU5NTlaMBYxFDASBgNVBAMMC2V4YW1w
bGUuY29tMCowBQYDK2VwAyEAUuhi26iSOQnaB6NOQDcOi/lMK9nD/0Ow7IZN015H
O0KjOTA3MBYGA1UdEQQPMA2CC2V4YW1wbGUuY29tMB0GA1UdDgQWBBTNfqXLzC7s
MRAA5E9HjhdqjyM8cjAFBgMrZXADQQBaiiD/UugJIOZK0RY61eatgkIVdsqfgQWQ
93CRPTgI6m49Fki8arL9/kN5UElN0Fudrqf43M9AcbY9imsjP+4P
-----END CERTIFICATE-----";

    /// And to the one after it, in GeneralizedTime.
    const TO_2050: &str = "\
-----BEGIN CERTIFICATE-----
MIIBFTCByKADAgECAgEBMAUGAytlcDAWMRQwEgYDVQQDDAtleGFtcGxlLmNvbTAg
Fw0yNjAxMDEwMDAwMDBaGA8yMDUwMDEwMTAwMDAwMFowFjEUMBIGA1UEAwwLZXhh
bXBsZS5jb20wKjAFBgMrZXADIQBS6GLbqJI5CdoHo05ANw6L+Uwr2cP/Q7Dshk3T
Xkc7QqM5MDcwFgYDVR0RBA8wDYILZXhhbXBsZS5jb20wHQYDVR0OBBYEFM1+pcvM
LuwxEADkT0eOF2qPIzxyMAUGAytlcANBAI8QHYyKaOyrPuDuUevO+KkoEBtV0Zvb
pYO+J3/JsAe/8l8P1x0wRGyk5CrSu8JEu9mFoLlkr37632gXKYTkHQo=
-----END CERTIFICATE-----";

    fn der(pem: &str) -> Vec<u8> {
        CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec()
    }

    #[test]
    fn each_form_of_time_is_read() {
        for (pem, seconds) in [(EARLY, 978_307_200), (TO_2049, 2_524_607_999), (TO_2050, 2_524_608_000)] {
            assert_eq!(not_after(&der(pem)), Ok(Duration::from_secs(seconds)));
        }
    }

    #[test]
    fn what_is_cut_off_is_no_certificate_and_what_follows_is_none_of_it() {
        let mut whole = der(TO_2050);
        for length in 0..whole.len() {
            assert!(not_after(&whole[..length]).is_err(), "{length} bytes");
        }
        whole.push(0);
        assert!(not_after(&whole).is_ok());
    }

    #[test]
    fn whatever_a_byte_is_there_is_an_answer() {
        let whole = der(TO_2050);
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            for byte in 0..=u8::MAX {
                changed[at] = byte;
                let _ = not_after(&changed);
            }
        }
    }

    #[test]
    fn another_structure_is_refused_with_the_place() {
        // A key of Ed25519 (RFC 8410), which is a sequence too.
        let key = [&b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20"[..], &[7; 32]].concat();
        let error = not_after(&key).unwrap_err().to_string();
        assert!(error.starts_with("unexpected ASN.1 DER tag: expected SEQUENCE, got INTEGER"), "{error}");
    }
}
