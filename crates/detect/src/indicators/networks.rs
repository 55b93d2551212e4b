//! Networks in order of their first address. Two networks are apart or one holds the other, so each knows the narrowest
//! that holds it: the last that begins at or before an address, and those above it, are all that can hold the address.

use std::net::IpAddr;

use ipnet::IpNet;

const NONE: u32 = u32::MAX;

/// Networks of one family, by first address and then by width.
#[derive(Debug, Default)]
struct Family {
    firsts: Vec<u128>,
    nets: Vec<Net>,
    /// For each value of the first 16 bits of an address, how many networks begin before it.
    index: Vec<u32>,
    bits: u8,
}

#[derive(Debug, Clone, Copy)]
struct Net {
    last: u128,
    /// The narrowest one that holds it.
    above: u32,
    /// The address of its record.
    record: u32,
}

/// The networks of a table.
#[derive(Debug, Default)]
pub(super) struct Networks {
    v4: Family,
    v6: Family,
}

impl Networks {
    pub(super) fn build(found: Vec<(IpNet, u32)>) -> Self {
        let (v4, v6): (Vec<_>, Vec<_>) = found.into_iter().partition(|(net, _)| net.addr().is_ipv4());
        Self { v4: Family::build(v4, 32), v6: Family::build(v6, 128) }
    }

    /// Bytes that they take.
    pub(super) fn bytes(&self) -> usize {
        [&self.v4, &self.v6].iter().fold(0, |sum, family| sum.saturating_add(family.bytes()))
    }

    /// The records of the networks that hold an address, the narrowest first.
    #[inline]
    pub(super) fn holding(&self, address: IpAddr, found: &mut impl FnMut(u32)) {
        match address {
            IpAddr::V4(v4) => self.v4.holding(u128::from(u32::from(v4)), found),
            IpAddr::V6(v6) => self.v6.holding(u128::from(v6), found),
        }
    }
}

impl Family {
    fn build(mut found: Vec<(IpNet, u32)>, bits: u8) -> Self {
        found.sort_unstable_by_key(|(net, record)| (number(net.network()), net.prefix_len(), *record));
        found.dedup();
        let mut family = Self { bits, ..Self::default() };
        let mut open: Vec<u32> = Vec::new();
        for (net, record) in found {
            let (first, last) = (number(net.network()), number(net.broadcast()));
            while open.last().is_some_and(|place| family.net(*place).is_none_or(|above| above.last < last)) {
                open.pop();
            }
            let place = u32::try_from(family.nets.len()).unwrap_or(NONE);
            family.firsts.push(first);
            family.nets.push(Net { last, above: open.last().copied().unwrap_or(NONE), record });
            open.push(place);
        }
        family.index();
        family
    }

    fn index(&mut self) {
        if self.firsts.is_empty() {
            return;
        }
        let mut before = 0;
        for head in 0..=u128::from(u16::MAX) {
            let edge = head.wrapping_shl(u32::from(self.bits.saturating_sub(16)));
            before = before.max(
                self.firsts
                    .get(before..)
                    .unwrap_or_default()
                    .partition_point(|first| *first < edge)
                    .saturating_add(before),
            );
            self.index.push(u32::try_from(before).unwrap_or(NONE));
        }
        self.index.push(u32::try_from(self.firsts.len()).unwrap_or(NONE));
    }

    fn bytes(&self) -> usize {
        let of = |items: usize, size: usize| items.saturating_mul(size);
        of(self.firsts.capacity(), size_of::<u128>())
            .saturating_add(of(self.nets.capacity(), size_of::<Net>()))
            .saturating_add(of(self.index.capacity(), size_of::<u32>()))
    }

    fn net(&self, place: u32) -> Option<&Net> {
        self.nets.get(usize::try_from(place).ok()?)
    }

    #[inline]
    fn holding(&self, address: u128, found: &mut impl FnMut(u32)) {
        let Some(mut place) = self.last_before(address) else { return };
        while let Some(net) = self.net(place) {
            if address <= net.last {
                found(net.record);
            }
            place = net.above;
        }
    }

    /// The last network that begins at or before the address.
    #[inline]
    fn last_before(&self, address: u128) -> Option<u32> {
        let head = usize::try_from(address.wrapping_shr(u32::from(self.bits.saturating_sub(16)))).ok()?;
        let bound = |place: usize| self.index.get(place).and_then(|bound| usize::try_from(*bound).ok());
        let (from, to) = (bound(head)?, bound(head.saturating_add(1))?);
        let within = self.firsts.get(from..to)?.partition_point(|first| *first <= address);
        u32::try_from(from.saturating_add(within).checked_sub(1)?).ok()
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn held(nets: &[IpNet], address: IpAddr) -> Vec<u32> {
        let numbered = nets.iter().zip(0_u32..).map(|(net, record)| (*net, record)).collect();
        let mut found = Vec::new();
        Networks::build(numbered).holding(address, &mut |record| found.push(record));
        found.sort_unstable();
        found
    }

    fn check(nets: &[IpNet], address: IpAddr) {
        let expected: Vec<u32> =
            nets.iter().zip(0_u32..).filter(|(net, _)| net.contains(&address)).map(|(_, record)| record).collect();
        assert_eq!(held(nets, address), expected, "{nets:?} {address}");
    }

    #[test]
    fn networks_in_networks_and_twice_the_same_are_all_found() {
        let nets: Vec<IpNet> = ["10.0.0.0/8", "10.1.0.0/16", "10.1.0.0/16", "10.1.2.0/24", "0.0.0.0/0", "255.0.0.0/8"]
            .iter()
            .map(|net| net.parse().unwrap())
            .collect();
        for address in ["10.1.2.3", "10.1.3.0", "10.2.0.0", "9.255.255.255", "255.255.255.255", "0.0.0.0", "::1"] {
            check(&nets, address.parse().unwrap());
        }
        let nets: Vec<IpNet> =
            ["2001:db8::/32", "2001:db8:1::/48", "::/0"].iter().map(|net| net.parse().unwrap()).collect();
        for address in ["2001:db8:1::5", "2001:db9::", "::", "10.1.2.3"] {
            check(&nets, address.parse().unwrap());
        }
        assert!(held(&[], "10.0.0.1".parse().unwrap()).is_empty());
    }

    proptest! {
        #[test]
        fn the_same_networks_hold_an_address_as_when_each_is_asked(
            nets in proptest::collection::vec((any::<u32>(), 0_u8..=32), 0..60),
            addresses in proptest::collection::vec(any::<u32>(), 0..60),
        ) {
            // Few bits differ, so that networks lie in each other.
            let near = |bits: u32| IpAddr::from((bits & 0x0300_0707).to_be_bytes());
            let nets: Vec<IpNet> = nets.iter().map(|(bits, prefix)| IpNet::new(near(*bits), *prefix).unwrap().trunc()).collect();
            for bits in addresses {
                check(&nets, near(bits));
            }
        }
    }
}
