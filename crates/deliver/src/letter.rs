//! What a letter says, as text, as HTML and as JSON. Pure. Values may be anybody's words, an attacker's among them: they stand
//! on one line behind our own label, escaped, cut, and no program can make a link of them. The one link is ours: it opens the
//! plan's page, which asks for that person's own session; following it approves nothing.

use serde_json::{Value, json};
use shieldops_model::{LetterId, Notice, NoticeKind, Timestamp};

/// Characters of a subject.
const SUBJECT_CHARS: usize = 160;

/// One notice for one receiver.
#[derive(Debug, Clone)]
pub struct Letter<'a> {
    pub id: LetterId,
    pub notice: &'a Notice,
    pub at: Timestamp,
    /// The tenant's short name.
    pub tenant: &'a str,
    /// Where people reach the installation, without a slash at its end.
    pub site: &'a str,
}

/// A letter to be read by a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    pub subject: String,
    pub plain: String,
    pub html: String,
}

impl Letter<'_> {
    /// The page where it can be looked at: the plan's, or the inbox.
    pub fn link(&self) -> String {
        let site = format!("{}/t/{}", self.site, self.tenant);
        self.notice.plan.map_or_else(|| format!("{site}/plans"), |plan| format!("{site}/plans/{plan}"))
    }

    pub fn text(&self) -> Text {
        let rows = self.rows();
        let (headline, label, ends) = (self.headline(), link_label(self.notice), ending(self.notice));
        let link = self.link();
        let lines: Vec<String> = rows.iter().map(|(label, value)| format!("{label}: {value}\n")).collect();
        let lines = lines.concat();
        let plain = format!("{headline}\n\n{lines}\n{label}:\n{link}\n\n{ends}\n");
        let cells: Vec<String> = rows
            .iter()
            .map(|(label, value)| {
                format!("<tr><th align=\"left\">{}</th><td>{}</td></tr>", escape(label), escape(value))
            })
            .collect();
        let cells = cells.concat();
        let html = format!(
            "<!DOCTYPE html><html><head><meta charset=\"utf-8\"></head><body><h2>{}</h2><table cellpadding=\"4\">{cells}</table>\
             <p><a href=\"{}\">{}</a></p><p>{}</p></body></html>",
            escape(&headline),
            escape(&link),
            escape(label),
            escape(ends),
        );
        Text { subject: self.subject(&rows), plain, html }
    }

    fn headline(&self) -> String {
        let said = match (self.notice.demo, self.notice.simulated) {
            (true, _) => " (demo)",
            (false, true) => " (simulated)",
            (false, false) => "",
        };
        format!("{}{said}", self.notice.kind.headline())
    }

    fn subject(&self, rows: &[(String, String)]) -> String {
        let first = rows.first().map(|(_, value)| format!(": {value}")).unwrap_or_default();
        let text = format!("[ShieldOps {}] {}{first}", self.tenant, self.headline());
        text.chars().take(SUBJECT_CHARS).collect()
    }

    fn rows(&self) -> Vec<(String, String)> {
        let mut rows: Vec<(String, String)> =
            self.notice.facts.iter().map(|fact| (one_line(&fact.label), one_line(&fact.value))).collect();
        rows.push(("Tenant".to_owned(), one_line(self.tenant)));
        if !self.notice.by.is_empty() {
            rows.push(("By".to_owned(), one_line(&self.notice.by)));
        }
        rows.push(("Time".to_owned(), self.at.to_string()));
        rows
    }

    /// The body of a webhook, version 1: values as they are, since JSON needs no escaping by us.
    pub fn json(&self) -> Value {
        let notice = self.notice;
        json!({
            "version": 1, "id": self.id, "kind": notice.kind, "headline": notice.kind.headline(), "at": self.at,
            "tenant": self.tenant, "step": notice.step, "plan_id": notice.plan, "action_id": notice.action, "by": notice.by,
            "simulated": notice.simulated, "demo": notice.demo, "facts": notice.facts, "url": self.link(),
        })
    }
}

const fn link_label(notice: &Notice) -> &'static str {
    match notice.kind {
        NoticeKind::ApprovalRequest | NoticeKind::Unanswered => "See what would change, and decide",
        _ => "See it in ShieldOps",
    }
}

const fn ending(notice: &Notice) -> &'static str {
    match notice.kind {
        NoticeKind::ApprovalRequest => {
            "The link only opens the page; you sign in there and decide. Nothing is approved by opening it, and no answer is not a yes."
        }
        NoticeKind::Unanswered => {
            "No answer is not a yes: the plan does not run. It can still be approved until it expires."
        }
        NoticeKind::Test => "This letter was asked for to see whether it arrives.",
        _ => "ShieldOps wrote this letter by itself. The ledger holds the same.",
    }
}

/// One line without what turns text around or cannot be seen, and without what mail programs make links of.
fn one_line(text: &str) -> String {
    let visible = |character: char| if character.is_control() || is_hidden(character) { ' ' } else { character };
    let line: String = text.chars().map(visible).collect();
    line.replace("://", "[:]//").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Bidirectional controls, zero-width characters, line and paragraph separators, tags.
const fn is_hidden(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use shieldops_model::{Audience, id};

    use super::*;

    const HOSTILE: &str = "</td><script>alert(1)</script>\r\nBcc: all@example.org\r\n\r\nClick http://evil.example/yes \u{202e}now\u{200b}";

    fn letter(notice: &Notice) -> Letter<'_> {
        let at = Timestamp::from_secs(1_790_000_000);
        Letter { id: id::mint(at, &mut rand::rng()), notice, at, tenant: "acme", site: "https://shield.example" }
    }

    #[test]
    fn hostile_words_stay_on_their_line_escaped_and_without_a_link() {
        let notice = Notice::new(NoticeKind::ApprovalRequest, Audience::Approvers).with("Plan", HOSTILE);
        let text = letter(&notice).text();
        assert!(!text.subject.contains(['\r', '\n']) && text.subject.chars().count() <= SUBJECT_CHARS);
        assert_eq!(text.plain.lines().filter(|line| line.contains("Bcc")).count(), 1);
        assert!(text.plain.lines().any(|line| line.starts_with("Plan: </td><script>") && line.ends_with("now")));
        assert!(!text.html.contains("<script>") && text.html.contains("&lt;script&gt;"));
        for part in [&text.subject, &text.plain, &text.html] {
            assert_eq!(part.matches("http://").count(), 0, "{part}");
            assert!(!part.contains(['\u{202e}', '\u{200b}']));
        }
        assert_eq!(text.html.matches("href=").count(), 1);
    }

    #[test]
    fn the_link_opens_the_plan_and_holds_nothing_else() {
        let at = Timestamp::from_secs(1_790_000_000);
        let plan = id::mint(at, &mut rand::rng());
        let notice = Notice { plan: Some(plan), ..Notice::new(NoticeKind::ApprovalRequest, Audience::Approvers) };
        let letter = letter(&notice);
        assert_eq!(letter.link(), format!("https://shield.example/t/acme/plans/{plan}"));
        assert!(letter.text().plain.contains("no answer is not a yes"));
        assert_eq!(letter.json()["plan_id"], plan.to_string());
    }

    #[test]
    fn what_is_simulated_or_a_demo_says_so() {
        let notice = Notice { simulated: true, ..Notice::new(NoticeKind::Drifted, Audience::Administrators) };
        assert!(letter(&notice).text().subject.contains("(simulated)"));
        let notice = Notice { demo: true, ..notice };
        assert!(letter(&notice).text().plain.starts_with("A response is no longer in force (demo)"));
    }
}
