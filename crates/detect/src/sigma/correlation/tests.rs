//! Correlations are read as they are written, linked to what they mean, and refused with a place and a reason.
