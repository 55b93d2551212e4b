//! How many live connections a principal and a tenant hold at once, so that none takes all that the server has.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use shieldops_model::{Code, TenantId};

use crate::Problem;

const OF_A_PRINCIPAL: usize = 32;
const OF_A_TENANT: usize = 256;

/// Who holds connections: a principal in a tenant, or the tenant as a whole.
type Holder = (TenantId, Option<String>);

/// The live connections of this process.
#[derive(Debug, Clone, Default)]
pub struct Sockets(Arc<Mutex<HashMap<Holder, usize>>>);

/// A connection that counts until it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    sockets: Sockets,
    holders: [Holder; 2],
}

impl Sockets {
    /// # Errors
    /// `rate_limited` when the principal or its tenant holds too many.
    pub(super) fn sit(&self, tenant: TenantId, who: &str) -> Result<Seat, Problem> {
        let holders = [(tenant, Some(who.to_owned())), (tenant, None)];
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (holder, most) in holders.iter().zip([OF_A_PRINCIPAL, OF_A_TENANT]) {
            if open.get(holder).is_some_and(|held| *held >= most) {
                let detail = format!("{most} live connections are open already: close one first");
                return Err(Problem { retry_after_s: Some(5), ..Problem::new(Code::RATE_LIMITED, detail) });
            }
        }
        for holder in &holders {
            *open.entry(holder.clone()).or_default() += 1;
        }
        Ok(Seat { sockets: self.clone(), holders })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.sockets.0.lock().unwrap_or_else(PoisonError::into_inner);
        for holder in &self.holders {
            if let Some(held) = open.get_mut(holder) {
                *held -= 1;
                if *held == 0 {
                    open.remove(holder);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_holds_so_many_and_leaves_the_others_theirs() {
        let (sockets, tenant) = (Sockets::default(), TenantId::from_bits(1));
        let mut held: Vec<_> = (0..OF_A_PRINCIPAL).map(|_| sockets.sit(tenant, "ada").unwrap()).collect();
        assert_eq!(sockets.sit(tenant, "ada").unwrap_err().status, 429);
        assert!(sockets.sit(tenant, "bob").is_ok());
        held.pop();
        assert!(sockets.sit(tenant, "ada").is_ok());
        held.clear();
        assert!(sockets.0.lock().unwrap().is_empty());
    }

    #[test]
    fn a_tenant_holds_so_many_and_another_has_its_own() {
        let (sockets, tenant) = (Sockets::default(), TenantId::from_bits(1));
        let sit = |number: usize| sockets.sit(tenant, &(number / 8).to_string());
        let _held: Vec<_> = (0..OF_A_TENANT).map(|number| sit(number).unwrap()).collect();
        assert!(sit(OF_A_TENANT).is_err());
        assert!(sockets.sit(TenantId::from_bits(2), "ada").is_ok());
    }
}
