//! Credentials made in the data directory itself, so that the first one needs none, and a lone administrator is not lost.

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use clap::Args;
use shieldops_identity::{CredentialKind, Rights, api_keys, api_keys::NewKey, boot};
use shieldops_model::{SystemClock, UserId};
use shieldops_store::{Job, Options, Store, TenantScope};

use super::{
    Outcome, PlaceArgs, block_on, settings,
    token::{Kind, TokenArgs},
};
use crate::{
    ask,
    client::{Connection, ServerArgs},
    output::{self, Failure},
    profile::Profiles,
};

/// The data directory itself, or a server.
#[derive(Debug, Args)]
pub(super) struct WhereArgs {
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

impl WhereArgs {
    /// The server to ask; nothing when the data directory is meant: it is named, or there is no token to ask with.
    pub(super) fn server(&self) -> Result<Option<Connection>, Failure> {
        if self.place.data_dir.is_some() || self.place.config.is_some() {
            return Ok(None);
        }
        let connection = Connection::resolve(&self.server, &Profiles::load()?)?;
        Ok(connection.token.is_some().then_some(connection))
    }

    fn options(&self) -> Result<Options, Failure> {
        Ok(settings(&self.place.flags())?.store(false))
    }
}

#[derive(Debug, Args)]
pub(super) struct UserArgs {
    #[command(flatten)]
    pub(super) place: WhereArgs,
    /// Login name or e-mail address.
    #[arg(long)]
    pub(super) name: String,
    /// admin, operator, analyst, auditor, viewer, or a role of the tenant.
    #[arg(long)]
    pub(super) role: String,
}

#[derive(Debug, Args)]
pub(super) struct ResetArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// The login name.
    name: String,
    /// Take the second factors away, too: for a device that is lost.
    #[arg(long)]
    drop_factors: bool,
}

const DAY: Duration = Duration::from_hours(24);

/// Makes a token in the data directory and prints it, alone.
pub(super) fn create_token(args: &TokenArgs) -> Outcome {
    let options = args.place.options()?;
    let secret = block_on(async {
        let (store, scope) = open(&options, args.place.server.tenant.as_deref()).await?;
        let secret = match args.kind {
            Kind::Ingest => {
                let user = match &args.user {
                    Some(name) => Some(owner(&store, &scope, Some(name)).await?),
                    None => None,
                };
                token(&scope, CredentialKind::Ingest, args, user).await?
            }
            Kind::Personal => {
                let user = owner(&store, &scope, args.user.as_deref()).await?;
                token(&scope, CredentialKind::Personal, args, Some(user)).await?
            }
            Kind::Operator => {
                let user = owner(&store, &scope, args.user.as_deref()).await?;
                boot::make_operator(&store, user).await?;
                token(&scope, CredentialKind::Personal, args, Some(user)).await?
            }
            Kind::Key => {
                let wanted = NewKey {
                    name: args.name.clone(),
                    permissions: args.permissions.clone(),
                    routes: Vec::new(),
                    addresses: Vec::new(),
                    rate_per_s: None,
                    expires_at: None,
                };
                api_keys::create(&scope, &Rights::of_host(), wanted).await?.1
            }
        };
        store.close().await;
        Ok(secret)
    })?;
    output::line(secret.expose())?;
    Ok(ExitCode::SUCCESS)
}

async fn token(
    scope: &TenantScope,
    kind: CredentialKind,
    args: &TokenArgs,
    user: Option<UserId>,
) -> anyhow::Result<shieldops_identity::Secret> {
    // Whoever has the data directory is held to no maximum.
    let lasts = args.days.map(|days| DAY.saturating_mul(days));
    Ok(shieldops_identity::create_token(scope, kind, &args.name, user, args.source.clone(), lasts).await?.1)
}

/// Makes an account in the data directory and prints its id.
pub(super) fn create_user(args: &UserArgs) -> Outcome {
    let options = args.place.options()?;
    let password = ask::secret("password")?;
    let user = block_on(async {
        let (store, scope) = open(&options, args.place.server.tenant.as_deref()).await?;
        let rights = Rights::of_host();
        let user = shieldops_identity::people::create(&scope, &rights, &args.name, &args.role, Some(password)).await?;
        store.close().await;
        Ok(user)
    })?;
    output::line(&user.id.to_string())?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn reset_password(args: &ResetArgs) -> Outcome {
    let options = settings(&args.place.flags())?.store(false);
    let password = ask::new_password()?;
    block_on(async {
        let store = Store::open(&options, Arc::new(SystemClock)).await?;
        let done = boot::reset_password(&store, &args.name, password, args.drop_factors).await;
        store.close().await;
        done.with_context(|| format!("the password of `{}` cannot be set", args.name))
    })?;
    output::line(&format!("the password of {} is set; every session and personal token of theirs ended", args.name))?;
    Ok(ExitCode::SUCCESS)
}

/// The store, and the tenant of this slug or the first one.
async fn open(options: &Options, slug: Option<&str>) -> anyhow::Result<(Store, TenantScope)> {
    let store = Store::open(options, Arc::new(SystemClock)).await?;
    let tenant = match slug {
        None => store.first().await?,
        Some(slug) => {
            let known = store.tenant_by_slug(slug).await?;
            known.with_context(|| {
                format!("there is no tenant `{slug}`: make it with `shieldops tenant create {slug}`")
            })?
        }
    };
    let scope = store.job(tenant.id, Job::Cli)?;
    Ok((store, scope))
}

async fn owner(store: &Store, scope: &TenantScope, name: Option<&str>) -> anyhow::Result<UserId> {
    let tenant = scope.tenant();
    let Some(name) = name else { return Ok(boot::ensure_admin(store, tenant).await?.id) };
    let known = store.find_login(tenant, name).await?;
    let Some((user, _)) = known else { bail!("there is no user `{name}`: make it with `shieldops user create`") };
    Ok(user.id)
}
