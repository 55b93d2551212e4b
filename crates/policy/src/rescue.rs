//! The inverse of an action, sealed before the action is done: what an undo needs when neither the server nor the
//! database is there. Only what was sealed with the tenant's key makes a permit.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shieldops_model::{ActionId, Target, TenantId, Timestamp};
use shieldops_seal::DataKey;

use crate::Permit;

const VERSION: u8 = 1;
const TABLE: &str = "rescue";

/// How an action is taken back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inverse {
    pub tenant: TenantId,
    pub action: ActionId,
    /// Effects carry it, so that another installation's are told apart.
    pub installation: String,
    pub plan_hash: String,
    pub capability: String,
    /// With the key of its SSH way: whoever undoes has no database to read it from.
    #[serde(with = "shieldops_model::ssh::keyed")]
    pub target: Target,
    pub params: Value,
    /// Actions with one key share an effect.
    pub state_key: String,
    /// The state that the action leaves.
    pub left: Value,
    /// The state before the first action that wanted it.
    pub restore: Value,
    pub at: Timestamp,
}

/// Why a record is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RescueError {
    #[error("it is not a rescue record of this version")]
    Shape,
    #[error("it was not sealed with this tenant's key, or was changed")]
    NotAuthentic,
    #[error("it cannot be written: {0}")]
    Write(String),
}

/// A record that was sealed by us.
#[derive(Debug)]
pub struct Rescue(Inverse);

fn aad(tenant: TenantId) -> [u8; 17] {
    let mut bound = [VERSION; 17];
    bound[1..].copy_from_slice(&tenant.to_bytes());
    bound
}

impl Inverse {
    /// Version, tenant, and the sealed rest.
    pub fn seal(&self, key: &DataKey) -> Result<Vec<u8>, RescueError> {
        let plain = serde_json::to_vec(self).map_err(|error| RescueError::Write(error.to_string()))?;
        let mut out = aad(self.tenant).to_vec();
        out.extend(key.row_key(TABLE).seal(&aad(self.tenant), &plain, &mut rand::rng()));
        Ok(out)
    }
}

impl Rescue {
    /// Whose key opens it.
    pub fn tenant(record: &[u8]) -> Result<TenantId, RescueError> {
        match record.split_first_chunk::<17>() {
            Some(([VERSION, tenant @ ..], _)) => Ok(TenantId::from_bytes(*tenant)),
            _ => Err(RescueError::Shape),
        }
    }

    pub fn open(record: &[u8], key: &DataKey) -> Result<Self, RescueError> {
        let tenant = Self::tenant(record)?;
        let sealed = record.get(17..).ok_or(RescueError::Shape)?;
        let plain = key.row_key(TABLE).open(&aad(tenant), sealed).map_err(|_forged| RescueError::NotAuthentic)?;
        let inverse: Inverse = serde_json::from_slice(&plain).map_err(|_odd| RescueError::Shape)?;
        if inverse.tenant != tenant {
            return Err(RescueError::NotAuthentic);
        }
        Ok(Self(inverse))
    }

    pub fn inverse(&self) -> &Inverse {
        &self.0
    }

    /// Leave to go from the state that the action left back to the one before it, once.
    pub fn permit(self, nonce: [u8; 16]) -> (Permit, Inverse) {
        let permit = Permit::rescue(&self.0, nonce);
        (permit, self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;
    use shieldops_model::{Criticality, Environment, Id, TargetKind};

    use super::*;

    fn inverse() -> Inverse {
        let target = Target {
            id: Id::from_bits(7),
            kind: TargetKind::LinuxHost,
            name: "sim/a".to_owned(),
            host: None,
            environment: Environment::Production,
            criticality: Criticality::Medium,
            labels: BTreeMap::new(),
            owner: None,
            simulated: true,
            realm: None,
            node: None,
            ssh: None,
            protected: false,
            demo: false,
            created_at: Timestamp::from_secs(0),
            version: 1,
        };
        Inverse {
            tenant: Id::from_bits(1),
            action: Id::from_bits(2),
            installation: "test".to_owned(),
            plan_hash: "ab".to_owned(),
            capability: "linux.block_ip".to_owned(),
            target,
            params: json!({"address": "203.0.113.66"}),
            state_key: "k".to_owned(),
            left: json!({"blocked": true}),
            restore: json!({"blocked": false}),
            at: Timestamp::from_secs(1),
        }
    }

    #[test]
    fn a_record_opens_with_its_tenants_key_only_and_only_unchanged() {
        let (key, other) = (DataKey::generate(&mut rand::rng()), DataKey::generate(&mut rand::rng()));
        let record = inverse().seal(&key).unwrap();
        assert_eq!(Rescue::open(&record, &key).unwrap().inverse(), &inverse());
        assert_eq!(Rescue::open(&record, &other).unwrap_err(), RescueError::NotAuthentic);
        for place in 0..record.len() {
            let mut bad = record.clone();
            bad[place] ^= 1;
            assert!(Rescue::open(&bad, &key).is_err(), "byte {place}");
        }
        assert_eq!(Rescue::open(&record[..10], &key).unwrap_err(), RescueError::Shape);
    }

    #[test]
    fn its_permit_fits_its_target_and_the_state_that_the_action_left() {
        let key = DataKey::generate(&mut rand::rng());
        let opened = || Rescue::open(&inverse().seal(&key).unwrap(), &key).unwrap();
        let (permit, inverse) = opened().permit([0; 16]);
        assert!(permit.fitting(inverse.target.id, &inverse.left).is_ok());
        assert!(opened().permit([0; 16]).0.fitting(inverse.target.id, &inverse.restore).is_err());
        assert!(opened().permit([0; 16]).0.fitting(Id::from_bits(8), &inverse.left).is_err());
    }
}
