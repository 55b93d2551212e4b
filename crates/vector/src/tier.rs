//! Which instructions this processor has, asked once.

use std::sync::OnceLock;

/// What the kernels are made for. The greatest that the processor has is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Byte by byte: every machine, and the twin that the others are tested against.
    Scalar,
    /// 32 bytes at a time.
    Avx2,
    /// 64 bytes at a time, with bit masks and compression of bytes.
    Avx512,
}

impl Tier {
    /// The best that this processor has.
    #[inline]
    pub fn best() -> Self {
        static BEST: OnceLock<Tier> = OnceLock::new();
        *BEST.get_or_init(Self::detect)
    }

    /// Every tier that runs here, the scalar one first: what a test goes through.
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::Scalar, Self::Avx2, Self::Avx512].into_iter().filter(|tier| *tier <= Self::best())
    }

    /// This tier, or the best one below it that the processor has.
    #[inline]
    #[must_use]
    pub fn available(self) -> Self {
        self.min(Self::best())
    }

    #[cfg(target_arch = "x86_64")]
    fn detect() -> Self {
        let bits = is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("popcnt")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("pclmulqdq")
            && is_x86_feature_detected!("avx2");
        let wide = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vbmi2");
        match (bits, wide) {
            (true, true) => Self::Avx512,
            (true, false) => Self::Avx2,
            (false, _) => Self::Scalar,
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn detect() -> Self {
        Self::Scalar
    }
}
