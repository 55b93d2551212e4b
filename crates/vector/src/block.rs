//! 64 bytes at once, as each tier sees them. Kernels are written over [`Block`] and made once for every tier.
//!
//! The methods are `inline(always)` and hold no check of the processor: a kernel calls them only inside a function that
//! enables the tier's instructions, and that function is called only where [`Tier`](crate::Tier) found them.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64 as arch;

/// 64 bytes.
///
/// # Safety
/// `load` needs 64 readable bytes at its address. Every method needs the instructions of its tier.
pub(crate) trait Block: Copy {
    /// # Safety
    /// 64 readable bytes, and the instructions of the tier.
    unsafe fn load(from: *const u8) -> Self;
    /// Bit `i` is set where byte `i` is `byte`.
    /// # Safety
    /// The instructions of the tier.
    unsafe fn equal(self, byte: u8) -> u64;
    /// Bytes below a blank: control characters.
    /// # Safety
    /// The instructions of the tier.
    unsafe fn control(self) -> u64;
    /// Bytes outside ASCII.
    /// # Safety
    /// The instructions of the tier.
    unsafe fn high(self) -> u64;
    /// Every byte with bit 5 set: letters in lower case.
    /// # Safety
    /// The instructions of the tier.
    unsafe fn lowered(self) -> Self;
    /// For each byte, `low[byte & 15] & high[byte >> 4]`.
    /// # Safety
    /// The instructions of the tier.
    unsafe fn classes(self, low: &[u8; 16], high: &[u8; 16]) -> Self;
    /// # Safety
    /// The instructions of the tier.
    unsafe fn and(self, other: Self) -> Self;
    /// Bytes that are not zero.
    /// # Safety
    /// The instructions of the tier.
    unsafe fn nonzero(self) -> u64;
    /// Bit `i` is the parity of the bits up to and with `i`.
    /// # Safety
    /// The instructions of the tier.
    unsafe fn parity(bits: u64) -> u64;
    /// Writes `base + i` for every set bit `i`, in order; may write up to 64 places, of which the count of bits is meant.
    /// # Safety
    /// 64 writable places at `to`, and the instructions of the tier.
    unsafe fn positions(bits: u64, base: u32, to: *mut u32);
}

/// Bytes, one after the other.
#[derive(Clone, Copy)]
pub(crate) struct Plain([u8; 64]);

impl Plain {
    fn mask(self, is: impl Fn(u8) -> bool) -> u64 {
        self.0.iter().enumerate().fold(0, |bits, (i, byte)| bits | u64::from(is(*byte)) << i)
    }

    fn map(self, of: impl Fn(u8) -> u8) -> Self {
        Self(self.0.map(of))
    }
}

impl Block for Plain {
    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        // SAFETY: the caller's promise; an array of bytes has no alignment.
        Self(unsafe { from.cast::<[u8; 64]>().read() })
    }

    unsafe fn equal(self, byte: u8) -> u64 {
        self.mask(|have| have == byte)
    }

    unsafe fn control(self) -> u64 {
        self.mask(|have| have < b' ')
    }

    unsafe fn high(self) -> u64 {
        self.mask(|have| !have.is_ascii())
    }

    unsafe fn lowered(self) -> Self {
        self.map(|byte| byte | 0x20)
    }

    unsafe fn classes(self, low: &[u8; 16], high: &[u8; 16]) -> Self {
        self.map(|byte| low[usize::from(byte & 15)] & high[usize::from(byte >> 4)])
    }

    unsafe fn and(mut self, other: Self) -> Self {
        for (byte, more) in self.0.iter_mut().zip(other.0) {
            *byte &= more;
        }
        self
    }

    unsafe fn nonzero(self) -> u64 {
        self.mask(|have| have != 0)
    }

    unsafe fn parity(bits: u64) -> u64 {
        [1, 2, 4, 8, 16, 32].into_iter().fold(bits, |bits, by| bits ^ bits << by)
    }

    unsafe fn positions(mut bits: u64, base: u32, mut to: *mut u32) {
        while bits != 0 {
            // SAFETY: at most 64 bits, and the caller gives 64 places.
            unsafe {
                *to = base + bits.trailing_zeros();
                to = to.add(1);
            }
            bits &= bits - 1;
        }
    }
}

/// Two vectors of 32 bytes.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(crate) struct Avx2(arch::__m256i, arch::__m256i);

// No closures below: a closure is a function of its own, without the instructions that its surroundings enable.

#[cfg(target_arch = "x86_64")]
impl Avx2 {
    #[inline(always)]
    unsafe fn bits(self) -> u64 {
        // SAFETY: the caller has AVX2.
        unsafe {
            let low = arch::_mm256_movemask_epi8(self.0).cast_unsigned();
            let high = arch::_mm256_movemask_epi8(self.1).cast_unsigned();
            u64::from(low) | u64::from(high) << 32
        }
    }

    #[inline(always)]
    unsafe fn class(half: arch::__m256i, low: arch::__m256i, high: arch::__m256i) -> arch::__m256i {
        // SAFETY: the caller has AVX2.
        unsafe {
            let nibble = arch::_mm256_set1_epi8(15);
            let lower = arch::_mm256_and_si256(half, nibble);
            let upper = arch::_mm256_and_si256(arch::_mm256_srli_epi16(half, 4), nibble);
            arch::_mm256_and_si256(arch::_mm256_shuffle_epi8(low, lower), arch::_mm256_shuffle_epi8(high, upper))
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[expect(clippy::cast_possible_wrap, reason = "intrinsics take bytes as signed")]
impl Block for Avx2 {
    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        // SAFETY: 64 readable bytes by the caller's promise; the loads need no alignment.
        unsafe { Self(arch::_mm256_loadu_si256(from.cast()), arch::_mm256_loadu_si256(from.add(32).cast())) }
    }

    #[inline(always)]
    unsafe fn equal(self, byte: u8) -> u64 {
        // SAFETY: the caller has AVX2.
        unsafe {
            let wanted = arch::_mm256_set1_epi8(byte as i8);
            Self(arch::_mm256_cmpeq_epi8(self.0, wanted), arch::_mm256_cmpeq_epi8(self.1, wanted)).bits()
        }
    }

    #[inline(always)]
    unsafe fn control(self) -> u64 {
        // SAFETY: the caller has AVX2.
        unsafe {
            let last = arch::_mm256_set1_epi8(0x1f);
            let low = arch::_mm256_cmpeq_epi8(arch::_mm256_min_epu8(self.0, last), self.0);
            let high = arch::_mm256_cmpeq_epi8(arch::_mm256_min_epu8(self.1, last), self.1);
            Self(low, high).bits()
        }
    }

    #[inline(always)]
    unsafe fn high(self) -> u64 {
        // SAFETY: the caller has AVX2.
        unsafe { self.bits() }
    }

    #[inline(always)]
    unsafe fn lowered(self) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe {
            let bit = arch::_mm256_set1_epi8(0x20);
            Self(arch::_mm256_or_si256(self.0, bit), arch::_mm256_or_si256(self.1, bit))
        }
    }

    #[inline(always)]
    unsafe fn classes(self, low: &[u8; 16], high: &[u8; 16]) -> Self {
        // SAFETY: the caller has AVX2; the tables are 16 bytes.
        unsafe {
            let low = arch::_mm256_broadcastsi128_si256(arch::_mm_loadu_si128(low.as_ptr().cast()));
            let high = arch::_mm256_broadcastsi128_si256(arch::_mm_loadu_si128(high.as_ptr().cast()));
            Self(Self::class(self.0, low, high), Self::class(self.1, low, high))
        }
    }

    #[inline(always)]
    unsafe fn and(self, other: Self) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe { Self(arch::_mm256_and_si256(self.0, other.0), arch::_mm256_and_si256(self.1, other.1)) }
    }

    #[inline(always)]
    unsafe fn nonzero(self) -> u64 {
        // SAFETY: the caller has AVX2.
        unsafe { !self.equal(0) }
    }

    #[inline(always)]
    unsafe fn parity(bits: u64) -> u64 {
        // SAFETY: the caller has PCLMULQDQ.
        unsafe { carryless(bits) }
    }

    #[inline(always)]
    unsafe fn positions(bits: u64, base: u32, to: *mut u32) {
        // SAFETY: the caller's promise.
        unsafe { Plain::positions(bits, base, to) }
    }
}

/// The parity of the bits up to each, by a product without carries.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn carryless(bits: u64) -> u64 {
    // SAFETY: the caller has PCLMULQDQ.
    unsafe {
        let ones = arch::_mm_set1_epi8(-1);
        let bits = arch::_mm_set_epi64x(0, bits.cast_signed());
        arch::_mm_cvtsi128_si64(arch::_mm_clmulepi64_si128(bits, ones, 0)).cast_unsigned()
    }
}

/// One vector of 64 bytes.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(crate) struct Avx512(arch::__m512i);

#[cfg(target_arch = "x86_64")]
impl Avx512 {
    /// Writes 16 numbers, each added to `base`.
    #[inline(always)]
    unsafe fn put(numbers: arch::__m128i, base: arch::__m512i, to: *mut u32) {
        // SAFETY: the caller has AVX-512F and gives 16 writable places.
        unsafe {
            let wide = arch::_mm512_add_epi32(arch::_mm512_cvtepu8_epi32(numbers), base);
            arch::_mm512_storeu_si512(to.cast(), wide);
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[expect(clippy::cast_possible_wrap, reason = "intrinsics take bytes as signed")]
impl Block for Avx512 {
    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        // SAFETY: 64 readable bytes by the caller's promise; the load needs no alignment.
        unsafe { Self(arch::_mm512_loadu_si512(from.cast())) }
    }

    #[inline(always)]
    unsafe fn equal(self, byte: u8) -> u64 {
        // SAFETY: the caller has AVX-512BW.
        unsafe { arch::_mm512_cmpeq_epi8_mask(self.0, arch::_mm512_set1_epi8(byte as i8)) }
    }

    #[inline(always)]
    unsafe fn control(self) -> u64 {
        // SAFETY: the caller has AVX-512BW.
        unsafe { arch::_mm512_cmplt_epu8_mask(self.0, arch::_mm512_set1_epi8(0x20)) }
    }

    #[inline(always)]
    unsafe fn high(self) -> u64 {
        // SAFETY: the caller has AVX-512BW.
        unsafe { arch::_mm512_movepi8_mask(self.0) }
    }

    #[inline(always)]
    unsafe fn lowered(self) -> Self {
        // SAFETY: the caller has AVX-512F.
        unsafe { Self(arch::_mm512_or_si512(self.0, arch::_mm512_set1_epi8(0x20))) }
    }

    #[inline(always)]
    unsafe fn classes(self, low: &[u8; 16], high: &[u8; 16]) -> Self {
        // SAFETY: the caller has AVX-512BW; the tables are 16 bytes.
        unsafe {
            let low = arch::_mm512_broadcast_i32x4(arch::_mm_loadu_si128(low.as_ptr().cast()));
            let high = arch::_mm512_broadcast_i32x4(arch::_mm_loadu_si128(high.as_ptr().cast()));
            let nibble = arch::_mm512_set1_epi8(15);
            let lower = arch::_mm512_and_si512(self.0, nibble);
            let upper = arch::_mm512_and_si512(arch::_mm512_srli_epi16(self.0, 4), nibble);
            Self(arch::_mm512_and_si512(arch::_mm512_shuffle_epi8(low, lower), arch::_mm512_shuffle_epi8(high, upper)))
        }
    }

    #[inline(always)]
    unsafe fn and(self, other: Self) -> Self {
        // SAFETY: the caller has AVX-512F.
        unsafe { Self(arch::_mm512_and_si512(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn nonzero(self) -> u64 {
        // SAFETY: the caller has AVX-512BW.
        unsafe { arch::_mm512_test_epi8_mask(self.0, self.0) }
    }

    #[inline(always)]
    unsafe fn parity(bits: u64) -> u64 {
        // SAFETY: the caller has PCLMULQDQ.
        unsafe { carryless(bits) }
    }

    #[inline(always)]
    unsafe fn positions(bits: u64, base: u32, to: *mut u32) {
        // SAFETY: the caller has AVX-512VBMI2 and gives 64 writable places: four stores of 16.
        unsafe {
            let index = arch::_mm512_set_epi64(
                0x3f3e_3d3c_3b3a_3938,
                0x3736_3534_3332_3130,
                0x2f2e_2d2c_2b2a_2928,
                0x2726_2524_2322_2120,
                0x1f1e_1d1c_1b1a_1918,
                0x1716_1514_1312_1110,
                0x0f0e_0d0c_0b0a_0908,
                0x0706_0504_0302_0100,
            );
            let set = arch::_mm512_maskz_compress_epi8(bits, index);
            let base = arch::_mm512_set1_epi32(base.cast_signed());
            Self::put(arch::_mm512_castsi512_si128(set), base, to);
            let count = bits.count_ones();
            if count > 16 {
                Self::put(arch::_mm512_extracti32x4_epi32(set, 1), base, to.add(16));
                if count > 32 {
                    Self::put(arch::_mm512_extracti32x4_epi32(set, 2), base, to.add(32));
                    Self::put(arch::_mm512_extracti32x4_epi32(set, 3), base, to.add(48));
                }
            }
        }
    }
}
