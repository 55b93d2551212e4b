//! Where Windows events belong: Sigma's categories and services by channel and event id, and the OCSF class.

use shieldops_model::LogSource;

use crate::formats::class::{Class, Kind};

const SYSMON: &str = "Microsoft-Windows-Sysmon/Operational";

/// What the product adds to the public table: events that tell the same as those of a category, in other words.
struct Mapping {
    service: &'static str,
    id: i64,
    category: &'static str,
}

/// `windows-4688`: the audit of process creation is what Sysmon 1 is; the field names are mapped with the rules.
const MAPPINGS: [Mapping; 1] = [Mapping { service: "security", id: 4688, category: "process_creation" }];

/// Sigma's log source of a channel and event id, with the mappings. Names are matched without regard to case.
pub fn log_source(channel: &str, event_id: i64) -> LogSource {
    let mut source = table_source(channel, event_id);
    let known = |mapping: &&Mapping| source.service.as_deref() == Some(mapping.service) && mapping.id == event_id;
    let added: Vec<String> = MAPPINGS.iter().filter(known).map(|mapping| mapping.category.to_owned()).collect();
    source.categories.extend(added);
    source
}

/// Takes away what the mappings have added to the log source of a Windows event.
pub fn without_mappings(source: &mut LogSource) {
    if source.product.as_deref() == Some("windows") {
        let service = source.service.as_deref();
        let added = |category: &str| {
            MAPPINGS.iter().any(|mapping| service == Some(mapping.service) && mapping.category == category)
        };
        source.categories.retain(|category| !added(category));
    }
}

/// Sigma's log source of a channel and event id as the public table has it.
pub fn table_source(channel: &str, event_id: i64) -> LogSource {
    LogSource {
        product: Some("windows".to_owned()),
        categories: categories(channel, event_id).iter().map(|name| (*name).to_owned()).collect(),
        service: service(channel).map(str::to_owned),
    }
}

/// Whether a channel is one that this table knows.
pub fn is_known(channel: &str) -> bool {
    service(channel).is_some()
}

fn service(channel: &str) -> Option<&'static str> {
    SERVICES.iter().find(|(known, _)| known.eq_ignore_ascii_case(channel)).map(|(_, service)| *service)
}

fn categories(channel: &str, id: i64) -> &'static [&'static str] {
    if channel.eq_ignore_ascii_case(SYSMON) {
        return sysmon(id);
    }
    match (service(channel), id) {
        (Some("powershell"), 4103) => &["ps_module"],
        (Some("powershell"), 4104) => &["ps_script"],
        (Some("powershell-classic"), 400) => &["ps_classic_start"],
        (Some("powershell-classic"), 600) => &["ps_classic_provider_start"],
        (Some("powershell-classic"), 800) => &["ps_classic_script"],
        _ => &[],
    }
}

fn sysmon(id: i64) -> &'static [&'static str] {
    match id {
        1 => &["process_creation"],
        2 => &["file_change"],
        3 => &["network_connection"],
        4 | 16 => &["sysmon_status"],
        5 => &["process_termination"],
        6 => &["driver_load"],
        7 => &["image_load"],
        8 => &["create_remote_thread"],
        9 => &["raw_access_thread"],
        10 => &["process_access"],
        11 => &["file_event"],
        12 => &["registry_add", "registry_delete", "registry_event"],
        13 => &["registry_set", "registry_event"],
        14 => &["registry_rename", "registry_event"],
        15 => &["create_stream_hash"],
        17 | 18 => &["pipe_created"],
        19..=21 => &["wmi_event"],
        22 => &["dns_query"],
        23 => &["file_delete"],
        24 => &["clipboard_capture"],
        25 => &["process_tampering"],
        26 => &["file_delete_detected"],
        27 => &["file_block_executable"],
        28 => &["file_block_shredding"],
        29 => &["file_executable_detected"],
        255 => &["sysmon_error"],
        _ => &[],
    }
}

/// Two services name the LDAP client's channel; rules that say `ldap_debug` are the older ones.
const SERVICES: [(&str, &str); 48] = [
    ("Application", "application"),
    ("DNS Server", "dns-server"),
    ("MSExchange Management", "msexchange-management"),
    ("Microsoft-IIS-Configuration/Operational", "iis-configuration"),
    ("Microsoft-ServiceBus-Client", "microsoft-servicebus-client"),
    ("Microsoft-Windows-AppLocker/EXE and DLL", "applocker"),
    ("Microsoft-Windows-AppLocker/MSI and Script", "applocker"),
    ("Microsoft-Windows-AppLocker/Packaged app-Deployment", "applocker"),
    ("Microsoft-Windows-AppLocker/Packaged app-Execution", "applocker"),
    ("Microsoft-Windows-AppModel-Runtime/Admin", "appmodel-runtime"),
    ("Microsoft-Windows-AppXDeploymentServer/Operational", "appxdeployment-server"),
    ("Microsoft-Windows-AppxPackaging/Operational", "appxpackaging-om"),
    ("Microsoft-Windows-BitLocker/BitLocker Management", "bitlocker"),
    ("Microsoft-Windows-Bits-Client/Operational", "bits-client"),
    ("Microsoft-Windows-CAPI2/Operational", "capi2"),
    (
        "Microsoft-Windows-CertificateServicesClient-Lifecycle-System/Operational",
        "certificateservicesclient-lifecycle-system",
    ),
    ("Microsoft-Windows-CodeIntegrity/Operational", "codeintegrity-operational"),
    ("Microsoft-Windows-DHCP-Server/Operational", "dhcp"),
    ("Microsoft-Windows-DNS Client Events/Operational", "dns-client"),
    ("Microsoft-Windows-DNS-Client/Operational", "dns-client"),
    ("Microsoft-Windows-DNS-Server/Analytical", "dns-server-analytic"),
    ("Microsoft-Windows-DNS-Server/Audit", "dns-server-audit"),
    ("Microsoft-Windows-Diagnosis-Scripted/Operational", "diagnosis-scripted"),
    ("Microsoft-Windows-DriverFrameworks-UserMode/Operational", "driver-framework"),
    ("Microsoft-Windows-LDAP-Client/Debug", "ldap"),
    ("Microsoft-Windows-LSA/Operational", "lsa-server"),
    ("Microsoft-Windows-NTLM/Operational", "ntlm"),
    ("Microsoft-Windows-PowerShell/Operational", "powershell"),
    ("Microsoft-Windows-PrintService/Admin", "printservice-admin"),
    ("Microsoft-Windows-PrintService/Operational", "printservice-operational"),
    ("Microsoft-Windows-SMBServer/Connectivity", "smbserver-connectivity"),
    ("Microsoft-Windows-Security-Mitigations/Kernel Mode", "security-mitigations"),
    ("Microsoft-Windows-Security-Mitigations/User Mode", "security-mitigations"),
    ("Microsoft-Windows-Shell-Core/Operational", "shell-core"),
    ("Microsoft-Windows-SmbClient/Connectivity", "smbclient-connectivity"),
    ("Microsoft-Windows-SmbClient/Security", "smbclient-security"),
    (SYSMON, "sysmon"),
    ("Microsoft-Windows-TaskScheduler/Operational", "taskscheduler"),
    ("Microsoft-Windows-TerminalServices-LocalSessionManager/Operational", "terminalservices-localsessionmanager"),
    ("Microsoft-Windows-VHDMP/Operational", "vhdmp"),
    ("Microsoft-Windows-WMI-Activity/Operational", "wmi"),
    ("Microsoft-Windows-Windows Defender/Operational", "windefend"),
    ("Microsoft-Windows-Windows Firewall With Advanced Security/Firewall", "firewall-as"),
    ("OpenSSH/Operational", "openssh"),
    ("PowerShellCore/Operational", "powershell"),
    ("Security", "security"),
    ("System", "system"),
    ("Windows PowerShell", "powershell-classic"),
];

/// The OCSF class and activity of a channel and event id.
pub fn kind(channel: &str, id: i64) -> Kind {
    match service(channel) {
        Some("sysmon") => sysmon_kind(id),
        Some("security") => security_kind(id),
        Some("powershell" | "powershell-classic") => (Class::Script, "Execute"),
        Some("taskscheduler") => match id {
            106 => (Class::ScheduledJob, "Create"),
            140 => (Class::ScheduledJob, "Update"),
            141 => (Class::ScheduledJob, "Delete"),
            _ => (Class::ScheduledJob, "Start"),
        },
        Some("system") => match id {
            7045 => (Class::WindowsService, "Create"),
            7034 | 7036 | 7040 => (Class::WindowsService, "Update"),
            104 => (Class::EventLog, "Clear"),
            _ => (Class::Base, "Other"),
        },
        Some("windefend") => match id {
            1006 | 1007 | 1015 | 1116 | 1117 | 1118 | 1119 => (Class::DetectionFinding, "Create"),
            _ => (Class::Base, "Other"),
        },
        Some("dns-client" | "dns-server" | "dns-server-analytic") => (Class::Dns, "Query"),
        _ => (Class::Base, "Other"),
    }
}

fn sysmon_kind(id: i64) -> Kind {
    match id {
        1 => (Class::Process, "Launch"),
        2 => (Class::FileSystem, "Set attributes"),
        3 => (Class::Network, "Open"),
        5 => (Class::Process, "Terminate"),
        6 => (Class::KernelExtension, "Load"),
        7 => (Class::Module, "Load"),
        8 | 25 => (Class::Process, "Inject"),
        10 => (Class::Process, "Open"),
        9 => (Class::FileSystem, "Read"),
        11 | 15 | 29 => (Class::FileSystem, "Create"),
        23 | 26 => (Class::FileSystem, "Delete"),
        12 => (Class::RegistryKey, "Create"),
        13 => (Class::RegistryValue, "Set"),
        14 => (Class::RegistryKey, "Rename"),
        22 => (Class::Dns, "Query"),
        _ => (Class::Base, "Other"),
    }
}

fn security_kind(id: i64) -> Kind {
    match id {
        4624 | 4625 | 4648 | 4768 | 4769 | 4771 | 4776 => (Class::Authentication, "Logon"),
        4634 | 4647 => (Class::Authentication, "Logoff"),
        4672 | 4964 => (Class::AuthorizeSession, "Assign privileges"),
        4688 => (Class::Process, "Launch"),
        4689 => (Class::Process, "Terminate"),
        4720 => (Class::AccountChange, "Create"),
        4722 => (Class::AccountChange, "Enable"),
        4723 | 4724 => (Class::AccountChange, "Password change"),
        4725 => (Class::AccountChange, "Disable"),
        4726 => (Class::AccountChange, "Delete"),
        4738 | 4740 | 4767 | 4781 => (Class::AccountChange, "Update"),
        4727..=4737 | 4754..=4758 => (Class::GroupManagement, "Update"),
        4697 => (Class::WindowsService, "Create"),
        4698 => (Class::ScheduledJob, "Create"),
        4699 => (Class::ScheduledJob, "Delete"),
        4700..=4702 => (Class::ScheduledJob, "Update"),
        4656 | 4658 | 4660 | 4663 | 4670 => (Class::FileSystem, "Open"),
        4657 => (Class::RegistryValue, "Set"),
        5140 | 5142 | 5145 => (Class::Smb, "Open"),
        5156..=5158 => (Class::Network, "Open"),
        1102 => (Class::EventLog, "Clear"),
        4719 => (Class::EventLog, "Update"),
        _ => (Class::Base, "Other"),
    }
}

/// Whether a logon event tells success or failure by its id.
pub fn outcome(channel: &str, id: i64) -> Option<&'static str> {
    match (service(channel)?, id) {
        ("security", 4624 | 4648) => Some("success"),
        ("security", 4625 | 4771) => Some("failure"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_belongs_to_its_categories_and_its_service() {
        let source = log_source("microsoft-windows-sysmon/operational", 13);
        assert_eq!(
            (source.categories.as_slice(), source.service.as_deref()),
            (["registry_set".to_owned(), "registry_event".to_owned()].as_slice(), Some("sysmon"))
        );
        assert_eq!(log_source("PowerShellCore/Operational", 4104).categories, ["ps_script"]);
        assert_eq!(table_source("Security", 4688).categories, Vec::<String>::new());
        let mut mapped = log_source("Security", 4688);
        assert_eq!(mapped.categories, ["process_creation"]);
        without_mappings(&mut mapped);
        assert_eq!(mapped, table_source("Security", 4688));
        let mut sysmon = log_source(SYSMON, 1);
        without_mappings(&mut sysmon);
        assert_eq!(sysmon.categories, ["process_creation"]);
        assert_eq!(
            log_source("Their-Own/Channel", 1),
            LogSource { product: Some("windows".into()), ..LogSource::default() }
        );
    }
}
