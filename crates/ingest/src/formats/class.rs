//! OCSF 1.5 classes that events are given.

/// The activity of a line that speaks of a logon which another line of the same source decides: it never has a status, so that
/// one attempt counts once.
pub const PREAUTH: &str = "Preauth";

/// A class; `Base` where nothing more is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Base,
    FileSystem,
    KernelExtension,
    Memory,
    Module,
    ScheduledJob,
    Process,
    EventLog,
    Script,
    AccountChange,
    Authentication,
    AuthorizeSession,
    GroupManagement,
    Network,
    Http,
    Dns,
    Smb,
    ApiActivity,
    RegistryKey,
    RegistryValue,
    WindowsService,
    DetectionFinding,
}

impl Class {
    pub const fn uid(self) -> u32 {
        match self {
            Self::Base => 0,
            Self::FileSystem => 1001,
            Self::KernelExtension => 1002,
            Self::Memory => 1004,
            Self::Module => 1005,
            Self::ScheduledJob => 1006,
            Self::Process => 1007,
            Self::EventLog => 1008,
            Self::Script => 1009,
            Self::DetectionFinding => 2004,
            Self::AccountChange => 3001,
            Self::Authentication => 3002,
            Self::AuthorizeSession => 3003,
            Self::GroupManagement => 3006,
            Self::Network => 4001,
            Self::Http => 4002,
            Self::Dns => 4003,
            Self::Smb => 4006,
            Self::ApiActivity => 6003,
            Self::RegistryKey => 201_001,
            Self::RegistryValue => 201_002,
            Self::WindowsService => 201_004,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Base => "Base Event",
            Self::FileSystem => "File System Activity",
            Self::KernelExtension => "Kernel Extension Activity",
            Self::Memory => "Memory Activity",
            Self::Module => "Module Activity",
            Self::ScheduledJob => "Scheduled Job Activity",
            Self::Process => "Process Activity",
            Self::EventLog => "Event Log Activity",
            Self::Script => "Script Activity",
            Self::DetectionFinding => "Detection Finding",
            Self::AccountChange => "Account Change",
            Self::Authentication => "Authentication",
            Self::AuthorizeSession => "Authorize Session",
            Self::GroupManagement => "Group Management",
            Self::Network => "Network Activity",
            Self::Http => "HTTP Activity",
            Self::Dns => "DNS Activity",
            Self::Smb => "SMB Activity",
            Self::ApiActivity => "API Activity",
            Self::RegistryKey => "Registry Key Activity",
            Self::RegistryValue => "Registry Value Activity",
            Self::WindowsService => "Windows Service Activity",
        }
    }
}

/// A class with its activity: `(Class::Authentication, "Logon")`.
pub type Kind = (Class, &'static str);
