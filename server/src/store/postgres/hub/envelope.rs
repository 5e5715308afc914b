//! How packets travel as notifications: several in one payload where they fit, one in several where it does not.
//!
//! A payload is lines of one packet each, or begins with `+` and is a piece: a number that tells it from pieces of other packets, its place, how
//! many there are, and a line break before the text. Of two payloads that are the same the database would bring one. All of a packet's pieces are sent by one statement, and the database puts nothing in between.

use super::packets;
use crate::cluster::{NodeId, Packet};
use std::collections::{BTreeMap, btree_map::Entry};

/// PostgreSQL takes payloads of less than 8,000 bytes.
const MAX_PAYLOAD_BYTES: usize = 7_999;
/// What stands before a piece takes no more.
const PIECE_BYTES: usize = MAX_PAYLOAD_BYTES - 32;
/// The most pieces of one packet: 8 MB.
const MAX_PIECES: usize = 1_000;

/// Puts packets into payloads, in order for each receiver. One too long for all that is left out.
pub(super) fn pack(packets: &[Packet]) -> Vec<(NodeId, String)> {
    let mut packed = Vec::new();
    let mut filling: BTreeMap<NodeId, String> = BTreeMap::new();
    for (number, packet) in packets.iter().enumerate() {
        let Some(text) = packets::write(packet) else { continue };
        if text.len() > MAX_PAYLOAD_BYTES {
            packed.extend(filling.remove(&packet.to).map(|payload| (packet.to, payload)));
            packed.extend(pieces(number, &text).into_iter().map(|piece| (packet.to, piece)));
            continue;
        }
        match filling.entry(packet.to) {
            Entry::Vacant(entry) => drop(entry.insert(text)),
            Entry::Occupied(mut entry) if entry.get().len() + 1 + text.len() <= MAX_PAYLOAD_BYTES => {
                entry.get_mut().push('\n');
                entry.get_mut().push_str(&text);
            }
            Entry::Occupied(mut entry) => packed.push((packet.to, entry.insert(text))),
        }
    }
    packed.extend(filling);
    packed
}

fn pieces(number: usize, text: &str) -> Vec<String> {
    let mut chunks = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (chunk, more) = rest.split_at(rest.floor_char_boundary(PIECE_BYTES));
        chunks.push(chunk);
        rest = more;
    }
    let count = chunks.len();
    if count > MAX_PIECES {
        tracing::warn!(bytes = text.len(), "a packet to another node is too long and is lost");
        return Vec::new();
    }
    chunks.iter().enumerate().map(|(place, chunk)| format!("+{number}/{place}/{count}\n{chunk}")).collect()
}

/// Where the next piece has to go on, and what there is.
struct Begun {
    next: Piece,
    text: String,
}

/// Which piece of which packet, and of how many.
#[derive(PartialEq, Eq)]
struct Piece {
    number: usize,
    place: usize,
    count: usize,
}

impl Piece {
    fn read(header: &str) -> Option<Self> {
        let mut numbers = header.splitn(3, '/').map(|number| number.parse().ok());
        Some(Self { number: numbers.next()??, place: numbers.next()??, count: numbers.next()?? })
    }
}

/// Takes packets out of payloads. Whatever is not understood is left out: a neighbour may lie, or be of another version.
#[derive(Default)]
pub(super) struct Unpacking {
    /// The beginning of a packet whose other pieces are still to come.
    begun: Option<Begun>,
}

impl Unpacking {
    pub(super) fn unpack(&mut self, payload: &str) -> Vec<Packet> {
        let Some(piece) = payload.strip_prefix('+') else {
            return payload.lines().filter_map(read).collect();
        };
        let Some(text) = self.add(piece) else { return Vec::new() };
        read(&text).into_iter().collect()
    }

    /// Gives the whole where this is its last piece. A piece that does not go on where the one before it ended begins anew, or is nothing.
    fn add(&mut self, piece: &str) -> Option<String> {
        let begun = self.begun.take();
        let (header, chunk) = piece.split_once('\n')?;
        let piece = Piece::read(header).filter(|piece| piece.count <= MAX_PIECES)?;
        let mut text = match begun {
            _ if piece.place == 0 => String::new(),
            Some(begun) if begun.next == piece => begun.text,
            Some(_) | None => return None,
        };
        text.push_str(chunk);
        let next = Piece { place: piece.place + 1, ..piece };
        if next.place >= next.count {
            return Some(text);
        }
        self.begun = Some(Begun { next, text });
        None
    }
}

/// What a neighbour wrote has no place in a log.
fn read(text: &str) -> Option<Packet> {
    let packet = packets::read(text);
    if packet.is_none() {
        tracing::warn!(bytes = text.len(), "a packet from another node cannot be read and is lost");
    }
    packet
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Mail;

    fn packet(number: u64, length: usize) -> Packet {
        let frame = "ä\n\"".repeat(length);
        let mail =
            vec![Mail::FromWallet { connection: countersign_protocol::ConnectionId::from_bytes([1; 16]), frame }];
        Packet {
            from: NodeId::from_bits(1),
            to: NodeId::from_bits(number % 2),
            epoch: 1,
            number,
            received: None,
            broken: None,
            mail,
        }
    }

    #[test]
    fn whatever_is_packed_comes_out_again_and_fits() {
        let packets: Vec<_> =
            (0..400).map(|number| packet(number, if number % 50 == 7 { 30_000 } else { number as usize })).collect();
        let packed = pack(&packets);
        assert!(packed.len() < packets.len() * 2);
        for receiver in 0..2 {
            let mut unpacking = Unpacking::default();
            let to = NodeId::from_bits(receiver);
            let payloads: Vec<_> =
                packed.iter().filter(|(receiver, _)| *receiver == to).map(|(_, payload)| payload).collect();
            assert!(payloads.iter().all(|payload| !payload.is_empty() && payload.len() < 8_000));
            let mut unique = payloads.clone();
            unique.sort_unstable();
            unique.dedup();
            assert_eq!(unique.len(), payloads.len(), "the database brings each once");
            let came: Vec<_> = payloads.iter().flat_map(|payload| unpacking.unpack(payload)).collect();
            let sent: Vec<_> = packets.iter().filter(|packet| packet.to == to).cloned().collect();
            assert!(came == sent);
        }
    }

    #[test]
    fn a_packet_of_which_a_piece_is_missing_takes_no_other_with_it() {
        let (long, short) = (packet(2, 5_000), packet(4, 1));
        let pieces = pack(&[long.clone(), short.clone()]);
        assert!(pieces.len() > 4);
        for missing in 0..pieces.len() - 1 {
            let mut unpacking = Unpacking::default();
            let kept = pieces.iter().enumerate().filter(|(place, _)| *place != missing);
            let came: Vec<_> = kept.flat_map(|(_, (_, payload))| unpacking.unpack(payload)).collect();
            assert_eq!(came, std::slice::from_ref(&short));
            let again: Vec<_> = pieces.iter().flat_map(|(_, payload)| unpacking.unpack(payload)).collect();
            assert_eq!(again, [long.clone(), short.clone()]);
        }
    }
}
