//! Who holds already what the tenant's settings hold apart. Pairs are checked where something is given; what was given before
//! a pair was set stays, and whoever sets it is told of it here.

use serde::Serialize;
use shieldops_model::Timestamp;
use shieldops_store::{
    Access, PageRequest, api_keys,
    people::{self, User},
};
use utoipa::ToSchema;

use crate::{
    IdentityError,
    bounds::separate,
    permission::{Permission, Permissions},
    roles,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HolderKind {
    Member,
    Key,
}

/// A member or key that holds both of a pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct HeldTogether {
    pub kind: HolderKind,
    /// `usr_…` or `key_…`.
    pub id: String,
    pub name: String,
    /// The first such pair.
    pub pair: [String; 2],
}

/// Members and keys in force that hold both of one of these pairs; of each kind only what `reads` lets the caller see.
pub async fn held_together(
    access: &mut impl Access,
    pairs: &[[String; 2]],
    reads: Permissions,
    now: Timestamp,
) -> Result<Vec<HeldTogether>, IdentityError> {
    let mut found = Vec::new();
    if pairs.is_empty() {
        return Ok(found);
    }
    if reads.contains(Permission::UserRead) {
        members(access, pairs, &mut found).await?;
    }
    if reads.contains(Permission::KeyRead) {
        keys(access, pairs, now, &mut found).await?;
    }
    Ok(found)
}

async fn members(
    access: &mut impl Access,
    pairs: &[[String; 2]],
    found: &mut Vec<HeldTogether>,
) -> Result<(), IdentityError> {
    for User { id, name, role, .. } in people::users(access).await? {
        let holds = match roles::find(access, &role).await {
            Ok(given) => given.holds,
            // A role that is gone gives nothing.
            Err(IdentityError::UnknownRole(_)) => continue,
            Err(other) => return Err(other),
        };
        let held = broken(pairs, holds);
        found.extend(held.map(|pair| HeldTogether { kind: HolderKind::Member, id: id.to_string(), name, pair }));
    }
    Ok(())
}

async fn keys(
    access: &mut impl Access,
    pairs: &[[String; 2]],
    now: Timestamp,
    found: &mut Vec<HeldTogether>,
) -> Result<(), IdentityError> {
    let mut page = PageRequest { limit: Some(200), cursor: None };
    loop {
        let next = api_keys::list(access, &page, now).await?;
        let in_force = |key: &api_keys::ApiKey| key.revoked_at.is_none() && key.expires_at.is_none_or(|at| at > now);
        for key in next.items.into_iter().filter(in_force) {
            let held = broken(pairs, Permissions::known(&key.permissions));
            let (id, name) = (key.id.to_string(), key.name);
            found.extend(held.map(|pair| HeldTogether { kind: HolderKind::Key, id, name, pair }));
        }
        page.cursor = next.next_cursor;
        if page.cursor.is_none() {
            return Ok(());
        }
    }
}

fn broken(pairs: &[[String; 2]], holds: Permissions) -> Option<[String; 2]> {
    match separate(pairs, holds) {
        Err(IdentityError::SeparationOfDuty(one, other)) => Some([one, other]),
        _ => None,
    }
}
