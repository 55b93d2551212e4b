//! A capability whose undo takes somebody else's change with it is not proved.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shieldops_model::{ControlPath, FixedClock, Target};
use shieldops_policy::{Facts, Policy};
use shieldops_respond::{
    AnyCapability, Capability, Class, Description, Draw, Fault, Observed, Permit, ProofRow, ProveOptions, Proving,
    Purpose, Registry, Site, Twin, Typed, Verdict, prove, stand_in,
};

use crate::switch::START;

/// A notice board: what we hang on it, and what others do.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Board {
    ours: bool,
    theirs: u64,
}

impl PartialEq for Board {
    fn eq(&self, other: &Self) -> bool {
        self.ours == other.ours
    }
}

struct Hang {
    board: Mutex<Board>,
    /// Puts back the whole board as it was once read, instead of its own notice.
    careless: bool,
}

impl Hang {
    fn board(&self) -> std::sync::MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {}

#[async_trait]
impl Capability for Hang {
    type Params = Params;
    type State = Board;

    fn describe(&self) -> Description {
        Description {
            name: "test.hang",
            title: "Hang a notice",
            target_kind: "linux_host",
            params_schema: json!({}),
            class: Class::Reversible,
            purpose: Purpose::Containment,
            effects: &["notice.hang"],
            settle_ms: 0,
            base_risk: 1,
            twin: Twin::Network,
            docs: "",
        }
    }

    async fn observe(&self, _target: &Target, _params: &Params) -> Result<Observed<Board>, Fault> {
        let facts = Facts { resources: vec!["service:board".to_owned()], ..Facts::default() };
        Ok(Observed { state: self.board().clone(), facts })
    }

    fn desired(&self, state: &Board, _params: &Params) -> Board {
        Board { ours: true, ..state.clone() }
    }

    async fn apply(&self, _site: Site<'_>, _from: &Board, to: &Board, _permit: Permit) -> Result<(), Fault> {
        let mut board = self.board();
        board.ours = to.ours;
        if self.careless {
            board.theirs = to.theirs;
        }
        Ok(())
    }

    fn undo_text(&self, _params: &Params) -> String {
        "Takes it down.".to_owned()
    }

    fn control_path(&self, _target: &Target, _params: &Params) -> ControlPath {
        ControlPath { via: "wall".to_owned(), at_risk: false, why: "no way leads through a board".to_owned() }
    }

    fn proving(&self) -> Option<&dyn Proving> {
        Some(self)
    }
}

#[async_trait]
impl Proving for Hang {
    async fn stage(&self, _target: &Target, draw: &mut Draw) -> Result<Value, Fault> {
        *self.board() = Board { ours: draw.below(4) == 0, theirs: draw.below(9) };
        Ok(json!({}))
    }

    async fn snapshot(&self, _target: &Target) -> Result<Value, Fault> {
        Ok(json!(*self.board()))
    }

    async fn disturb(&self, _target: &Target, _params: &Value, draw: &mut Draw) -> Result<(), Fault> {
        self.board().theirs = 100 + draw.below(9);
        Ok(())
    }
}

const LONG: Duration = Duration::from_mins(1);

async fn proved(careless: bool, twin_cases: u32, twin_time: Duration) -> ProofRow {
    let capability: Arc<dyn AnyCapability> = Arc::new(Typed::new(Hang { board: Mutex::default(), careless }));
    let options = ProveOptions {
        registry: Arc::new(Registry::new(vec![Arc::clone(&capability)]).unwrap()),
        policy: Arc::new(Policy::built_in().unwrap()),
        clock: FixedClock::at(START),
        sim: stand_in("sim/board"),
        twins: BTreeMap::from([("network", Ok(stand_in("twin/board")))]),
        cases: 60,
        twin_cases,
        seed: 3,
        twin_time,
    };
    prove(&options, &capability).await
}

#[tokio::test]
async fn an_undo_that_takes_somebody_else_s_change_with_it_is_not_proved() {
    let row = proved(true, 200, LONG).await;
    assert_eq!(row.verdict, Verdict::Failed, "{row:?}");
    assert!(row.residue > 0 && row.failures.iter().any(|line| line.contains("Foreign")), "{row:?}");
    let row = proved(false, 200, LONG).await;
    assert_eq!((row.verdict, row.residue), (Verdict::Proved, 0), "{row:?}");
}

#[tokio::test]
async fn what_held_on_fewer_than_200_states_of_its_twin_is_not_called_proved() {
    let row = proved(false, 199, LONG).await;
    let why = "199 of 200 cases on the twin; 199 were asked for (--twin-cases)";
    assert_eq!((row.verdict, row.twin_cases, row.why.as_deref()), (Verdict::TooFew, 199, Some(why)), "{row:?}");
    let row = proved(false, 200, Duration::ZERO).await;
    let why = "0 of 200 cases on the twin; its 0 s were over (--twin-seconds)";
    assert_eq!((row.verdict, row.twin_cases, row.why.as_deref()), (Verdict::NotRun, 0, Some(why)), "{row:?}");
}
