//! Public keys, whatever they were written in.

use crate::der::{self, Der};

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// Bits of an RSA modulus.
const RSA_BITS_MIN: usize = 2048;
const RSA_BITS_MAX: usize = 8192;

/// The encodings of the points of Ed25519 whose order divides eight, without the sign in their last bit; the last two are
/// longer spellings of points above them. Signatures under such a key hold without a secret, for any or for many messages.
const SMALL_ORDER: [[u8; 32]; 7] = {
    const fn minus_two_to_255(last: u8) -> [u8; 32] {
        let mut bytes = [0xff; 32];
        bytes[0] = last;
        bytes[31] = 0x7f;
        bytes
    }
    const fn small(first: u8) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[0] = first;
        bytes
    }
    [
        small(0),               // order 4
        small(1),               // order 1
        minus_two_to_255(0xec), // p - 1: order 2
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
            0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ], // order 8
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
            0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ], // order 8
        minus_two_to_255(0xed), // p, which is 0
        minus_two_to_255(0xee), // p + 1, which is 1
    ]
};

/// The curves of ES256, ES384 and ES512.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    const ALL: [Curve; 3] = [Curve::P256, Curve::P384, Curve::P521];

    /// Its name in a key set (RFC 7518, section 6.2.1.1).
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "P-256" => Some(Curve::P256),
            "P-384" => Some(Curve::P384),
            "P-521" => Some(Curve::P521),
            _ => None,
        }
    }

    /// Its object id (RFC 5480, section 2.1.1.1).
    fn object_id(self) -> &'static [u8] {
        match self {
            Curve::P256 => &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
            Curve::P384 => &[0x2b, 0x81, 0x04, 0x00, 0x22],
            Curve::P521 => &[0x2b, 0x81, 0x04, 0x00, 0x23],
        }
    }

    /// The bytes of a coordinate.
    pub(crate) fn coordinate_bytes(self) -> usize {
        match self {
            Curve::P256 => 32,
            Curve::P384 => 48,
            Curve::P521 => 66,
        }
    }
}

/// A public key. Whether a point lies on its curve is found out when the key is first put to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PublicKey {
    /// Modulus and exponent, without leading zeros.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// A point, uncompressed (SEC 1, section 2.3.3).
    Ec(Curve, Vec<u8>),
    /// RFC 8032, section 5.1.5.
    Ed25519([u8; 32]),
}

/// Why there is no key, for the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// It cannot be read.
    Broken(&'static str),
    /// It is a kind of key, or for a purpose, that tokens are not verified with here.
    Foreign(&'static str),
    /// It holds what must be kept secret.
    Secret(&'static str),
}

impl Unusable {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Unusable::Broken(text) | Unusable::Foreign(text) | Unusable::Secret(text) => text,
        }
    }
}

impl PublicKey {
    /// An RSA key of at least 2048 bits (RFC 7518, section 3.3).
    pub(crate) fn rsa(n: &[u8], e: &[u8]) -> Result<Self, Unusable> {
        let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
        if bits < RSA_BITS_MIN {
            return Err(Unusable::Broken("an RSA key must have at least 2048 bits"));
        }
        if bits > RSA_BITS_MAX {
            return Err(Unusable::Broken("an RSA key must have at most 8192 bits"));
        }
        // With the exponent 1 every message would be its own signature.
        let odd = e.last().is_some_and(|last| last & 1 == 1);
        if !odd || e == [1] || e.first() == Some(&0) || e.len() > 4 {
            return Err(Unusable::Broken("an RSA key must have an odd exponent from 3 to 2^32"));
        }
        Ok(PublicKey::Rsa { n: n.to_vec(), e: e.to_vec() })
    }

    /// From a `SubjectPublicKeyInfo` (RFC 5280, section 4.1.2.7), which is what PEM calls `PUBLIC KEY`.
    pub(crate) fn from_spki(spki: &[u8]) -> Result<Self, Unusable> {
        let broken = Unusable::Broken("it is not a public key in DER");
        let parts = || {
            let mut info = Der(spki).only(der::SEQUENCE)?;
            let mut algorithm = info.take(der::SEQUENCE)?;
            let kind = algorithm.take(der::OBJECT_ID)?.0;
            let key = info.take_bytes()?;
            info.0.is_empty().then_some((kind, algorithm, key))
        };
        let (kind, parameters, key) = parts().ok_or(broken)?;
        if kind == RSA {
            let numbers = || {
                let mut numbers = Der(key).only(der::SEQUENCE)?;
                let (n, e) = (numbers.take_positive()?, numbers.take_positive()?);
                numbers.0.is_empty().then_some((n, e))
            };
            let (n, e) = numbers().ok_or(broken)?;
            return Self::rsa(n, e);
        }
        if kind == EC {
            let named = parameters.only(der::OBJECT_ID).map(|id| id.0);
            let curve = Curve::ALL
                .into_iter()
                .find(|curve| named == Some(curve.object_id()))
                .ok_or(Unusable::Foreign("the curve is none of P-256, P-384 and P-521"))?;
            return Self::ec(curve, key);
        }
        if kind == ED25519 {
            return Self::ed25519(key);
        }
        Err(Unusable::Foreign("it is neither an RSA key nor one on P-256, P-384, P-521 or Ed25519"))
    }

    /// A point in its uncompressed form.
    pub(crate) fn ec(curve: Curve, point: &[u8]) -> Result<Self, Unusable> {
        if point.first() != Some(&4) || point.len() != 1 + 2 * curve.coordinate_bytes() {
            return Err(Unusable::Broken("the point is not in its uncompressed form"));
        }
        Ok(PublicKey::Ec(curve, point.to_vec()))
    }

    /// A point in its encoding (RFC 8032, section 5.1.2), of a large order.
    pub(crate) fn ed25519(point: &[u8]) -> Result<Self, Unusable> {
        let point: [u8; 32] =
            point.try_into().map_err(|_| Unusable::Broken("an Ed25519 key must have 32 bytes"))?;
        let mut unsigned = point;
        unsigned[31] &= 0x7f;
        if SMALL_ORDER.contains(&unsigned) {
            return Err(Unusable::Broken("it is a point of small order, under which anybody can sign"));
        }
        Ok(PublicKey::Ed25519(point))
    }
}
