//! From a notice that is due to its letters, and to the next step of a request that nobody answered.

use std::{collections::BTreeSet, time::Duration};

use anyhow::Context as _;
use shieldops_deliver::smtp::is_address;
use shieldops_model::{Audience, Notice, NoticeKind, Plan, PlanState};
use shieldops_policy::{Escalation, GateSettings, Team};
use shieldops_store::{
    Reader, gate, notification_settings,
    outbox::{self, Channel, NewLetter, Queued},
    people, plans, roles, targets,
};

use super::{Desk, audience::Around};

/// Letters of one notice: a tenant with more approvers than that tells them in the dashboard and by the webhook.
const LETTERS: usize = 200;

impl Desk {
    /// Gives a notice its letters, or withdraws it when it is about what is over.
    pub(super) async fn address(&self, queued: &Queued) -> anyhow::Result<()> {
        let notice = &queued.notice;
        let mut reader = self.scope.read().await?;
        let plan = match notice.plan {
            Some(id) => plans::find(&mut reader, id).await?,
            None => None,
        };
        let over = match notice.kind {
            NoticeKind::ApprovalRequest => !plan.as_ref().is_some_and(waits),
            NoticeKind::Unanswered => match &plan {
                Some(plan) => !self.engine.mark_unanswered(plan.id).await?,
                None => true,
            },
            _ => false,
        };
        let gate = gate(&mut reader).await?;
        let letters =
            if over { Vec::new() } else { self.letters(&mut reader, notice, plan.as_ref(), &gate.teams).await? };
        drop(reader);
        let now = self.scope.store().clock().now();
        let mut tx = self.scope.begin().await?;
        if over {
            outbox::withdraw(&mut tx, queued.id).await?;
        } else if outbox::address(&mut tx, (queued.id, notice.kind), &letters, now).await?
            && let Some((next, after)) = next_step(notice, gate.numbers.escalation)
        {
            // Every step keeps the time of the request, from which all of them are counted.
            outbox::queue(&mut tx, &next, queued.at.plus(after), queued.at).await?;
        }
        Ok(tx.commit(now).await?)
    }

    async fn letters(
        &self,
        reader: &mut Reader,
        notice: &Notice,
        plan: Option<&Plan>,
        teams: &[Team],
    ) -> anyhow::Result<Vec<NewLetter>> {
        let settings = notification_settings::current(reader).await?.value;
        let mut found = Vec::new();
        for id in plan.into_iter().flat_map(|plan| &plan.actions).map(|action| action.target_id) {
            found.extend(targets::find(reader, id).await?.map(|target| (target.environment, target.labels)));
        }
        let (people, roles) = (people::users(reader).await?, roles::list(reader).await?);
        let requester = plan.map_or("", |plan| plan.requester.as_str());
        let around = Around { people: &people, roles: &roles, teams, targets: &found, requester };
        let mut letters = Vec::new();
        if let Some(hook) = settings.webhook {
            let to = self.outbound.egress.check(&hook.url).map_or(hook.url, |to| to.host());
            letters.push(NewLetter { channel: Channel::Webhook, to });
        }
        if settings.email && self.outbound.mailer.is_some() {
            let mut meant = around.members(&notice.audience);
            if matches!(notice.kind, NoticeKind::Unanswered | NoticeKind::NotDone) {
                meant.extend(around.requester());
            }
            let addresses: BTreeSet<&str> =
                meant.into_iter().map(|user| user.name.as_str()).filter(|name| is_address(name)).collect();
            let mail = |to: &str| NewLetter { channel: Channel::Email, to: to.to_owned() };
            letters.extend(addresses.into_iter().take(LETTERS).map(mail));
        }
        Ok(letters)
    }
}

/// The gate as the tenant set it; the built-in numbers where it did not.
async fn gate(reader: &mut Reader) -> anyhow::Result<GateSettings> {
    let Some(version) = gate::settings::in_force(reader).await? else { return Ok(GateSettings::default()) };
    serde_json::from_value(version.document).context("the settings of the gate in force cannot be read")
}

/// Whether somebody still has to say yes or no.
fn waits(plan: &Plan) -> bool {
    plan.state == PlanState::Proposed && plan.approvals.len() < usize::from(plan.decision.approvals_needed)
}

/// Who is told next while nobody answers, and how long after the request.
fn next_step(notice: &Notice, escalation: Escalation) -> Option<(Notice, Duration)> {
    if notice.kind != NoticeKind::ApprovalRequest {
        return None;
    }
    let (approvers, administrators) = (escalation.approvers_after_s, escalation.administrators_after_s);
    let (kind, audience, after_s) = match notice.step {
        0 => (NoticeKind::ApprovalRequest, Audience::TeamApprovers, approvers),
        1 => (NoticeKind::ApprovalRequest, Audience::Administrators, administrators),
        // The last ones have as long as the first ones had.
        _ => (NoticeKind::Unanswered, Audience::Administrators, administrators.saturating_add(approvers)),
    };
    let next = Notice { kind, audience, step: notice.step.saturating_add(1), ..notice.clone() };
    Some((next, Duration::from_secs(after_s.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_goes_from_the_approvers_to_the_team_to_the_administrators_and_ends_unanswered() {
        let mut notice = Notice::new(NoticeKind::ApprovalRequest, Audience::Approvers);
        let mut walked = Vec::new();
        while let Some((next, after)) = next_step(&notice, Escalation::default()) {
            walked.push((next.kind, next.audience.clone(), after.as_secs()));
            notice = next;
        }
        assert_eq!(
            walked,
            [
                (NoticeKind::ApprovalRequest, Audience::TeamApprovers, 300),
                (NoticeKind::ApprovalRequest, Audience::Administrators, 600),
                (NoticeKind::Unanswered, Audience::Administrators, 900),
            ]
        );
        assert_eq!(next_step(&Notice::new(NoticeKind::Drifted, Audience::Approvers), Escalation::default()), None);
    }
}
