//! Who is told of the children of a rescue.

use async_trait::async_trait;

use crate::{Child, Collected, Fault, Watch};

/// Nobody journals the children of a rescue: who runs it waits for them.
pub(super) struct Alone;

#[async_trait]
impl Watch for Alone {
    async fn collected(&self, _item: Collected) -> Result<(), Fault> {
        Err(Fault::Refused("a rescue collects nothing".to_owned()))
    }
    async fn started(&self, _child: &Child) -> Result<(), Fault> {
        Ok(())
    }
    async fn ended(&self, _child: &Child) -> Result<(), Fault> {
        Ok(())
    }
}
