//! Calls of the application's handlers.

use fanfare_protocol::dialect::excerpt;
use fanfare_protocol::{ErrorCode, Event, Payload, RequestId};

use super::SessionKey;
use crate::ports::application::{Answer, Call, CallTarget};
use crate::shard::{Question, Shard};

impl Shard {
    pub(crate) fn request(
        &mut self,
        key: SessionKey,
        id: Option<RequestId>,
        method: Box<str>,
        data: Payload,
    ) {
        if !self.application.has_method(&method) {
            let text = format!("no such method: \"{}\"", excerpt(&method));
            return self.fail_with(key, id.as_ref(), ErrorCode::UnknownMethod, &text);
        }
        self.call(key, id, CallTarget::Method(method), data);
    }

    pub(crate) fn custom(&mut self, key: SessionKey, id: Option<RequestId>, kind: Box<str>, data: Payload) {
        if !self.application.has_message_type(&kind) {
            let text = format!("no such message type: \"{}\"", excerpt(&kind));
            return self.fail_with(key, id.as_ref(), ErrorCode::UnknownType, &text);
        }
        self.call(key, id, CallTarget::MessageType(kind), data);
    }

    fn call(&mut self, key: SessionKey, id: Option<RequestId>, target: CallTarget, data: Payload) {
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return };
        if u32::from(session.calls_in_flight) >= self.settings.limits.requests_in_flight_max {
            return self.fail(key, id.as_ref(), ErrorCode::TooManyRequestsInFlight);
        }
        session.calls_in_flight += 1;
        let peer = session.peer();
        let ticket = self.ask(key, id, Question::Call);
        self.application.call(Call { shard: self.id, ticket, peer, target, data });
    }

    pub(crate) fn answered(&mut self, key: SessionKey, id: Option<&RequestId>, answer: Answer) {
        if let Some(session) = self.sessions.get_mut(key.0 as usize) {
            session.calls_in_flight = session.calls_in_flight.saturating_sub(1);
        }
        match answer {
            Ok(Some(data)) => self.send(key, &Event::Response { id, data: &data }),
            // A handler that returns nothing answers only those who asked for an answer.
            Ok(None) if id.is_some() => self.send(key, &Event::Response { id, data: &Payload::null() }),
            Ok(None) => {}
            Err((code, text)) => self.fail_with(key, id, code, &text),
        }
    }
}
