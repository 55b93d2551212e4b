//! One installation in a temporary directory, with a clock that stands.

use std::{sync::Arc, time::Duration};

use shieldops_identity::{
    Backoff, Door, IdentityError, Origin, Passkeys, Permission, Rights, SignIn, SignedIn, TICKET_FOR, boot, people,
    sessions,
};
use shieldops_model::{FixedClock, TenantId, Timestamp, UserId, tenant::SettingsBase};
use shieldops_store::{
    Job, Options, Principal, Store, TenantScope,
    ledger::verify_directory,
    tenants::{self, NewTenant, Tenant},
};

pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const HOME: &str = "192.0.2.1";
pub(crate) const URL: &str = "https://shieldops.example.org";

pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) clock: FixedClock,
    pub(crate) store: Store,
    pub(crate) backoff: Backoff,
    pub(crate) base: SettingsBase,
    pub(crate) passkeys: Passkeys,
}

/// Somebody at work: a session, and what it may do.
pub(crate) struct At {
    pub(crate) principal: Principal,
    pub(crate) scope: TenantScope,
    pub(crate) rights: Rights,
}

pub(crate) fn from(address: &str) -> Origin {
    Origin { addr: Some(address.to_owned()), agent: Some("Test/1.0\u{7}".to_owned()) }
}

pub(crate) async fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let clock = FixedClock::at(Timestamp::from_secs(1_790_000_000));
    let options = Options { data_dir: dir.path().to_owned(), demo: false, ..Options::default() };
    let store = Store::open(&options, Arc::new(clock.clone())).await.unwrap();
    let (backoff, base) = (Backoff::default(), SettingsBase::default());
    World { dir, clock, store, backoff, base, passkeys: Passkeys::new(URL).unwrap() }
}

impl World {
    pub(crate) fn door(&self) -> Door<'_> {
        Door { store: &self.store, backoff: &self.backoff, base: &self.base, passkeys: Some(&self.passkeys) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.store.clock().now()
    }

    pub(crate) async fn first(&self) -> TenantId {
        self.store.first().await.unwrap().id
    }

    pub(crate) async fn scope(&self) -> TenantScope {
        self.store.job(self.first().await, Job::Cli).unwrap()
    }

    pub(crate) async fn person(&self, name: &str, role: &str) -> UserId {
        self.person_of(self.first().await, name, role).await
    }

    pub(crate) async fn person_of(&self, tenant: TenantId, name: &str, role: &str) -> UserId {
        let scope = self.store.job(tenant, Job::Cli).unwrap();
        let made = people::create(&scope, &Rights::of_host(), name, role, Some(PASSWORD.into())).await;
        made.unwrap().id
    }

    pub(crate) async fn link(&self) -> Option<String> {
        let link = boot::admin_link(&self.store, self.first().await).await.unwrap();
        link.map(|secret| secret.expose().to_owned())
    }

    pub(crate) async fn claim(&self, link: &str, password: &str) -> Result<SignedIn, IdentityError> {
        boot::claim(&self.door(), link, password.to_owned(), &from(HOME)).await
    }

    pub(crate) async fn try_sign_in(&self, name: &str, password: &str, at: &str) -> Result<SignIn, IdentityError> {
        sessions::sign_in(&self.door(), name, password.to_owned(), &from(at)).await
    }

    /// A sign-in that needs no more than the password.
    pub(crate) async fn sign_in(&self, name: &str, password: &str, at: &str) -> Result<SignedIn, IdentityError> {
        match self.try_sign_in(name, password, at).await? {
            SignIn::Done(signed_in) => Ok(signed_in),
            SignIn::SecondFactor(_) => Err(IdentityError::SecondFactorRequired),
        }
    }

    pub(crate) async fn authenticate(&self, secret: &str) -> Option<Principal> {
        sessions::authenticate(&self.store, secret, None).await.unwrap()
    }

    /// The caller behind a secret, in the tenant of this slug.
    pub(crate) async fn at(&self, secret: &str, slug: Option<&str>) -> At {
        let principal = sessions::authenticate(&self.store, secret, slug).await.unwrap().unwrap();
        let scope = self.store.scope(&principal).unwrap();
        let rights = Rights::load(&scope, &principal).await.unwrap();
        At { principal, scope, rights }
    }

    /// Signs in, where no second factor is asked for.
    pub(crate) async fn as_person(&self, name: &str) -> At {
        let signed_in = self.sign_in(name, PASSWORD, HOME).await.unwrap();
        self.at(signed_in.secret.expose(), None).await
    }

    /// A tenant that is younger than the first.
    pub(crate) async fn tenant(&self, slug: &str, parent: Option<TenantId>) -> Tenant {
        self.clock.advance(Duration::from_secs(1));
        let mut tx = self.store.job(TenantId::INSTALLATION, Job::Cli).unwrap().begin().await.unwrap();
        let wanted = NewTenant { slug: slug.into(), name: slug.to_uppercase(), parent, demo: false };
        let tenant = tenants::create(&mut tx, &wanted, self.now()).await.unwrap();
        tx.commit(self.now()).await.unwrap();
        self.store.deliver_notices(self.now()).await.unwrap();
        tenant
    }

    pub(crate) async fn verified(&self) {
        assert!(verify_directory(self.dir.path(), &[]).await.unwrap().ok);
    }

    pub(crate) fn after_a_ticket(&self) {
        self.clock.advance(TICKET_FOR);
    }
}

pub(crate) fn may(at: &At, permission: Permission) -> bool {
    shieldops_identity::authorise(&at.rights, permission, None).allowed
}
