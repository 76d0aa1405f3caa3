//! Reports at a relay of a world.

use bytes::Bytes;
use qpq_proto::{Failure, Method, ids::Identity, v1};

use super::{
    Office,
    answers::{read, write},
};

impl Office {
    /// Names somebody as an administrator, with the key that it has published.
    pub(in crate::tests) fn appoint(&mut self, identity: Identity) {
        let mut held = self.hybrid_keys.iter();
        let is_its = |key: &&v1::FetchHybridKeyResponse| {
            crate::introductions::is_hybrid_key_of(identity.as_bytes(), key)
        };
        let hybrid_key = held.find(is_its).cloned();
        self.administrators.push(v1::AdministratorKey { identity_key: identity.to_vec(), hybrid_key });
    }

    /// Answers a method of moderation.
    pub(super) fn moderate(
        &mut self,
        caller: Identity,
        method: Method,
        payload: Bytes,
    ) -> Result<Bytes, Failure> {
        match method {
            Method::ListAdministrators => {
                let administrators = self.administrators.clone();
                Ok(write(&v1::ListAdministratorsResponse { administrators }))
            }
            Method::ReportMessage => Ok(self.take_report(caller, read(payload))),
            _ => self.list_reports(caller, &read(payload)),
        }
    }

    fn take_report(&mut self, caller: Identity, request: v1::ReportMessageRequest) -> Bytes {
        let v1::ReportMessageRequest { channel_id, message_id, report, franking_proof } = request;
        let report_id = vec![u8::try_from(self.reports.len()).unwrap(); 16];
        self.reports.push(v1::Report {
            report_id: report_id.clone(),
            reporter: caller.to_vec(),
            channel_id,
            message_id,
            report,
            franking_proof,
            reported_at_ms: 1,
        });
        write(&v1::ReportMessageResponse { report_id })
    }

    fn list_reports(&self, caller: Identity, request: &v1::ListReportsRequest) -> Result<Bytes, Failure> {
        let mut administrators = self.administrators.iter();
        if !administrators.any(|told| told.identity_key == caller.as_bytes()) {
            return Err(Failure::forbidden("ListReports is not for this caller"));
        }
        let from = request.cursor.first().map_or(0, |from| usize::from(*from));
        let end = self.reports.len().min(from + usize::try_from(request.limit).unwrap());
        let next = if end < self.reports.len() { vec![u8::try_from(end).unwrap()] } else { Vec::new() };
        Ok(write(&v1::ListReportsResponse { reports: self.reports[from..end].to_vec(), next }))
    }
}
