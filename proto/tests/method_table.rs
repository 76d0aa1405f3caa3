//! The committed method table against the numbers of the wire contract, written down by hand.

use std::collections::BTreeSet;

use qpq_proto::v1::PushEvent;
use qpq_proto::{Access, CallerClass, Method, Service};

/// Id, name and access letters, as the contract lists them. An id, once given, is never reused.
const CONTRACT: [(u16, &str, &str); 135] = [
    (100, "OpaqueRegisterStart", "P"),
    (101, "OpaqueRegisterFinish", "P"),
    (102, "OpaqueLoginStart", "P"),
    (103, "OpaqueLoginFinish", "P"),
    (104, "ResumeSession", "P"),
    (200, "Enqueue", "S/N/T"),
    (201, "Fetch", "S"),
    (202, "FetchWait", "S"),
    (203, "Peek", "S"),
    (204, "Ack", "S"),
    (205, "BatchEnqueue", "S/N/T"),
    (206, "RegisterMailbox", "S"),
    (207, "RevokeMailbox", "S"),
    (208, "SetDeliveryTokens", "S"),
    (300, "UploadKeyPackage", "S"),
    (301, "FetchKeyPackage", "S/N"),
    (302, "UploadHybridKey", "S"),
    (303, "FetchHybridKey", "S/N/T"),
    (304, "FetchHybridKeys", "S/N"),
    (400, "CreateChannel", "S"),
    (410, "RemoveMember", "S"),
    (411, "UpdateGroupMetadata", "S"),
    (412, "ListGroupMembers", "S"),
    (413, "RotateKeys", "S"),
    (420, "ReportMessage", "S"),
    (421, "BanUser", "A"),
    (422, "UnbanUser", "A"),
    (423, "ListReports", "A"),
    (424, "ListBanned", "A"),
    (425, "ListAdministrators", "S"),
    (500, "ResolveUser", "S/N/F"),
    (501, "ResolveIdentity", "S/N/F"),
    (510, "RevokeKey", "S"),
    (511, "CheckRevocation", "P"),
    (520, "AuditKeyTransparency", "P"),
    (521, "ExchangeTreeHead", "N"),
    (600, "UploadBlob", "S"),
    (601, "DownloadBlob", "S/N/T"),
    (700, "RegisterDevice", "S"),
    (701, "ListDevices", "S"),
    (702, "RevokeDevice", "S"),
    (710, "RegisterPushToken", "S"),
    (750, "StoreRecoveryBundle", "S"),
    (751, "FetchRecoveryBundle", "P"),
    (752, "DeleteRecoveryBundle", "S"),
    (800, "PublishEndpoint", "S/N"),
    (801, "ResolveEndpoint", "S/N"),
    (802, "Health", "P"),
    (810, "MeshHello", "N"),
    (811, "MeshReconcile", "N"),
    (812, "MeshOffer", "N"),
    (813, "MeshTransfer", "N"),
    (814, "MeshSettle", "N"),
    (815, "MeshFetch", "N"),
    (900, "RelayEnqueue", "F"),
    (901, "RelayBatchEnqueue", "F"),
    (902, "ProxyFetchKeyPackage", "F"),
    (903, "ProxyFetchHybridKey", "F"),
    (904, "ProxyResolveUser", "F"),
    (905, "FederationHealth", "F"),
    (950, "DeleteAccount", "S"),
    (1100, "NodeStatus", "O"),
    (1101, "CreateIdentity", "O"),
    (1102, "ShowIdentity", "O"),
    (1103, "ReadEvents", "O"),
    (1104, "Diagnose", "O"),
    (1105, "CreateBackup", "O"),
    (1106, "VerifyBackup", "O"),
    (1107, "RestoreBackup", "O"),
    (1108, "SetRole", "O"),
    (1120, "CreateInvitation", "O"),
    (1121, "ListInvitations", "O"),
    (1122, "RevokeInvitation", "O"),
    (1123, "AddContact", "O"),
    (1124, "AcceptContact", "O"),
    (1125, "ListContacts", "O"),
    (1126, "RenameContact", "O"),
    (1127, "VerifyContact", "O"),
    (1128, "BlockContact", "O"),
    (1129, "RemoveContact", "O"),
    (1140, "ListConversations", "O"),
    (1141, "ReadMessages", "O"),
    (1142, "SendMessage", "O"),
    (1143, "WaitMessage", "O"),
    (1144, "MarkRead", "O"),
    (1145, "TraceMessage", "O"),
    (1160, "CreateGroup", "O"),
    (1161, "AddGroupMembers", "O"),
    (1162, "CreateGroupLink", "O"),
    (1163, "JoinGroup", "O"),
    (1164, "LeaveGroup", "O"),
    (1165, "RemoveGroupMember", "O"),
    (1166, "ShowGroup", "O"),
    (1167, "RotateGroup", "O"),
    (1168, "WaitChange", "O"),
    (1169, "DeleteGroup", "O"),
    (1180, "ShowMesh", "O"),
    (1181, "ListBundles", "O"),
    (1182, "ShowRoute", "O"),
    (1183, "CopyBundles", "O"),
    (1184, "TakeBundles", "O"),
    (1185, "ExportBundles", "O"),
    (1186, "ImportBundles", "O"),
    (1187, "PairNode", "O"),
    (1190, "SubscribeTopic", "O"),
    (1191, "UnsubscribeTopic", "O"),
    (1192, "ListTopics", "O"),
    (1193, "BroadcastPost", "O"),
    (1194, "ReadPosts", "O"),
    (1200, "CreateRelayInvitation", "O"),
    (1210, "RegisterAtRelay", "O"),
    (1211, "LoginAtRelay", "O"),
    (1212, "WaitMailboxRelay", "O"),
    (1213, "LeaveRelay", "O"),
    (1214, "ListMailboxRelays", "O"),
    (1215, "FindUser", "O"),
    (1216, "WaitUser", "O"),
    (1217, "ShowRelayProof", "O"),
    (1218, "ReportToRelay", "O"),
    (1219, "WaitRelayErrand", "O"),
    (1220, "ListRelayUsers", "O"),
    (1221, "SetRelayAdministrator", "O"),
    (1222, "BanRelayUser", "O"),
    (1223, "UnbanRelayUser", "O"),
    (1224, "ListRelayReports", "O"),
    (1225, "ListRelayBans", "O"),
    (1226, "ReadRelayAudit", "O"),
    (1227, "FetchReports", "O"),
    (1228, "OpenReports", "O"),
    (1230, "SetUpRecovery", "O"),
    (1231, "ConfirmRecovery", "O"),
    (1232, "ShowRecovery", "O"),
    (1233, "RevokeRecoveryCode", "O"),
    (1234, "UseRecoveryCode", "O"),
    (1235, "WaitRecoveryUse", "O"),
];

#[test]
fn the_table_is_the_contract() {
    let table: Vec<_> =
        Method::ALL.iter().map(|method| (method.id(), method.name(), method.access().letters())).collect();
    let contract: Vec<_> =
        CONTRACT.iter().map(|(id, name, letters)| (*id, *name, (*letters).to_owned())).collect();
    assert_eq!(table, contract);
}

#[test]
fn every_number_is_a_method_of_the_table_or_none() {
    for id in 0..=u16::MAX {
        let listed = CONTRACT.iter().find(|(listed, ..)| *listed == id).map(|(_, name, _)| *name);
        let method = Method::from_id(id);
        assert_eq!(method.map(Method::name), listed, "{id}");
        assert!(method.is_none_or(|method| method.id() == id));
    }
}

#[test]
fn names_and_labels_are_unique_and_found_again() {
    let labels: BTreeSet<_> = Method::ALL.iter().map(|method| method.label()).collect();
    assert_eq!(labels.len(), Method::ALL.len());
    for method in Method::ALL {
        assert_eq!(Method::from_name(method.name()), Some(*method));
        assert_eq!(method.label().replace('_', ""), method.name().to_lowercase());
        assert_eq!(method.request_type(), format!("{}Request", method.name()));
        assert_eq!(method.response_type(), format!("{}Response", method.name()));
    }
    assert_eq!(Method::from_name("enqueue"), None);
    assert_eq!(Method::OpaqueRegisterStart.label(), "opaque_register_start");
}

#[test]
fn the_owners_methods_are_the_owners_alone() {
    let owners = Access::of(&[CallerClass::Owner]);
    for method in Method::ALL {
        assert_eq!(method.service() == Service::Owner, method.access() == owners, "{method:?}");
        assert_eq!(method.id() >= 1100, method.access() == owners, "{method:?}");
    }
}

#[test]
fn strangers_reach_what_the_contract_leaves_open_and_nothing_else() {
    let open: Vec<_> = Method::ALL
        .iter()
        .filter(|method| method.access().permits(CallerClass::Public))
        .map(|method| method.name())
        .collect();
    let expected: Vec<_> = CONTRACT.iter().filter(|row| row.2 == "P").map(|row| row.1).collect();
    assert_eq!(open, expected);
}

#[test]
fn services_are_named_as_declared() {
    let names: Vec<_> = Service::ALL.iter().map(|service| service.name()).collect();
    assert_eq!(
        names,
        [
            "Auth",
            "Delivery",
            "Keys",
            "Channels",
            "Groups",
            "Moderation",
            "Users",
            "KeyTransparency",
            "Blobs",
            "Devices",
            "Recovery",
            "Peers",
            "Mesh",
            "Federation",
            "Account",
            "Owner"
        ]
    );
    assert_eq!(Method::ExchangeTreeHead.service(), Service::KeyTransparency);
}

#[test]
fn push_events_have_the_numbers_of_the_contract() {
    let events = [
        (PushEvent::NewMessage, 1000),
        (PushEvent::Typing, 1001),
        (PushEvent::Presence, 1002),
        (PushEvent::Membership, 1003),
        (PushEvent::Lagged, 1004),
        (PushEvent::KeyPackagesLow, 1005),
    ];
    for (event, number) in events {
        assert_eq!(event as i32, number);
    }
    assert!(PushEvent::try_from(1006).is_err());
}
