//! Power losses at any operation: every acknowledged event is there once and in order, and none is invented.

use std::{collections::HashMap, sync::mpsc};

use proptest::prelude::*;
use rand::{RngExt, SeedableRng as _, rngs::StdRng};

use super::*;

#[derive(Debug, Clone)]
enum Step {
    /// A batch of so many events; with a producer's number or without.
    Append {
        events: usize,
        size: usize,
        numbered: bool,
    },
    /// Several appends that may share a sync.
    Burst(usize),
    Retry,
    Seal,
    Advance(u64),
    LosePower {
        after: u64,
    },
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1_usize..12, 0_usize..400, any::<bool>())
            .prop_map(|(events, size, numbered)| Step::Append { events, size, numbered }),
        2 => (2_usize..6).prop_map(Step::Burst),
        2 => Just(Step::Retry),
        1 => Just(Step::Seal),
        1 => (0_u64..700).prop_map(Step::Advance),
        4 => (0_u64..30).prop_map(|after| Step::LosePower { after }),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 1..40)
}

/// What was sent and what became of it.
#[derive(Default)]
struct Sent {
    /// By text: acknowledged or not.
    batches: HashMap<String, (usize, bool)>,
    order: Vec<String>,
    number: u64,
    last_numbered: Option<(u64, Vec<NewEvent>, String)>,
    next: usize,
}

impl Sent {
    fn batch(&mut self, events: usize, size: usize) -> (Vec<NewEvent>, String) {
        self.next += 1;
        let name = format!("b{}", self.next);
        let batch = (0..events).map(|n| text(&format!("{name}:{n}:{}", "x".repeat(size)))).collect();
        self.batches.insert(name.clone(), (events, false));
        (batch, name)
    }

    fn acknowledge(&mut self, name: &str) {
        let entry = self.batches.get_mut(name).unwrap();
        if !entry.1 {
            entry.1 = true;
            self.order.push(name.to_owned());
        }
    }

    fn check(&self, bus: &Bus) {
        assert_sound(bus);
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut order = Vec::new();
        for raw in raws(bus) {
            let mut parts = raw.split(':');
            let (name, n) = (parts.next().unwrap().to_owned(), parts.next().unwrap().parse::<usize>().unwrap());
            let count = seen.entry(name.clone()).or_default();
            assert_eq!(*count, n, "the events of a batch are there once and in order");
            *count += 1;
            if n == 0 {
                order.push(name);
            }
        }
        for (name, count) in &seen {
            assert_eq!(
                self.batches.get(name).map(|(events, _)| *events),
                Some(*count),
                "{name}: whole and not invented"
            );
        }
        order.retain(|name| self.batches[name].1);
        assert_eq!(order, self.order, "every acknowledged batch is there, in the order of the answers");
        assert_eq!(bus.damage(tenant()), vec![]);
    }
}

fn run(steps: Vec<Step>, seed: u64) {
    let world = World::with(Limits { segment_bytes: 4_000, frame_bytes: 700, ..Limits::default() });
    let mut rng = StdRng::seed_from_u64(seed);
    let mut sent = Sent::default();
    let mut bus = Some(world.open());
    for step in steps {
        let open = bus.get_or_insert_with(|| world.open());
        match step {
            Step::Append { events, size, numbered } => {
                let (batch, name) = sent.batch(events, size);
                let producer = numbered.then(|| {
                    sent.number += 1;
                    sent.last_numbered = Some((sent.number, batch.clone(), name.clone()));
                    ("shipper".to_owned(), sent.number)
                });
                if open.append(tenant(), batch, producer).is_ok() {
                    sent.acknowledge(&name);
                }
            }
            Step::Burst(count) => burst(open, &mut sent, count),
            Step::Retry => {
                if let Some((number, batch, name)) = sent.last_numbered.clone()
                    && open.append(tenant(), batch, Some(("shipper".into(), number))).is_ok()
                {
                    sent.acknowledge(&name);
                    // It may have been stored before batches that were acknowledged earlier than its retry.
                    sent.order.clear();
                    let stored = raws(open);
                    let names =
                        stored.iter().filter(|raw| raw.contains(":0:")).map(|raw| raw.split(':').next().unwrap());
                    sent.order.extend(names.filter(|name| sent.batches[*name].1).map(ToOwned::to_owned));
                }
            }
            Step::Seal => drop(open.seal(tenant())),
            Step::Advance(seconds) => world.clock.advance(Duration::from_secs(seconds)),
            Step::LosePower { after } => {
                world.disk.fail_after(after);
                let batches: Vec<_> =
                    (0..rng.random_range(0..4)).map(|_| sent.batch(rng.random_range(1..8), 150)).collect();
                for (batch, name) in batches {
                    if open.append(tenant(), batch, None).is_ok() {
                        sent.acknowledge(&name);
                    }
                }
                drop(open.seal(tenant()));
                world.disk.fail_after(0);
                bus = None;
                world.disk.lose_power(&mut rng);
                sent.check(bus.insert(world.open()));
            }
            Step::Reopen => {
                bus = None;
                sent.check(bus.insert(world.open()));
            }
        }
    }
    drop(bus);
    sent.check(&world.open());
}

fn burst(bus: &Bus, sent: &mut Sent, count: usize) {
    let (answers, answered) = mpsc::sync_channel(count);
    for _ in 0..count {
        let (batch, name) = sent.batch(2, 30);
        let answers = answers.clone();
        bus.append_then(tenant(), batch, None, move |result| drop(answers.send((name, result.is_ok()))));
    }
    drop(answers);
    for (name, stored) in answered {
        if stored {
            sent.acknowledge(&name);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_acknowledged_event_survives_power_losses_once_and_in_order(steps in steps(), seed in any::<u64>()) {
        run(steps, seed);
    }
}
