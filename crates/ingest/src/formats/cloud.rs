//! Audit logs of clouds and identity providers as JSON: which log an event is of, and who did what from where.
//!
//! Told by the names at the top of the object, never by the sender's word. Rules read the record as the service writes it:
//! what an event bus wraps around it is taken away.

mod aws;
mod azure;
mod gcp;
mod kubernetes;
mod okta;
mod told;

use std::borrow::Cow;

use serde_json::Value;
use shieldops_model::LogSource;

pub(crate) use self::told::Told;
use super::{
    flat::{json_text, members},
    shape::{Name, Shape},
};

/// A log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    CloudTrail,
    AzureActivity,
    EntraAudit,
    EntraSignIn,
    EntraRisk,
    Gcp,
    WorkspaceAdmin,
    WorkspaceLogin,
    Workspace,
    Kubernetes,
    Okta,
    M365,
    M365Exchange,
    M365Threats,
}

impl Service {
    /// What the source is called where the sender gives no name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::CloudTrail => "cloudtrail",
            Self::AzureActivity => "azure-activity",
            Self::EntraAudit => "entra-audit",
            Self::EntraSignIn => "entra-signin",
            Self::EntraRisk => "entra-risk",
            Self::Gcp => "gcp-audit",
            Self::WorkspaceAdmin | Self::WorkspaceLogin | Self::Workspace => "google-workspace",
            Self::Kubernetes => "kubernetes-audit",
            Self::Okta => "okta",
            Self::M365 | Self::M365Exchange | Self::M365Threats => "m365",
        }
    }

    /// Product and service as public rules name them.
    pub(crate) fn log_source(self) -> LogSource {
        let (product, service) = match self {
            Self::CloudTrail => ("aws", "cloudtrail"),
            Self::AzureActivity => ("azure", "activitylogs"),
            Self::EntraAudit => ("azure", "auditlogs"),
            Self::EntraSignIn => ("azure", "signinlogs"),
            Self::EntraRisk => ("azure", "riskdetection"),
            Self::Gcp => ("gcp", "gcp.audit"),
            Self::WorkspaceAdmin => ("gcp", "google_workspace.admin"),
            Self::WorkspaceLogin => ("gcp", "google_workspace.login"),
            Self::Workspace => ("gcp", "google_workspace"),
            Self::Kubernetes => ("kubernetes", "audit"),
            Self::Okta => ("okta", "okta"),
            Self::M365 => ("m365", "audit"),
            Self::M365Exchange => ("m365", "exchange"),
            Self::M365Threats => ("m365", "threat_management"),
        };
        let categories = if self == Self::Kubernetes { vec!["application".to_owned()] } else { Vec::new() };
        LogSource { product: Some(product.to_owned()), categories, service: Some(service.to_owned()) }
    }

    /// `product` of a data set of Elastic's integrations.
    fn of_dataset(name: &str) -> Option<Self> {
        Some(match name {
            "aws.cloudtrail" => Self::CloudTrail,
            "azure.activitylogs" => Self::AzureActivity,
            "azure.auditlogs" => Self::EntraAudit,
            "azure.signinlogs" => Self::EntraSignIn,
            "azure.identity_protection" => Self::EntraRisk,
            "gcp.audit" => Self::Gcp,
            "google_workspace.admin" => Self::WorkspaceAdmin,
            "google_workspace.login" => Self::WorkspaceLogin,
            "kubernetes.audit_logs" => Self::Kubernetes,
            "okta.system" => Self::Okta,
            "o365.audit" => Self::M365,
            _ => return None,
        })
    }
}

/// The log that an object is of, if it is of one of these.
pub(crate) fn of(shape: &Shape<'_>) -> Option<Service> {
    own(shape).or_else(|| bus(shape)).or_else(|| dataset(shape)).or_else(|| ocsf(shape))
}

/// Objects as the services write them.
fn own(shape: &Shape<'_>) -> Option<Service> {
    let has = |names: &[&'static str]| shape.keys(names);
    if has(&["eventSource", "eventName"]) && (has(&["awsRegion"]) || has(&["userIdentity"])) {
        return Some(Service::CloudTrail);
    }
    if has(&["auditID", "verb"]) && shape.text(Name::Key("apiVersion"))?.starts_with("audit.k8s.io/") {
        return Some(Service::Kubernetes);
    }
    if let Some(payload) = shape.key("protoPayload") {
        return gcp::service(shape, payload);
    }
    if has(&["eventType", "actor", "outcome", "uuid"]) {
        return Some(Service::Okta);
    }
    if shape.text(Name::Key("kind")).is_some_and(|kind| kind == "admin#reports#activity") {
        return Some(gcp::report(shape));
    }
    if has(&["Operation", "Workload", "OrganizationId"]) {
        let workload = shape.text(Name::Key("Workload"));
        return Some(match workload.as_deref() {
            Some("Exchange") => Service::M365Exchange,
            Some("SecurityComplianceCenter" | "AirInvestigation") => Service::M365Threats,
            _ => Service::M365,
        });
    }
    azure::service(shape)
}

/// What an event bus or a diagnostic setting wraps whole.
fn bus(shape: &Shape<'_>) -> Option<Service> {
    let inner = unwrapped(shape)?;
    own(&Shape::read(&inner).ok()?)
}

/// The record inside an event of EventBridge, or the line of the API server in a log of AKS.
fn unwrapped<'a>(shape: &Shape<'a>) -> Option<Cow<'a, str>> {
    if shape.key("detail-type").is_some() {
        return shape.key("detail").filter(|detail| detail.starts_with('{')).map(Cow::Borrowed);
    }
    let category = shape.text(Name::Key("category"))?;
    let properties = shape.key("properties").filter(|_| category.starts_with("kube-audit"))?;
    let log = members(properties)?.into_iter().find(|(name, _)| name == "log")?.1;
    if log.starts_with('{') { Some(Cow::Borrowed(log)) } else { json_text(log) }
}

/// Events of Elastic's integrations, whose names are mapped with the rules.
fn dataset(shape: &Shape<'_>) -> Option<Service> {
    if let Some(name) = shape.text(Name::Key("event.dataset")) {
        return Service::of_dataset(&name);
    }
    let event = shape.raw(Name::Line).filter(|event| event.starts_with('{')).and_then(members)?;
    let name = event.into_iter().find(|(name, _)| name == "dataset")?.1;
    Service::of_dataset(&json_text(name)?)
}

/// API activity of OCSF that CloudTrail has told, as a security lake keeps it.
fn ocsf(shape: &Shape<'_>) -> Option<Service> {
    let metadata = shape.key("metadata").filter(|raw| raw.starts_with('{') && shape.key("class_uid").is_some())?;
    let product = members(metadata)?.into_iter().find(|(name, _)| name == "product")?.1;
    let name = members(product)?.into_iter().find(|(name, _)| name == "name")?.1;
    (json_text(name)? == "CloudTrail").then_some(Service::CloudTrail)
}

/// The record that rules read, and what it tells; nothing is told of records in the words of others.
pub(crate) fn read<'a>(service: Service, shape: &Shape<'a>, text: &'a str) -> (Cow<'a, str>, Option<Told>) {
    let line = if own(shape).is_some() {
        Cow::Borrowed(text)
    } else {
        match unwrapped(shape) {
            Some(inner) => inner,
            None => return (Cow::Borrowed(text), None),
        }
    };
    let line = match service {
        Service::AzureActivity => azure::without_translations(&line).map_or(line, Cow::Owned),
        _ => line,
    };
    let told = serde_json::from_str::<Value>(&line).ok().map(|record| match service {
        Service::CloudTrail => aws::told(&record),
        Service::AzureActivity => azure::activity(&record),
        Service::EntraAudit => azure::audit(&record),
        Service::EntraSignIn => azure::sign_in(&record),
        Service::EntraRisk => azure::risk(&record),
        Service::Gcp | Service::WorkspaceAdmin | Service::WorkspaceLogin | Service::Workspace => gcp::told(&record),
        Service::Kubernetes => kubernetes::told(&record),
        Service::Okta => okta::told(&record),
        Service::M365 | Service::M365Exchange | Service::M365Threats => azure::office(&record),
    });
    (line, told)
}

#[cfg(test)]
mod tests;
