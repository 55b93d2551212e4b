//! Which log sources and field names of rules are found in events: the public table alone, or with the mappings that are
//! ours on top of it.

use clap::ValueEnum;
use shieldops_detect::{CompileOptions, FieldMap, SourceFields};
use shieldops_ingest::formats::windows;
use shieldops_model::LogSource;

/// How rules find their events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Mapping {
    /// The public table and every mapping that comes with the product, as the server does.
    #[default]
    All,
    /// The public table of Windows channels and event ids, and nothing else.
    TableOnly,
}

/// The fields by which an event of a test data set says where it belongs.
const FIELDS: [&str; 5] = ["Channel", "EventID", "product", "category", "service"];

impl Mapping {
    pub(crate) fn compile_options(self) -> CompileOptions {
        match self {
            Self::All => CompileOptions::default(),
            Self::TableOnly => {
                CompileOptions { field_map: FieldMap::empty(), service_groups: false, ..CompileOptions::default() }
            }
        }
    }

    /// The log source of a Windows event.
    fn windows(self, channel: &str, id: i64) -> LogSource {
        match self {
            Self::All => windows::log_source(channel, id),
            Self::TableOnly => windows::table_source(channel, id),
        }
    }

    /// An event's log source without what the mappings added to it.
    pub(crate) fn limit(self, source: &mut LogSource) {
        if self == Self::TableOnly {
            windows::without_mappings(source);
        }
    }

    /// Log sources taken from the events' own fields: `Channel` and `EventID`, or else what they state.
    pub(crate) fn fields(self) -> SourceFields {
        SourceFields::new(&FIELDS, move |values| {
            let [channel, id, product, category, service] = *values else { return LogSource::default() };
            match (channel, id.map(str::parse)) {
                (Some(channel), Some(Ok(id))) => self.windows(channel, id),
                (Some(_), _) => LogSource { product: Some("windows".to_owned()), ..LogSource::default() },
                (None, _) => LogSource {
                    product: product.map(str::to_owned),
                    categories: category.map(str::to_owned).into_iter().collect(),
                    service: service.map(str::to_owned),
                },
            }
        })
    }
}
