//! Up to 64 texts anywhere in a value, three bytes of each looked for with Teddy; shorter ones one by one.

use shieldops_vector::{Needle, Teddy, View};

use super::{Hits, Patience, Rarity};
use crate::engine::raw::rarity;

#[derive(Debug)]
pub(crate) struct Texts {
    teddy: Teddy,
    /// By bucket.
    buckets: [Vec<Text>; 8],
    /// One or two bytes long.
    tiny: Vec<(Needle, Hits)>,
    any: bool,
}

#[derive(Debug, Clone)]
struct Text {
    /// In lower case.
    bytes: Box<[u8]>,
    /// The three bytes, with bit 5 set.
    print: [u8; 3],
    /// Where in the text they stand.
    offset: usize,
    hits: Hits,
}

impl Texts {
    pub(crate) fn new(texts: Vec<(Vec<u8>, Hits)>, by: &impl Rarity) -> Self {
        let mut tiny = Vec::new();
        let mut all = Vec::new();
        for (bytes, hits) in texts {
            match best_print(&bytes, by) {
                Some((offset, print)) => all.push(Text { bytes: bytes.into(), print, offset, hits }),
                None => tiny.extend(Needle::new(&bytes, rarity).map(|needle| (needle, hits))),
            }
        }
        // Neighbours in order share bytes, so a bucket of them lets few strangers in.
        all.sort_by_key(|text| text.print);
        let per = all.len().div_ceil(8).max(1);
        let mut buckets: [Vec<Text>; 8] = Default::default();
        for (part, bucket) in all.chunks(per).zip(&mut buckets) {
            *bucket = part.to_vec();
        }
        let prints =
            buckets.iter().enumerate().flat_map(|(number, texts)| texts.iter().map(move |t| (t.print, number)));
        Self { teddy: Teddy::new(prints), any: !all.is_empty(), buckets, tiny }
    }

    #[inline]
    pub(crate) fn find(&self, value: View<'_>, hit: &mut impl FnMut(Hits)) {
        if self.any {
            let mut patience = Patience::with(value);
            self.teddy.scan(value, |at, buckets| self.check(value.bytes(), (at, buckets), &mut patience, hit));
            if patience.is_lost() {
                self.buckets.iter().flatten().for_each(|text| hit(text.hits));
            }
        }
        for (needle, hits) in &self.tiny {
            if needle.find(value, 0, |_| true).is_some() {
                hit(*hits);
            }
        }
    }

    #[inline(never)]
    fn check(&self, value: &[u8], (at, buckets): (usize, u8), patience: &mut Patience, hit: &mut impl FnMut(Hits)) {
        let Some(three) = value.get(at..).and_then(<[u8]>::first_chunk::<3>) else { return };
        let print = three.map(|byte| byte | 0x20);
        for (number, texts) in self.buckets.iter().enumerate() {
            if buckets >> number & 1 == 0 {
                continue;
            }
            for text in texts.iter().filter(|text| text.print == print) {
                if !patience.compares(text.bytes.len(), text.hits) {
                    return;
                }
                if stands(value, at, text.offset, &text.bytes) {
                    hit(text.hits);
                }
            }
        }
    }

    pub(crate) fn each_list(&self, visit: &mut impl FnMut(Hits)) {
        self.buckets.iter().flatten().for_each(|text| visit(text.hits));
        self.tiny.iter().for_each(|(_, hits)| visit(*hits));
    }

    pub(crate) fn size(&self) -> usize {
        let texts = self.buckets.iter().flatten().map(|text| size_of::<Text>().saturating_add(text.bytes.len()));
        texts.sum::<usize>().saturating_add(size_of::<Self>())
    }
}

/// Whether a text stands where its part at `offset` was found at `at`.
#[inline]
pub(super) fn stands(value: &[u8], at: usize, offset: usize, text: &[u8]) -> bool {
    let Some(start) = at.checked_sub(offset) else { return false };
    value.get(start..start.saturating_add(text.len())).is_some_and(|have| have.eq_ignore_ascii_case(text))
}

/// The rarest three bytes of a text and where they stand.
fn best_print(text: &[u8], by: &impl Rarity) -> Option<(usize, [u8; 3])> {
    let prints = text.windows(3).enumerate().filter_map(|(at, three)| {
        let print = three.first_chunk::<3>()?.map(|byte| byte | 0x20);
        Some((at, print))
    });
    prints.min_by_key(|(_, print)| by.of(print))
}
