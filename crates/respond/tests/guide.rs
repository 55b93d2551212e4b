//! The guide of `docs/new-capability.md`: a whole capability, its proof and its test. It switches a service off that stands
//! in a file.

use std::{collections::BTreeMap, fs, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shieldops_model::{ControlPath, FixedClock, Target, Timestamp};
use shieldops_policy::{Facts, Policy};
use shieldops_respond::{
    AnyCapability, Capability, Class, Description, Draw, Fault, Observed, Permit, ProveOptions, Proving, Purpose,
    Registry, Site, Twin, Typed, Verdict, prove, stand_in,
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    service: String,
}

/// A service and whether it is on; another service is not ours to compare.
type State = (String, Option<bool>);
type Services = BTreeMap<String, bool>;

struct SwitchOff {
    file: PathBuf,
}

impl SwitchOff {
    fn read(&self) -> Result<Services, Fault> {
        let text = fs::read(&self.file).map_err(|error| Fault::Unavailable(error.to_string()))?;
        serde_json::from_slice(&text).map_err(|error| Fault::Unavailable(error.to_string()))
    }

    fn write(&self, services: &Services) -> Result<(), Fault> {
        fs::write(&self.file, json!(services).to_string()).map_err(|error| Fault::Failed(error.to_string()))
    }
}

#[async_trait]
impl Capability for SwitchOff {
    type Params = Params;
    type State = State;

    fn describe(&self) -> Description {
        Description {
            name: "guide.switch_off",
            title: "Switch a service off",
            target_kind: "linux_host",
            params_schema: json!({"type": "object", "required": ["service"], "properties": {"service": {"type": "string"}}}),
            class: Class::Reversible,
            purpose: Purpose::Containment,
            effects: &["service.stop"],
            settle_ms: 0,
            base_risk: 1,
            twin: Twin::Network,
            docs: "Writes `false` at the service's name.",
        }
    }

    async fn observe(&self, _target: &Target, params: &Params) -> Result<Observed<State>, Fault> {
        let on = self.read()?.get(&params.service).copied();
        let facts = Facts { resources: vec![format!("service:{}", params.service)], ..Facts::default() };
        Ok(Observed { state: (params.service.clone(), on), facts })
    }

    fn desired(&self, state: &State, _params: &Params) -> State {
        (state.0.clone(), Some(false))
    }

    async fn apply(&self, _site: Site<'_>, _from: &State, to: &State, _permit: Permit) -> Result<(), Fault> {
        let mut services = self.read()?;
        match to.1 {
            Some(on) => services.insert(to.0.clone(), on),
            None => services.remove(&to.0),
        };
        self.write(&services)
    }

    fn undo_text(&self, params: &Params) -> String {
        format!("Puts {} back as it was.", params.service)
    }

    fn control_path(&self, _target: &Target, _params: &Params) -> ControlPath {
        ControlPath { via: "file".to_owned(), at_risk: false, why: "no way leads through a service".to_owned() }
    }

    fn proving(&self) -> Option<&dyn Proving> {
        Some(self)
    }
}

#[async_trait]
impl Proving for SwitchOff {
    async fn stage(&self, _target: &Target, draw: &mut Draw) -> Result<Value, Fault> {
        let names = ["web", "mail", "ftp"];
        let there: Vec<&str> = names.into_iter().filter(|_| draw.coin()).collect();
        self.write(&there.into_iter().map(|name| (name.to_owned(), draw.coin())).collect())?;
        Ok(json!({"service": draw.pick(&names)}))
    }

    async fn snapshot(&self, _target: &Target) -> Result<Value, Fault> {
        Ok(json!(self.read()?))
    }

    async fn disturb(&self, _target: &Target, params: &Value, _draw: &mut Draw) -> Result<(), Fault> {
        let mut services = self.read()?;
        services.insert(params["service"].as_str().unwrap_or_default().to_owned(), true);
        self.write(&services)
    }
}

#[tokio::test]
async fn the_capability_of_the_guide_is_proved() {
    let folder = tempfile::tempdir().unwrap();
    let capability: Arc<dyn AnyCapability> =
        Arc::new(Typed::new(SwitchOff { file: folder.path().join("services.json") }));
    let options = ProveOptions {
        registry: Arc::new(Registry::new(vec![Arc::clone(&capability)]).unwrap()),
        policy: Arc::new(Policy::built_in().unwrap()),
        clock: FixedClock::at(Timestamp::from_secs(1_795_000_000)),
        sim: stand_in("sim/guide"),
        twins: BTreeMap::from([("network", Ok(stand_in("twin/guide")))]),
        cases: 300,
        twin_cases: 200,
        seed: 1,
        twin_time: Duration::from_mins(1),
    };
    let row = prove(&options, &capability).await;
    assert_eq!((row.verdict, row.residue), (Verdict::Proved, 0), "{row:?}");
    assert!(row.cases >= 300, "{row:?}");
}
