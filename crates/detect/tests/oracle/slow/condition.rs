//! Conditions: `or` of `and` of `not`, parentheses, and counts over names.

#[derive(Debug, Clone)]
pub(crate) enum Condition {
    Name(String),
    Not(Box<Condition>),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    /// That many of these names.
    Count(usize, Vec<String>),
}

pub(crate) fn parse(text: &str, names: &[&str]) -> Result<Condition, String> {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let (condition, rest) = or(&words, names)?;
    if rest.is_empty() { Ok(condition) } else { Err(format!("`{}` is left over", rest.join(" "))) }
}

type Parsed<'w, 't> = Result<(Condition, &'w [&'t str]), String>;

fn is(words: &[&str], keyword: &str) -> bool {
    words.first().is_some_and(|word| word.eq_ignore_ascii_case(keyword))
}

fn or<'w, 't>(words: &'w [&'t str], names: &[&str]) -> Parsed<'w, 't> {
    let (left, rest) = and(words, names)?;
    if !is(rest, "or") {
        return Ok((left, rest));
    }
    let (right, rest) = or(&rest[1..], names)?;
    Ok((Condition::Or(Box::new(left), Box::new(right)), rest))
}

fn and<'w, 't>(words: &'w [&'t str], names: &[&str]) -> Parsed<'w, 't> {
    let (left, rest) = not(words, names)?;
    if !is(rest, "and") {
        return Ok((left, rest));
    }
    let (right, rest) = and(&rest[1..], names)?;
    Ok((Condition::And(Box::new(left), Box::new(right)), rest))
}

fn not<'w, 't>(words: &'w [&'t str], names: &[&str]) -> Parsed<'w, 't> {
    if is(words, "not") {
        let (inner, rest) = not(&words[1..], names)?;
        return Ok((Condition::Not(Box::new(inner)), rest));
    }
    let first = *words.first().ok_or("the condition ends too early")?;
    if first == "(" {
        let (inner, rest) = or(&words[1..], names)?;
        return if is(rest, ")") { Ok((inner, &rest[1..])) } else { Err("a parenthesis is open".to_owned()) };
    }
    if words.len() > 2 && is(&words[1..], "of") {
        let chosen: Vec<String> =
            names.iter().filter(|name| is_chosen(words[2], name)).map(|name| (*name).to_owned()).collect();
        let count = match first.to_lowercase().as_str() {
            "all" => chosen.len(),
            "any" => 1,
            number => number.parse().map_err(|error| format!("`{number}` is no count: {error}"))?,
        };
        if chosen.is_empty() {
            return Err(format!("`{}` names nothing", words[2]));
        }
        return Ok((Condition::Count(count, chosen), &words[3..]));
    }
    if names.contains(&first) {
        Ok((Condition::Name(first.to_owned()), &words[1..]))
    } else {
        Err(format!("there is no `{first}`"))
    }
}

fn is_chosen(pattern: &str, name: &str) -> bool {
    if name.starts_with('_') && !pattern.starts_with('_') {
        return false;
    }
    if pattern.eq_ignore_ascii_case("them") {
        return true;
    }
    super::text::Glob::new(super::text::marks(pattern), true).matches(name)
}

impl Condition {
    pub(crate) fn holds(&self, selection: &dyn Fn(&str) -> bool) -> bool {
        match self {
            Self::Name(name) => selection(name),
            Self::Not(inner) => !inner.holds(selection),
            Self::And(left, right) => left.holds(selection) && right.holds(selection),
            Self::Or(left, right) => left.holds(selection) || right.holds(selection),
            Self::Count(count, names) => names.iter().filter(|name| selection(name)).count() >= *count,
        }
    }
}
