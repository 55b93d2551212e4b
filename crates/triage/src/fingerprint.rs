//! The fingerprint that makes matches one alert. Its bytes are on disk and in keys: the encoding is final.

use sha2::{Digest, Sha256};
use shieldops_model::{Entity, TenantId};

/// Names what is hashed, so that no other hash of ours can be equal by construction.
const DOMAIN: &[u8] = b"shieldops/alert-fingerprint/1";

/// SHA-256 over the domain, the tenant's 16 bytes, the rule id and the sorted, distinct grouping entities. Each text is
/// preceded by its length in bytes (u64, big endian) and the entities by their number, so no two inputs share an encoding.
pub fn fingerprint(tenant: TenantId, rule_id: &str, grouping: &[Entity]) -> [u8; 32] {
    let mut sorted: Vec<&Entity> = grouping.iter().collect();
    sorted.sort();
    sorted.dedup();
    let mut hash = Sha256::new();
    hash.update(DOMAIN);
    hash.update(tenant.to_bytes());
    text(&mut hash, rule_id);
    length(&mut hash, sorted.len());
    for entity in sorted {
        text(&mut hash, entity.kind.as_str());
        text(&mut hash, &entity.value);
    }
    hash.finalize().into()
}

fn text(hash: &mut Sha256, text: &str) {
    length(hash, text.len());
    hash.update(text);
}

fn length(hash: &mut Sha256, length: usize) {
    hash.update(u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shieldops_model::EntityKind;

    use super::*;

    const TENANT: TenantId = TenantId::from_bits(0x0190_0000_0000_7000_8000_0000_0000_0001);

    fn entity(kind: EntityKind, value: &str) -> Entity {
        Entity::new(kind, value)
    }

    /// On disk: a change of these bytes would make every open window start again.
    #[test]
    fn the_encoding_stays_as_it_was_written_to_disk() {
        let grouping = [entity(EntityKind::Ip, "203.0.113.66"), entity(EntityKind::Host, "web-01")];
        assert_eq!(
            hex::encode(fingerprint(TENANT, "a-rule", &grouping)),
            "6c90673f87d5af9ce90c823a4a69a622349b51ca8a3e593de505fe129ba4ea09"
        );
        assert_eq!(
            hex::encode(fingerprint(TENANT, "", &[])),
            "363b07743c1405483e50fd8467a2ed5ff4abe94c720a2bbac612cf27390e37a1"
        );
    }

    #[test]
    fn moving_a_character_between_fields_changes_the_fingerprint() {
        let of = |rule: &str, grouping: &[Entity]| fingerprint(TENANT, rule, grouping);
        let [one, two] = [entity(EntityKind::User, "ab"), entity(EntityKind::User, "c")];
        assert_ne!(
            of("r", &[one.clone(), two.clone()]),
            of("r", &[entity(EntityKind::User, "a"), entity(EntityKind::User, "bc")])
        );
        assert_ne!(of("r", &[one.clone(), two]), of("r", &[entity(EntityKind::User, "abc")]));
        assert_ne!(of("r", std::slice::from_ref(&one)), of("r", &[entity(EntityKind::Host, "ab")]));
        assert_ne!(of("ra", &[]), of("r", &[]));
        assert_ne!(fingerprint(TenantId::from_bits(2), "r", std::slice::from_ref(&one)), of("r", &[one]));
    }

    proptest! {
        #[test]
        fn order_and_repeats_of_the_entities_do_not_matter(mut values in prop::collection::vec("[a-c]{0,3}", 0..6)) {
            let of = |values: &[String]| {
                fingerprint(TENANT, "r", &values.iter().map(|value| entity(EntityKind::User, value)).collect::<Vec<_>>())
            };
            let before = of(&values);
            values.reverse();
            values.extend(values.clone());
            prop_assert_eq!(before, of(&values));
        }
    }
}
