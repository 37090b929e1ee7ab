//! From messages to bytes: always one frame a message, in the shortest form.

use crate::close::may_travel;
use crate::header::{COMPRESSED_BIT, CONTROL_BYTES_MAX, OpCode};
use crate::mask;

/// The most bytes a Close reason has beside its code (§5.5).
const REASON_BYTES_MAX: usize = CONTROL_BYTES_MAX - 2;

/// Appends the header of an unmasked, unfragmented frame; the payload is the caller's to append.
///
/// A control frame carries at most 125 bytes (§5.5): keeping to that is the caller's duty.
pub fn encode_header(out: &mut Vec<u8>, opcode: OpCode, payload_bytes: usize) {
    push_header(out, opcode, payload_bytes, 0);
}

/// Appends the header of a masked, unfragmented frame, key included (client side).
pub fn encode_header_masked(out: &mut Vec<u8>, opcode: OpCode, payload_bytes: usize, key: [u8; 4]) {
    push_header(out, opcode, payload_bytes, 0x80);
    out.extend_from_slice(&key);
}

/// Appends an unmasked frame (server side).
pub fn encode_frame(out: &mut Vec<u8>, opcode: OpCode, payload: &[u8]) {
    encode_header(out, opcode, payload.len());
    out.extend_from_slice(payload);
}

/// Appends a masked frame (client side). The key must be fresh and unpredictable (§10.3).
pub fn encode_frame_masked(out: &mut Vec<u8>, opcode: OpCode, payload: &[u8], key: [u8; 4]) {
    encode_header_masked(out, opcode, payload.len(), key);
    let start = out.len();
    out.extend_from_slice(payload);
    mask::mask(&mut out[start..], key);
}

/// Appends an unmasked frame whose payload a [`Deflater`](crate::deflate::Deflater) has made (RFC 7692, section 6).
pub fn encode_deflated(out: &mut Vec<u8>, opcode: OpCode, compressed: &[u8]) {
    let first = out.len();
    encode_frame(out, opcode, compressed);
    out[first] |= COMPRESSED_BIT;
}

/// Appends an unmasked Close frame (server side), the reason cut to 123 bytes between characters.
///
/// A code that may not travel (§7.4), such as 1005 for "none was given", makes an empty Close.
pub fn encode_close(out: &mut Vec<u8>, code: u16, reason: &str) {
    let (body, body_bytes) = close_body(code, reason);
    encode_frame(out, OpCode::Close, &body[..body_bytes]);
}

/// Appends a masked Close frame (client side); otherwise as [`encode_close`].
pub fn encode_close_masked(out: &mut Vec<u8>, code: u16, reason: &str, key: [u8; 4]) {
    let (body, body_bytes) = close_body(code, reason);
    encode_frame_masked(out, OpCode::Close, &body[..body_bytes], key);
}

fn push_header(out: &mut Vec<u8>, opcode: OpCode, payload_bytes: usize, mask_bit: u8) {
    out.push(0x80 | opcode.bits());
    if let Ok(length) = u8::try_from(payload_bytes)
        && length < 126
    {
        out.push(mask_bit | length);
    } else if let Ok(length) = u16::try_from(payload_bytes) {
        out.push(mask_bit | 126);
        out.extend_from_slice(&length.to_be_bytes());
    } else {
        out.push(mask_bit | 127);
        out.extend_from_slice(&(payload_bytes as u64).to_be_bytes());
    }
}

fn close_body(code: u16, reason: &str) -> ([u8; CONTROL_BYTES_MAX], usize) {
    let mut body = [0; CONTROL_BYTES_MAX];
    if !may_travel(code) {
        return (body, 0);
    }
    let reason = &reason[..reason.floor_char_boundary(REASON_BYTES_MAX)];
    let body_bytes = 2 + reason.len();
    body[..2].copy_from_slice(&code.to_be_bytes());
    body[2..body_bytes].copy_from_slice(reason.as_bytes());
    (body, body_bytes)
}
