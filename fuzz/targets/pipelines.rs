//! Any text as a processing pipeline: it is refused with a diagnostic, or rules go through it.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use shieldops_detect::{CompileOptions, Documents, Pipeline, RuleSet, parse};

static RULES: LazyLock<Documents> = LazyLock::new(|| {
    let text = "title: A\nid: a\nlevel: low\nlogsource: {product: windows, category: process_creation}\ndetection:\n  \
                sel: {Image|endswith: '\\cmd.exe', CommandLine|contains|all: [a, '%b%'], User: null}\n  kw: [one, 'two*']\n  \
                filter: {a.b|re: '^x+$', n|gte: 5, ip|cidr: 10.0.0.0/8}\n  condition: sel or kw and not filter\n";
    parse(text, "r.yml").0
});

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let (pipeline, diagnostics) = Pipeline::parse(&text, "p.yml");
    assert!(pipeline.is_some() || !diagnostics.is_empty(), "refused without a word");
    if let Some(pipeline) = pipeline {
        let options = CompileOptions { pipelines: vec![pipeline], ..CompileOptions::default() };
        let _compiled = RuleSet::compile(RULES.clone(), &options);
    }
});
